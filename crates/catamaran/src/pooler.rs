//! Notices a connection pooler between a service and the server.
//!
//! A pooler that hands the server's connections from one client to the next mixes up what belongs to them: statements
//! that one process has prepared are run by another under the same name. So every connection brings a setting of its own
//! along in the packet that opens it, and asks for it once. Only a server that was sent this packet knows it.

use std::hash::{BuildHasher as _, RandomState};

use tokio_postgres::{Config, SimpleQueryMessage, error::SqlState};

use crate::{Error, ErrorKind, Result, driver_error::connecting};

/// Asks for the setting. `SHOW` looks nothing up in a catalog, of which a new connection knows nothing yet.
pub(crate) const QUESTION: &str = "SHOW catamaran.connection";

/// What a pooler answers that does not take the setting.
const NOT_TAKEN: &str = "unsupported startup parameter";

/// The setting of one connection.
pub(crate) struct Marker(String);

impl Marker {
    /// Has a connection that is to be opened bring one along. The user's own options come last, where they win.
    pub(crate) fn add_to(driver: &mut Config) -> Self {
        // The standard library seeds each of these anew.
        let marker = Self(format!("{:016x}", RandomState::new().hash_one(std::process::id())));
        let option = format!("-c catamaran.connection={}", marker.0);
        let options = match driver.get_options() {
            Some(others) => format!("{option} {others}"),
            None => option,
        };
        driver.options(options);
        marker
    }

    /// Whether the question was answered by the server that was sent the setting.
    pub(crate) fn check(&self, answer: Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>) -> Result<()> {
        match answer {
            Ok(messages) => self.compare(messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            })),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => self.compare(None),
            Err(error) => Err(connecting(error)),
        }
    }

    fn compare(&self, known: Option<&str>) -> Result<()> {
        if known == Some(&*self.0) { Ok(()) } else { Err(between("what answers was not opened by this connection")) }
    }
}

/// The error of opening a connection. A pooler may refuse the setting itself.
pub(crate) fn opening(error: tokio_postgres::Error) -> Error {
    let error = connecting(error);
    if error.sqlstate().is_some() && error.message().starts_with(NOT_TAKEN) { between(error.message()) } else { error }
}

fn between(why: &str) -> Error {
    let message = format!(
        "a connection pooler (PgBouncer or the like) stands between, which may run this process's statements on \
         connections of others; connect to the server itself: {why}"
    );
    Error::new(ErrorKind::Connect, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_has_a_setting_of_its_own_before_the_options_of_the_user() {
        let (mut one, mut other) = (Config::new(), Config::new());
        one.options("-c geqo=off");
        let (marker, another) = (Marker::add_to(&mut one), Marker::add_to(&mut other));
        assert_ne!(marker.0, another.0);
        assert_eq!(one.get_options(), Some(&*format!("-c catamaran.connection={} -c geqo=off", marker.0)));
        assert_eq!(other.get_options(), Some(&*format!("-c catamaran.connection={}", another.0)));
    }

    #[test]
    fn only_its_own_setting_will_do() {
        let marker = Marker("0123".into());
        assert!(marker.compare(Some("0123")).is_ok());
        for known in [None, Some(""), Some("4567")] {
            let error = marker.compare(known).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.to_string().starts_with("a connection pooler"), "{error}");
        }
    }
}
