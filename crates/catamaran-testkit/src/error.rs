//! What can go wrong while preparing or driving a test server.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// A failure of the test kit, never of the code under test.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No PostgreSQL server installation was found.
    BinariesMissing {
        /// The major version asked for, if one was.
        major: Option<u32>,
        /// The places that were looked at, in order.
        searched: Vec<PathBuf>,
        /// The command that installs a server on this system.
        install: String,
    },
    /// No PgBouncer was found.
    PgBouncerMissing,
    /// The process runs as root, as which PostgreSQL refuses to run, and
    /// neither the account `postgres` nor `nobody` exists to run it instead.
    NoAccount,
    /// A setting cannot be used as given.
    Setting(String),
    /// A file, directory, process or socket could not be used.
    Io {
        /// What was being done.
        doing: String,
        /// The failure itself.
        source: io::Error,
    },
    /// A program of PostgreSQL ended unsuccessfully.
    Program {
        /// The program's name.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard output and error.
        output: String,
    },
    /// The server ended while it was being started.
    NotStarted {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// Another process took the port the server had before it was stopped.
    PortTaken(u16),
    /// The server did not get ready, or did not end, in time.
    TimedOut {
        /// What was waited for.
        waiting_for: &'static str,
        /// How long it was waited for.
        waited: Duration,
        /// The end of the server's log.
        log: String,
    },
    /// A statement of the test kit's own failed.
    Sql {
        /// What was being done.
        doing: String,
        /// The failure itself.
        source: postgres::Error,
    },
    /// The function that fills a template failed; the template was removed.
    Setup(Box<dyn StdError + Send + Sync>),
    /// A certificate could not be made.
    Certificate(rcgen::Error),
}

impl Error {
    /// Returns a function that wraps an I/O failure, for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// Returns a function that wraps an SQL failure, for `map_err`.
    pub(crate) fn sql(doing: impl Into<String>) -> impl FnOnce(postgres::Error) -> Self {
        move |source| Self::Sql { doing: doing.into(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BinariesMissing { major, searched, install } => {
                write!(f, "no PostgreSQL server")?;
                if let Some(major) = major {
                    write!(f, " of version {major}")?;
                }
                write!(f, " found; looked in")?;
                if searched.is_empty() {
                    write!(f, " no existing place")?;
                }
                for (i, place) in searched.iter().enumerate() {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, place.display())?;
                }
                write!(f, "; to install one: {install}")
            }
            Self::PgBouncerMissing => f.write_str("no program pgbouncer found; `cargo xtask test` installs it"),
            Self::NoAccount => f.write_str(
                "PostgreSQL refuses to run as root, and neither the account `postgres` nor \
                 `nobody` exists to run it",
            ),
            Self::Setting(what) => f.write_str(what),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Program { program, status, output } => {
                write!(f, "{program} failed ({status}): {}", output.trim_end())
            }
            Self::NotStarted { status, log } => {
                write!(f, "the server did not start ({status}): {}", log.trim_end())
            }
            Self::PortTaken(port) => write!(f, "port {port} was taken by another process"),
            Self::TimedOut { waiting_for, waited, log } => {
                write!(f, "waited {waited:?} for {waiting_for}; the server's log ends: {}", log.trim_end())
            }
            Self::Sql { doing, source } => match source.as_db_error() {
                // The driver's own text is only "db error".
                Some(error) => write!(f, "{doing}: {error}"),
                None => write!(f, "{doing}: {source}"),
            },
            Self::Setup(source) => write!(f, "filling the template failed: {source}"),
            Self::Certificate(source) => write!(f, "making a certificate failed: {source}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Sql { source, .. } => Some(source),
            Self::Setup(source) => Some(source.as_ref()),
            Self::Certificate(source) => Some(source),
            _ => None,
        }
    }
}

impl From<rcgen::Error> for Error {
    fn from(source: rcgen::Error) -> Self {
        Self::Certificate(source)
    }
}
