//! The settings of a cluster to be started.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Cluster, Error};

/// How the server asks clients to prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// Not at all: every local connection is trusted.
    #[default]
    Trust,
    /// With a password, over `SCRAM-SHA-256`.
    ScramSha256 {
        /// The superuser's password.
        password: String,
    },
}

/// The settings of a [`Cluster`]; made by [`Cluster::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct ClusterBuilder {
    pub(crate) auth: Auth,
    pub(crate) tls_names: Option<Vec<String>>,
    pub(crate) tls_required: bool,
    pub(crate) client_certificates: bool,
    pub(crate) major: Option<u32>,
    pub(crate) max_connections: u32,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) start_timeout: Duration,
}

impl ClusterBuilder {
    pub(crate) fn new() -> Self {
        Self {
            auth: Auth::Trust,
            tls_names: None,
            tls_required: false,
            client_certificates: false,
            major: None,
            max_connections: 200,
            settings: Vec::new(),
            directory: None,
            start_timeout: Duration::from_secs(60),
        }
    }

    /// Sets how clients are authenticated; [`Auth::Trust`] by default.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Turns TLS on, with a certificate for `localhost` and `127.0.0.1`.
    ///
    /// Off by default. See [`Cluster::certificates`] for the files.
    pub fn tls(self) -> Self {
        self.tls_for(["localhost", "127.0.0.1"])
    }

    /// Turns TLS on, with a certificate for other names.
    ///
    /// With a name that does not resolve to the server, clients that verify
    /// the name must refuse while those that verify only the authority accept.
    pub fn tls_for(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tls_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Makes the server refuse TCP connections without TLS, and turns TLS on
    /// as [`tls`](Self::tls) does unless it is on already.
    pub fn require_tls(mut self) -> Self {
        self.tls_required = true;
        if self.tls_names.is_some() { self } else { self.tls() }
    }

    /// Makes the server ask TCP clients for a certificate that its authority
    /// signed, on top of [`auth`](Self::auth), and implies
    /// [`require_tls`](Self::require_tls).
    ///
    /// [`Certificates::client`](crate::Certificates::client) is such a one.
    pub fn client_certificates(mut self) -> Self {
        self.client_certificates = true;
        self.require_tls()
    }

    /// Sets the major version of the server to run.
    ///
    /// By default the one in [`MAJOR_VARIABLE`](crate::MAJOR_VARIABLE), or else
    /// the first one found.
    pub fn major(mut self, major: u32) -> Self {
        self.major = Some(major);
        self
    }

    /// Sets how many connections the server accepts; 200 by default.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Adds a line to `postgresql.conf`, after those of the test kit.
    ///
    /// `value` is quoted as needed.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Sets the directory in which the cluster makes its own.
    ///
    /// By default the one in [`DIRECTORY_VARIABLE`](crate::DIRECTORY_VARIABLE),
    /// or what that says. A directory on a disk, together with the setting
    /// `fsync`, makes a server that waits for the disk.
    pub fn directory(mut self, parent: impl Into<PathBuf>) -> Self {
        self.directory = Some(parent.into());
        self
    }

    /// Sets how long the server may take to get ready; 60 s by default.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Creates and starts the cluster.
    ///
    /// # Errors
    ///
    /// [`Error::BinariesMissing`] if no server is installed,
    /// [`Error::Setting`] if the directory cannot be used,
    /// [`Error::NoAccount`] if root finds no account to run it as,
    /// [`Error::NotStarted`] if the server ends at once, for example because
    /// of a wrong setting, and [`Error::TimedOut`] if it does not get ready.
    pub fn start(self) -> Result<Cluster, Error> {
        Cluster::create(self)
    }
}
