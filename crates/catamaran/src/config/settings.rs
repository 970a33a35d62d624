//! The setters and getters of [`Config`].

use super::{Config, driver};
#[cfg(feature = "blocking")]
use crate::guard::Rules;
use crate::tls::SslMode;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the server is and how to log in.
impl Config {
    /// Sets the host, replacing any before: a name, an IP address, a socket directory (from `/`), or several by commas.
    ///
    /// Several hosts are tried in turn. Default: see [`Config`].
    pub fn host(mut self, host: impl AsRef<str>) -> Self {
        let mut hosts = tokio_postgres::Config::new();
        for host in host.as_ref().split(',').filter(|host| !host.is_empty()) {
            hosts.host(host);
        }
        self.driver = driver::with_endpoint(&self.driver, hosts.get_hosts(), &[], self.driver.get_ports());
        self
    }

    /// Sets the port of all hosts. Default 5432.
    pub fn port(mut self, port: u16) -> Self {
        self.driver =
            driver::with_endpoint(&self.driver, self.driver.get_hosts(), self.driver.get_hostaddrs(), &[port]);
        self
    }

    /// Sets the user. Default: the operating system's user.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.driver.user(user);
        self
    }

    /// Sets the password, which is never shown again. Default: none.
    pub fn password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.driver.password(password);
        self
    }

    /// Sets the database. Default: the name of the user.
    pub fn dbname(mut self, dbname: impl Into<String>) -> Self {
        self.driver.dbname(dbname);
        self
    }

    /// Sets the server's command line options, such as `-c search_path=app`. Default: none.
    ///
    /// A `statement_timeout` in them has precedence over [`statement_timeout`](Self::statement_timeout).
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.driver.options(options);
        self
    }

    /// Sets the name that the server shows in `pg_stat_activity` and in its log. Default: none.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.driver.application_name(name);
        self
    }

    /// The hosts in the order in which they are tried, the default where none was set.
    pub fn get_hosts(&self) -> Vec<String> {
        driver::effective_hosts(&self.driver).iter().map(driver::host_text).collect()
    }

    /// The ports: one for all hosts or one for each, empty for 5432.
    pub fn get_ports(&self) -> &[u16] {
        self.driver.get_ports()
    }

    /// The user, if one was set.
    pub fn get_user(&self) -> Option<&str> {
        self.driver.get_user()
    }

    /// The database, if one was set.
    pub fn get_dbname(&self) -> Option<&str> {
        self.driver.get_dbname()
    }

    /// The server's command line options, if any were set.
    pub fn get_options(&self) -> Option<&str> {
        self.driver.get_options()
    }

    /// The application name, if one was set.
    pub fn get_application_name(&self) -> Option<&str> {
        self.driver.get_application_name()
    }
}

/// TLS.
impl Config {
    /// Sets how TLS is used. Default [`SslMode::Prefer`], or [`SslMode::VerifyFull`] if `sslrootcert` is `system`.
    pub fn ssl_mode(mut self, mode: SslMode) -> Self {
        self.ssl_mode = Some(mode);
        self
    }

    /// Sets the PEM file with the certificates to trust, or `system` for the platform's.
    ///
    /// Default: the platform's for `verify-full` and `verify-ca`, none otherwise. It is read when a service is made.
    pub fn ssl_root_cert(mut self, path: impl Into<PathBuf>) -> Self {
        self.ssl_root_cert = Some(path.into());
        self
    }

    /// Sets the PEM files with the client's certificate chain and its unencrypted private key. Default: none.
    pub fn ssl_client_cert(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.ssl_cert = Some(cert.into());
        self.ssl_key = Some(key.into());
        self
    }

    /// How TLS is used.
    pub fn get_ssl_mode(&self) -> SslMode {
        self.ssl_mode.unwrap_or(if self.uses_system_roots() { SslMode::VerifyFull } else { SslMode::Prefer })
    }

    /// The file with the certificates to trust, or `system`, if one was set.
    pub fn get_ssl_root_cert(&self) -> Option<&Path> {
        self.ssl_root_cert.as_deref()
    }

    /// The file with the client's certificate chain, if one was set.
    pub fn get_ssl_cert(&self) -> Option<&Path> {
        self.ssl_cert.as_deref()
    }

    /// The file with the client's private key, if one was set.
    pub fn get_ssl_key(&self) -> Option<&Path> {
        self.ssl_key.as_deref()
    }

    pub(super) fn uses_system_roots(&self) -> bool {
        self.ssl_root_cert.as_deref() == Some(Path::new("system"))
    }
}

