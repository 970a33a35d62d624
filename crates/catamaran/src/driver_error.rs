//! From the driver's error to ours. Both backends speak through tokio-postgres, so one translation serves both.

use std::error::Error as _;

use tokio_postgres::error::{DbError, ErrorPosition, Severity};

use crate::{Error, ErrorKind, error::ServerError, param::Panicked};

/// What an error means while a connection is being made.
pub(crate) fn connecting(error: tokio_postgres::Error) -> Error {
    if let Some(report) = error.as_db_error() {
        let kind = match report.code().code() {
            "28P01" | "28000" => ErrorKind::Authentication,
            "3D000" => ErrorKind::UnknownDatabase,
            _ => ErrorKind::Connect,
        };
        return Error::from_server_as(kind, server_error(report));
    }
    let said = error.to_string();
    let cause = cause(&error);
    if said.starts_with("error performing TLS handshake") {
        return Error::with_source(ErrorKind::Tls, format!("TLS could not be established: {cause}"), error);
    }
    if said.starts_with("authentication error") || cause == "password missing" {
        return Error::with_source(
            ErrorKind::Authentication,
            format!("the server can't be logged in to: {cause}"),
            error,
        );
    }
    if said.starts_with("invalid configuration") || said.starts_with("invalid connection string") {
        return Error::with_source(ErrorKind::Config, format!("invalid configuration: {cause}"), error);
    }
    Error::with_source(ErrorKind::Connect, format!("the server can't be reached: {cause}"), error)
}

/// What an error means on a connection that has been made.
pub(crate) fn using(error: tokio_postgres::Error) -> Error {
    if let Some(report) = error.as_db_error() {
        let kind = if ends_connection(report) { ErrorKind::ConnectionLost } else { ErrorKind::Server };
        return Error::from_server_as(kind, server_error(report));
    }
    if let Some(panicked) = error.source().and_then(|source| source.downcast_ref::<Panicked>()) {
        panicked.go_on();
    }
    let said = error.to_string();
    let cause = cause(&error);
    if let Some(index) = said.strip_prefix("error serializing parameter ").and_then(parameter_index) {
        let number = index + 1;
        let message = format!("parameter ${number}: {cause}{}", instead(&cause, number));
        return Error::new(ErrorKind::Encode, message);
    }
    if said.starts_with("error encoding message") {
        return Error::new(ErrorKind::Encode, format!("the statement can't be sent: {cause}"));
    }
    Error::with_source(ErrorKind::ConnectionLost, format!("the connection was lost: {cause}"), error)
}

/// Whether the server has closed the connection with this. Its code does not say: a statement may fail with that of a lost
/// connection, its own or one that a foreign table or `RAISE` reports.
fn ends_connection(report: &DbError) -> bool {
    match report.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // Servers before 9.6 say it in their own language only.
        None => matches!(report.severity(), "FATAL" | "PANIC"),
    }
}

/// "0: cause" or "0" → 0.
fn parameter_index(text: &str) -> Option<usize> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What to do about a parameter of a Rust type that is not sent as what the statement asks for. The words are all that a
/// bridge hands on of the cause.
fn instead(cause: &str, number: usize) -> String {
    if cause.starts_with("cannot convert between the Rust type") {
        format!("; name a type that it is sent as in the statement, as in `${number}::text::mood`")
    } else {
        String::new()
    }
}

/// What the driver gives as the reason, without its own preamble.
fn cause(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn server_error(report: &DbError) -> ServerError {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    ServerError {
        sqlstate: report.code().code().to_owned(),
        severity: report.severity().to_owned(),
        message: report.message().to_owned(),
        detail: owned(report.detail()),
        hint: owned(report.hint()),
        position: match report.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            _ => None,
        },
        context: owned(report.where_()),
        schema: owned(report.schema()),
        table: owned(report.table()),
        column: owned(report.column()),
        constraint: owned(report.constraint()),
        routine: owned(report.routine()),
    }
}
