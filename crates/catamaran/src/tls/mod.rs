//! libpq's TLS modes, and which connection attempts each makes.

#[cfg(feature = "tls")]
mod connector;
#[cfg(feature = "tls")]
mod verify;

mod mode;

#[cfg(test)]
mod tests;

pub use mode::SslMode;

use crate::{Config, Error, ErrorKind, Result};
use tokio_postgres::config::SslMode as DriverMode;

/// What the driver is given to do TLS with.
#[cfg(feature = "tls")]
pub(crate) type Connector = tokio_postgres_rustls::MakeRustlsConnect;
/// What the driver is given to do TLS with: without the feature `tls`, nothing.
#[cfg(not(feature = "tls"))]
pub(crate) type Connector = tokio_postgres::NoTls;

/// One try at a connection.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) mode: DriverMode,
    pub(crate) connector: Connector,
}

/// The attempts that a TLS mode makes, with all certificates read.
///
/// A backend tries them in order, and the next only where [`may_try_next`](Self::may_try_next) says so.
#[derive(Clone)]
pub(crate) struct Tls {
    attempts: Vec<Attempt>,
    several_hosts: bool,
}

impl Tls {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let mode = if config.is_local() { SslMode::Disable } else { config.get_ssl_mode() };
        Ok(Self { attempts: attempts(config, mode)?, several_hosts: config.get_hosts().len() > 1 })
    }

    /// At least one.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Whether the attempt after this one may be made, given how this one failed.
    ///
    /// Only `prefer` and `allow` have a second attempt. It is made if TLS failed or if the server does not admit the
    /// client with, or without, TLS. A wrong password is not sent a second time.
    pub(crate) fn may_try_next(&self, attempt: usize, error: &Error) -> bool {
        attempt + 1 < self.attempts.len()
            && match error.kind() {
                ErrorKind::Tls => true,
                // The driver gives the error of the last host, which hides how TLS went with those before.
                ErrorKind::Connect if self.several_hosts => true,
                _ => error.sqlstate() == Some("28000"),
            }
    }
}

#[cfg(feature = "tls")]
fn attempts(config: &Config, mode: SslMode) -> Result<Vec<Attempt>> {
    use connector::connector;

    let plain = || Ok::<_, Error>(Attempt { mode: DriverMode::Disable, connector: connector::unused()? });
    Ok(match mode {
        SslMode::Disable => vec![plain()?],
        SslMode::Allow => vec![plain()?, Attempt { mode: DriverMode::Require, connector: connector(config, mode)? }],
        SslMode::Prefer => vec![Attempt { mode: DriverMode::Prefer, connector: connector(config, mode)? }, plain()?],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
            vec![Attempt { mode: DriverMode::Require, connector: connector(config, mode)? }]
        }
    })
}

#[cfg(not(feature = "tls"))]
fn attempts(_: &Config, mode: SslMode) -> Result<Vec<Attempt>> {
    match mode {
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => {
            Ok(vec![Attempt { mode: DriverMode::Disable, connector: tokio_postgres::NoTls }])
        }
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Err(Error::new(
            ErrorKind::Config,
            format!("sslmode={mode} needs TLS: enable the feature `tls` of the crate catamaran"),
        )),
    }
}
