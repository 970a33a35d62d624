//! From [`Config`] to the driver's configuration.

use super::Config;
use crate::tls::SslMode;
use std::{net::IpAddr, path::Path, time::Duration};
use tokio_postgres::config::Host;

/// Where the packages of Debian, Ubuntu, Fedora and Alpine put the socket, and look for it.
const SOCKET_DIRECTORY: &str = "/var/run/postgresql";

impl Config {
    /// The driver's configuration with all settings that the driver knows; its TLS mode is that of the first attempt.
    pub(crate) fn driver(&self) -> tokio_postgres::Config {
        let mut driver = with_endpoint(
            &self.driver,
            &effective_hosts(&self.driver),
            self.driver.get_hostaddrs(),
            self.driver.get_ports(),
        );
        if let Some(options) = startup_options(self.statement_timeout, self.driver.get_options()) {
            driver.options(options);
        }
        driver
            .connect_timeout(self.connect_timeout)
            .keepalives(self.keepalives)
            .keepalives_idle(self.keepalives_idle)
            .keepalives_interval(self.keepalives_interval)
            .keepalives_retries(self.keepalives_retries)
            .ssl_mode(match self.get_ssl_mode() {
                _ if self.is_local() => tokio_postgres::config::SslMode::Disable,
                SslMode::Disable | SslMode::Allow => tokio_postgres::config::SslMode::Disable,
                SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
                SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
            });
        if !self.tcp_user_timeout.is_zero() {
            driver.tcp_user_timeout(self.tcp_user_timeout);
        }
        driver
    }

    /// Every host is a Unix socket, over which there is no TLS whatever the mode.
    pub(crate) fn is_local(&self) -> bool {
        self.driver.get_hostaddrs().is_empty() && effective_hosts(&self.driver).iter().all(is_socket)
    }
}

/// The user's options come last because the last wins: an explicit `statement_timeout` in them is meant.
fn startup_options(statement_timeout: Duration, options: Option<&str>) -> Option<String> {
    let timeout = match statement_timeout.as_millis() {
        0 => return options.map(str::to_owned),
        millis => format!("-c statement_timeout={millis}"),
    };
    Some(match options {
        Some(options) => format!("{timeout} {options}"),
        None => timeout,
    })
}

/// The driver's hosts can be added to but not replaced, so everything else is copied.
pub(super) fn with_endpoint(
    from: &tokio_postgres::Config,
    hosts: &[Host],
    addresses: &[IpAddr],
    ports: &[u16],
) -> tokio_postgres::Config {
    let mut to = tokio_postgres::Config::new();
    for host in hosts {
        match host {
            Host::Tcp(host) => to.host(host),
            #[cfg(unix)]
            Host::Unix(path) => to.host_path(path),
        };
    }
    for address in addresses {
        to.hostaddr(*address);
    }
    for port in ports {
        to.port(*port);
    }
    if let Some(user) = from.get_user() {
        to.user(user);
    }
    if let Some(password) = from.get_password() {
        to.password(password);
    }
    if let Some(dbname) = from.get_dbname() {
        to.dbname(dbname);
    }
    if let Some(options) = from.get_options() {
        to.options(options);
    }
    if let Some(name) = from.get_application_name() {
        to.application_name(name);
    }
    to.ssl_negotiation(from.get_ssl_negotiation())
        .target_session_attrs(from.get_target_session_attrs())
        .channel_binding(from.get_channel_binding())
        .load_balance_hosts(from.get_load_balance_hosts());
    to
}

/// An address without a host stands for the host too: without a name the driver can't do TLS at all.
pub(super) fn effective_hosts(driver: &tokio_postgres::Config) -> Vec<Host> {
    match (driver.get_hosts(), driver.get_hostaddrs()) {
        ([], []) => tokio_postgres::Config::new().host(default_host()).get_hosts().to_vec(),
        ([], addresses) => addresses.iter().map(|address| Host::Tcp(address.to_string())).collect(),
        (hosts, _) => hosts.to_vec(),
    }
}

pub(super) fn default_host() -> &'static str {
    if cfg!(unix) && Path::new(SOCKET_DIRECTORY).is_dir() { SOCKET_DIRECTORY } else { "localhost" }
}

pub(super) fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(host) => host.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

pub(super) fn is_socket(host: &Host) -> bool {
    !matches!(host, Host::Tcp(_))
}
