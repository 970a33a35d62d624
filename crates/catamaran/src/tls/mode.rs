//! [`SslMode`].

use crate::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// How TLS is used: libpq's `sslmode`, with libpq's meanings.
///
/// Over Unix sockets there is no TLS, whatever the mode. `Require` and the two modes after it never fall back to a
/// connection without TLS. Without the feature `tls` they are refused when a service is made, and `Allow` and `Prefer`
/// connect without TLS.
///
/// ```
/// use catamaran::SslMode;
///
/// assert_eq!("verify-full".parse::<SslMode>().unwrap(), SslMode::VerifyFull);
/// assert_eq!(SslMode::default().to_string(), "prefer");
/// ```
///
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// No TLS unless the server insists; nothing is verified.
    Allow,
    /// TLS if the server offers it and the handshake succeeds, none otherwise; nothing is verified. The default.
    #[default]
    Prefer,
    /// TLS. The certificate is verified, as with `VerifyCa`, only if `sslrootcert` is set.
    Require,
    /// TLS with a certificate from a trusted authority, for whatever host.
    ///
    /// Meant for a private authority in `sslrootcert`: those of the platform give anyone a certificate.
    VerifyCa,
    /// TLS with a certificate from a trusted authority for the host that was asked for.
    ///
    /// The host, a name or an IP address, has to be among the certificate's `subjectAltName`; its common name does not
    /// count. As with `VerifyCa`, certificates are of X.509 version 3.
    VerifyFull,
}

impl SslMode {
    /// The mode as libpq names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SslMode {
    type Err = Error;

    /// Reads libpq's name of a mode.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for any other text.
    fn from_str(text: &str) -> Result<Self> {
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| {
                let modes = "disable, allow, prefer, require, verify-ca or verify-full";
                Error::new(ErrorKind::Config, format!("invalid sslmode `{text}`, expected {modes}"))
            })
    }
}

impl Serialize for SslMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SslMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(|error: Error| de::Error::custom(error.message()))
    }
}
