//! What an error means to whoever sent the request. A pure decision.

use axum::http::StatusCode;
use catamaran::{Error, ErrorKind};

/// A status, words that say no more than it does, and whether the same request may succeed in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) status: StatusCode,
    pub(crate) message: &'static str,
    pub(crate) retry: bool,
}

const fn final_(status: StatusCode, message: &'static str) -> Meaning {
    Meaning { status, message, retry: false }
}

const UNAVAILABLE: Meaning =
    Meaning { status: StatusCode::SERVICE_UNAVAILABLE, message: "temporarily unavailable, try again", retry: true };
/// Run again, the request might take effect twice.
const LOST: Meaning = final_(StatusCode::SERVICE_UNAVAILABLE, "temporarily unavailable");
const INTERNAL: Meaning = final_(StatusCode::INTERNAL_SERVER_ERROR, crate::HttpError::INTERNAL);
const NOT_FOUND: Meaning = final_(StatusCode::NOT_FOUND, "not found");
const EXISTS: Meaning = final_(StatusCode::CONFLICT, "already exists");
const REFERENCED: Meaning = final_(StatusCode::CONFLICT, "still in use, or refers to something that is not there");
const REFUSED: Meaning = final_(StatusCode::BAD_REQUEST, "a value was not accepted");

pub(crate) fn meaning(error: &Error) -> Meaning {
    match error.kind() {
        ErrorKind::NoRows => NOT_FOUND,
        ErrorKind::PoolTimeout | ErrorKind::NestedCheckout | ErrorKind::PoolClosed | ErrorKind::Connect => UNAVAILABLE,
        ErrorKind::ConnectionLost => LOST,
        ErrorKind::Server => error.sqlstate().map_or(INTERNAL, of_sqlstate),
        // Among them `CommitUnknown`: run again, the request might take effect twice.
        _ => INTERNAL,
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_sqlstate(sqlstate: &str) -> Meaning {
    match sqlstate {
        "40001" | "40P01" => UNAVAILABLE,
        // Unique and exclusion constraints; foreign keys and their RESTRICT.
        "23505" | "23P01" => EXISTS,
        "23503" | "23001" => REFERENCED,
        "23502" | "23514" => REFUSED,
        _ if sqlstate.starts_with("22") => REFUSED,
        // Too many connections, disk full, out of memory.
        _ if sqlstate.starts_with("53") => UNAVAILABLE,
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_meaning() {
        use ErrorKind::*;
        let table = [
            (NoRows, NOT_FOUND),
            (PoolTimeout, UNAVAILABLE),
            (NestedCheckout, UNAVAILABLE),
            (PoolClosed, UNAVAILABLE),
            (Connect, UNAVAILABLE),
            (ConnectionLost, LOST),
            (CommitUnknown, INTERNAL),
            (TooManyRows, INTERNAL),
            (Config, INTERNAL),
            (Authentication, INTERNAL),
            (UnknownDatabase, INTERNAL),
            (Tls, INTERNAL),
            (TransactionAborted, INTERNAL),
            (ParameterCount, INTERNAL),
            (Encode, INTERNAL),
            (Decode, INTERNAL),
            (UnknownColumn, INTERNAL),
            (Busy, INTERNAL),
            (Timeout, INTERNAL),
            (OnRuntime, INTERNAL),
        ];
        for (kind, expected) in table {
            assert_eq!(meaning(&Error::new(kind, "x")), expected, "{kind:?}");
        }
    }

    #[test]
    fn every_class_of_sqlstate_has_its_meaning() {
        let table = [
            ("23505", 409, false),
            ("23P01", 409, false),
            ("23503", 409, false),
            ("23001", 409, false),
            ("23502", 400, false),
            ("23514", 400, false),
            ("22P02", 400, false),
            ("22001", 400, false),
            ("22003", 400, false),
            ("40001", 503, true),
            ("40P01", 503, true),
            ("53300", 503, true),
            ("42P01", 500, false),
            ("42601", 500, false),
            ("57014", 500, false),
            ("XX000", 500, false),
        ];
        for (sqlstate, status, retry) in table {
            let meaning = meaning(&Error::server(sqlstate, "x"));
            assert_eq!((meaning.status.as_u16(), meaning.retry), (status, retry), "{sqlstate}");
        }
    }
}