macro_rules! settings {
    ($(#[doc = $set:literal])+ => $name:ident: $type:ty, #[doc = $got:literal] $get:ident; $($rest:tt)*) => {
        $(#[doc = $set])+
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }

        #[doc = $got]
        pub fn $get(&self) -> $type {
            self.$name
        }

        settings! { $($rest)* }
    };
    () => {};
}

/// The pool and its connections. [`validate`](Config::validate) says which values are permitted.
impl Config {
    settings! {
        /// Sets how many connections the pool holds at most, at least 1. Default 10.
        => max_size: u32,
        /// How many connections the pool holds at most.
        get_max_size;

        /// Sets the longest wait for a connection, with the time to open one if need be. Default 5 s.
        => checkout_timeout: Duration,
        /// The longest wait for a connection.
        get_checkout_timeout;

        /// Sets the longest time for TCP connect, TLS and login together. Default 5 s.
        => connect_timeout: Duration,
        /// The longest time for TCP connect, TLS and login together.
        get_connect_timeout;

        /// Sets after which time an unused connection is closed; zero is never. Default 10 min.
        => idle_timeout: Duration,
        /// After which time an unused connection is closed; zero is never.
        get_idle_timeout;

        /// Sets at which age a connection is replaced when it comes back; zero is never. Default 30 min.
        => max_lifetime: Duration,
        /// At which age a connection is replaced; zero is never.
        get_max_lifetime;

        /// Sets up to which share of `max_lifetime`, from 0 to 1, is taken off at random. Default 0.1.
        ///
        /// Each connection draws its own, so that those opened together are not replaced together.
        => lifetime_jitter: f64,
        /// Up to which share of `max_lifetime` is taken off at random.
        get_lifetime_jitter;

        /// Sets for how long a connection may lie unused and still be handed out untested. Default 1 s.
        ///
        /// Zero is to test at every checkout.
        => test_after_idle: Duration,
        /// For how long a connection may lie unused and still be handed out untested.
        get_test_after_idle;

        /// Sets how long that test may take before the connection counts as broken. Default 2 s.
        => test_timeout: Duration,
        /// How long the test at checkout may take.
        get_test_timeout;

        /// Sets how many prepared statements each connection keeps; 0 is none. Default 256.
        => statement_cache_size: usize,
        /// How many prepared statements each connection keeps.
        get_statement_cache_size;

        /// Sets whether single statements of the async service share connections. Default on.
        ///
        /// Transactions, sessions, streams and COPY have a connection of their own either way. The blocking service
        /// does not share.
        => sharing: bool,
        /// Whether single statements of the async service share connections.
        get_sharing;

        /// Sets how much expected work of the server's may lie before a statement that joins others. Default 0.5 ms.
        => sharing_budget: Duration,
        /// How much expected work may lie before a statement that joins others.
        get_sharing_budget;

        /// Sets how many statements may be on a shared connection at once, at least 1. Default 64.
        ///
        /// A connection is filled to a quarter of it before the next one is used.
        => sharing_depth: u32,
        /// How many statements may be on a shared connection at once.
        get_sharing_depth;

        /// Sets after which time it is reported that a connection is held, once, as a `tracing` event; zero is never.
        /// Default 60 s.
        => leak_after: Duration,
        /// After which time it is reported that a connection is held; zero is never.
        get_leak_after;

        /// Sets whether a call fails at once, with
        /// [`NestedCheckout`](crate::ErrorKind::NestedCheckout), that needs a connection while its caller keeps one
        /// already, in a transaction, a session or a stream, and all others are kept too. Default on.
        ///
        /// Off, it waits as any other: for `checkout_timeout`, unless one of the others ends. What runs at the same time
        /// within one task, as in `join!`, can be mistaken for one caller if its connection has nothing to do at that
        /// moment.
        => nested_checkout_fails: bool,
        /// Whether a call fails at once that needs a connection while its caller keeps one and all others are kept too.
        get_nested_checkout_fails;

        /// Sets when the server cancels a statement, in whole milliseconds; zero is not sent. Default 60 s.
        ///
        /// It goes to the server as a startup option, before the user's own.
        => statement_timeout: Duration,
        /// When the server cancels a statement; zero is not sent.
        get_statement_timeout;

        /// Sets whether TCP keepalive probes are sent. Default on.
        => keepalives: bool,
        /// Whether TCP keepalive probes are sent.
        get_keepalives;

        /// Sets how long a connection is silent before the first probe, in whole seconds. Default 30 s.
        => keepalives_idle: Duration,
        /// How long a connection is silent before the first probe.
        get_keepalives_idle;

        /// Sets the time between two probes, in whole seconds. Default 10 s.
        => keepalives_interval: Duration,
        /// The time between two probes.
        get_keepalives_interval;

        /// Sets after how many unanswered probes the connection counts as broken. Default 3.
        => keepalives_retries: u32,
        /// After how many unanswered probes the connection counts as broken.
        get_keepalives_retries;

        /// Sets how long sent data may stay unacknowledged, in whole milliseconds. Default 30 s.
        ///
        /// Linux only. Zero is the operating system's own limit.
        => tcp_user_timeout: Duration,
        /// How long sent data may stay unacknowledged.
        get_tcp_user_timeout;
    }

    /// The lifetime for one new connection, its jitter taken off; zero is unlimited.
    pub(crate) fn draw_lifetime(&self) -> Duration {
        self.max_lifetime.mul_f64((1.0 - self.lifetime_jitter.clamp(0.0, 1.0) * fastrand::f64()).max(0.0))
    }
}

/// The guard of the blocking service.
#[cfg(feature = "blocking")]
impl Config {
    /// Sets what happens when the blocking service is called on a thread that drives futures. Default: such calls are
    /// reported, and run.
    ///
    /// ```
    /// use catamaran::{Config, guard::{Policy, Rules}};
    ///
    /// let config = Config::new().guard(Rules::new(Policy::Error));
    /// ```
    pub fn guard(mut self, rules: Rules) -> Self {
        self.guard = rules;
        self
    }

    /// What happens when the blocking service is called on a thread that drives futures.
    pub fn get_guard(&self) -> &Rules {
        &self.guard
    }
}
