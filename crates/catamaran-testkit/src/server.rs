//! Where a server listens and who administers it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use postgres::config::Host;

use crate::{Database, Error, Template, admin};

/// The address of a running server and the superuser to use it as.
///
/// A server is only an address: cloning it is cheap, and dropping it changes
/// nothing. A [`Cluster`](crate::Cluster) dereferences to the server it runs;
/// [`shared`](crate::shared) returns one that may run elsewhere.
#[derive(Clone, Debug)]
pub struct Server {
    pub(crate) host: Option<String>,
    pub(crate) socket_dir: Option<PathBuf>,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    /// The database in which databases are created and dropped.
    pub(crate) maintenance: String,
}

impl Server {
    /// Reads the URL or key-value string of a server and its superuser.
    ///
    /// Several hosts are taken as several ways to the same server: the first
    /// TCP host and the first Unix socket are used. The port defaults to 5432,
    /// the user to `postgres` and the database for administration to
    /// `postgres`. Connections for administration do not use TLS.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the text cannot be read or names no host.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let unusable = |why: String| Error::Setting(format!("the server's URL cannot be used: {why}"));
        let config: postgres::Config = url.parse().map_err(|e: postgres::Error| {
            unusable(std::error::Error::source(&e).map_or(e.to_string(), ToString::to_string))
        })?;
        let mut server = Self {
            host: None,
            socket_dir: None,
            port: 5432,
            user: config.get_user().unwrap_or("postgres").to_owned(),
            password: config.get_password().map(|p| String::from_utf8_lossy(p).into_owned()),
            maintenance: config.get_dbname().unwrap_or("postgres").to_owned(),
        };
        for (i, host) in config.get_hosts().iter().enumerate() {
            let port = config.get_ports().get(i).or(config.get_ports().first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if server.host.is_none() => {
                    server.host = Some(name.clone());
                    server.port = port;
                }
                Host::Unix(path) if server.socket_dir.is_none() => {
                    server.socket_dir = Some(path.clone());
                    if server.host.is_none() {
                        server.port = port;
                    }
                }
                _ => {}
            }
        }
        if server.host.is_none() && server.socket_dir.is_none() {
            return Err(unusable("it names no host".to_owned()));
        }
        Ok(server)
    }

    /// The URL of a database over TCP, or over the socket if there is no TCP.
    pub fn url(&self, database: &str) -> String {
        match (&self.host, self.url_socket(database)) {
            (None, Some(url)) => url,
            (host, _) => self.url_of(&authority(host.as_deref().unwrap_or("localhost"), self.port), database),
        }
    }

    /// The URL of a database over the Unix socket, `None` if there is none.
    pub fn url_socket(&self, database: &str) -> Option<String> {
        let path = self.socket_dir.as_ref()?.to_str()?;
        Some(self.url_of(&format!("{}:{}", encode(path), self.port), database))
    }

    /// The URL of a database through another address, such as that of a
    /// [`Proxy`](crate::Proxy).
    pub fn url_via(&self, address: SocketAddr, database: &str) -> String {
        self.url_of(&address.to_string(), database)
    }

    /// The URL from which [`Server::from_url`] makes this server again.
    ///
    /// It names both ways to the server, as a URL with two hosts.
    pub fn admin_url(&self) -> String {
        let hosts = [
            self.host.as_ref().map(|host| authority(host, self.port)),
            self.socket_dir.as_ref().and_then(|p| p.to_str()).map(|p| format!("{}:{}", encode(p), self.port)),
        ];
        self.url_of(&hosts.into_iter().flatten().collect::<Vec<_>>().join(","), &self.maintenance)
    }

    /// The host name or address of the server, `None` if it has only a socket.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port, which is also part of the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the Unix socket, `None` if the server has none.
    pub fn socket_dir(&self) -> Option<&Path> {
        self.socket_dir.as_deref()
    }

    /// The name of the superuser.
    pub fn superuser(&self) -> &str {
        &self.user
    }

    /// The password of the superuser, `None` if the server wants none.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Creates an empty database, dropped when the returned value is.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or refuses.
    pub fn database(&self) -> Result<Database, Error> {
        Database::create(self, "template0")
    }

    /// Creates a copy of a template, dropped when the returned value is.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or refuses.
    pub fn database_from(&self, template: &Template) -> Result<Database, Error> {
        Database::create(self, template.name())
    }

    /// Returns the template called `name`, filled by `setup` if it is new.
    ///
    /// See [`Template`] for how long it lives and how names are chosen.
    /// `setup` is given the URL of an empty database and runs on a thread of
    /// its own, where it may block or start a runtime. Connections it leaves
    /// open are closed.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] with what `setup` returned, [`Error::Setting`] if the
    /// name is not 1 to 40 lower-case letters, digits and underscores,
    /// [`Error::Sql`] if the server cannot be reached or refuses.
    ///
    /// # Panics
    ///
    /// If `setup` does; the unfinished template is removed first.
    pub fn template<F, E>(&self, name: &str, setup: F) -> Result<Template, Error>
    where
        F: FnOnce(&str) -> Result<(), E> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        Template::prepare(self, name, setup)
    }

    /// Runs SQL statements, separated by semicolons, as the superuser.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or a statement fails.
    pub fn execute(&self, database: &str, statements: &str) -> Result<(), Error> {
        admin::with(self, database, |client| client.batch_execute(statements).map_err(Error::sql("running statements")))
    }

    /// Runs a query and returns the text of the first column of each row.
    ///
    /// A `NULL` is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or the query fails.
    pub fn texts(&self, database: &str, query: &str) -> Result<Vec<Option<String>>, Error> {
        admin::with(self, database, |client| admin::texts(client, query))
    }

    /// The process ids of the connections to a database, in ascending order.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached.
    pub fn backend_pids(&self, database: &str) -> Result<Vec<i32>, Error> {
        admin::with_maintenance(self, |client| admin::backend_pids(client, database))
    }

    /// Ends every connection to a database and returns how many there were.
    ///
    /// The clients see error `57P01`. The call returns when the connections
    /// are gone from the server, at most 5 s later.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached.
    pub fn terminate_backends(&self, database: &str) -> Result<usize, Error> {
        admin::with_maintenance(self, |client| admin::terminate_backends(client, database))
    }

    fn url_of(&self, authority: &str, database: &str) -> String {
        let mut user = encode(&self.user);
        if let Some(password) = &self.password {
            user = format!("{user}:{}", encode(password));
        }
        format!("postgresql://{user}@{authority}/{}", encode(database))
    }
}

/// Joins host and port, with an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Percent-encodes everything that may mean something in a URL.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
