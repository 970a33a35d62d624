//! One opaque error for both backends, both mocks and hand-built rows.

#[cfg(any(feature = "driver", feature = "mock"))]
use std::time::Duration;
use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

#[cfg(feature = "driver")]
use crate::PoolStatus;
use crate::Shortage;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
use crate::call::Call;

#[cfg(feature = "driver")]
mod transaction;

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarse enough to branch on; the SQLSTATE says the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting or a connection string makes no sense.
    Config,
    /// The server could not be reached, or did not answer the handshake in time, or a connection pooler stands between.
    Connect,
    /// The server refused the user or the password.
    Authentication,
    /// The database does not exist.
    UnknownDatabase,
    /// TLS was asked for and could not be had, or a certificate did not verify.
    Tls,
    /// No connection became free within the checkout timeout.
    PoolTimeout,
    /// The service was closed.
    PoolClosed,
    /// The connection broke while it was in use.
    ConnectionLost,
    /// The connection broke during `COMMIT`: the transaction may or may not have been committed.
    CommitUnknown,
    /// The server reported an error; see [`Error::sqlstate`].
    Server,
    /// `COMMIT` was asked of a transaction that had failed; it was rolled back.
    TransactionAborted,
    /// `COMMIT` was asked of a transaction that a statement of its own had ended before; that one decided what was kept.
    TransactionEnded,
    /// The statement is not of the kind that the method runs: COPY where rows are asked for, or the other way round. Or
    /// `begin` within a transaction that was begun by hand.
    WrongStatement,
    /// The number of parameters differs from what the statement has.
    ParameterCount,
    /// A parameter can't be sent as the type that the statement asks for.
    Encode,
    /// A column can't be read as the type that was asked for.
    Decode,
    /// The row has no such column.
    UnknownColumn,
    /// One row was asked for, and there was none.
    NoRows,
    /// One row was asked for, and there were more.
    TooManyRows,
    /// The connection is taken by an open row or COPY iterator of the same session, or by many statements on their way.
    Busy,
    /// A deadline passed.
    Timeout,
    /// A blocking call was made on a thread that drives futures, and the guard refused it.
    OnRuntime,
    /// A connection was asked for by a caller who keeps one already, where all are kept: it would wait for itself.
    NestedCheckout,
}

/// The one error of this crate.
///
/// `Display` says what the server said. Neither it nor `Debug` shows a parameter's value or a password: what the
/// server adds in [`detail`](Error::detail), which may quote values, is shown only to those who ask for it.
#[derive(Clone)]
pub struct Error(Arc<Inner>, Option<Place>);

/// Which of many an error is of, from 0.
#[derive(Debug, Clone, Copy)]
enum Place {
    Set(usize),
    Statement(usize),
}

struct Inner {
    kind: ErrorKind,
    message: String,
    server: Option<Box<ServerError>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    shortage: Option<Box<Shortage>>,
}

/// The fields of a server's error report.
///
/// <https://www.postgresql.org/docs/current/protocol-error-fields.html>
#[derive(Clone, Default)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub struct ServerError {
    pub sqlstate: String,
    pub severity: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub position: Option<u32>,
    /// Where in functions it happened (`W`), and nothing if it was in none.
    pub context: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
    pub routine: Option<String>,
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerError")
            .field("sqlstate", &self.sqlstate)
            .field("message", &without_quoted_value(&self.sqlstate, &self.message))
            .finish_non_exhaustive()
    }
}

impl Error {
    /// An error of a kind with a message, for mocks and implementations of the traits.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), server: None, source: None, shortage: None }), None)
    }

    /// The same with the error that caused it.
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self(Arc::new(Inner { kind, message: message.into(), server: None, source, shortage: None }), None)
    }

    /// What a server would report with this SQLSTATE, for mocks.
    ///
    /// ```
    /// let error = catamaran::Error::server("23505", "duplicate key value violates unique constraint \"providers_name_key\"");
    /// assert!(error.is_unique_violation());
    /// ```
    pub fn server(sqlstate: impl Into<String>, message: impl Into<String>) -> Self {
        Self::from_server(ServerError {
            sqlstate: sqlstate.into(),
            severity: "ERROR".into(),
            message: message.into(),
            ..ServerError::default()
        })
    }

    /// A server's report with all its fields.
    pub fn from_server(server: ServerError) -> Self {
        Self::from_server_as(ErrorKind::Server, server)
    }

    pub(crate) fn from_server_as(kind: ErrorKind, server: ServerError) -> Self {
        let message = server.message.clone();
        Self(Arc::new(Inner { kind, message, server: Some(Box::new(server)), source: None, shortage: None }), None)
    }

    /// The same error, of one of the parameter sets of [`execute_many`](crate::Executor::execute_many).
    #[must_use]
    pub fn in_set(self, index: usize) -> Self {
        Self(self.0, Some(Place::Set(index)))
    }

    /// The same error, of one of the statements of a [`Batch`](crate::Batch).
    #[must_use]
    pub fn in_statement(self, index: usize) -> Self {
        Self(self.0, Some(Place::Statement(index)))
    }

    /// The same error, of a set that stands this many places further on.
    pub(crate) fn shifted(self, by: usize) -> Self {
        match self.1 {
            Some(Place::Set(index)) => self.in_set(index + by),
            _ => self,
        }
    }

    /// Which of many parameter sets, or of a batch's statements, it was, from 0; `None` if it was none of them.
    ///
    /// ```
    /// use catamaran::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::ParameterCount, "the statement has 2 parameters, and 1 were given").in_set(7);
    /// assert_eq!(error.index(), Some(7));
    /// assert!(error.to_string().starts_with("set at index 7: "));
    /// ```
    pub fn index(&self) -> Option<usize> {
        self.1.map(|place| match place {
            Place::Set(index) | Place::Statement(index) => index,
        })
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The five characters of the SQLSTATE, if the server reported the error.
    ///
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.server.as_ref().map(|server| server.sqlstate.as_str())
    }

    /// The message alone, as the server worded it. It may quote a value; `Display` does not.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// All fields of the server's report.
    pub fn server_error(&self) -> Option<&ServerError> {
        self.0.server.as_deref()
    }

    /// The server's detail, which may quote values.
    pub fn detail(&self) -> Option<&str> {
        self.0.server.as_ref()?.detail.as_deref()
    }

    /// The server's hint.
    pub fn hint(&self) -> Option<&str> {
        self.0.server.as_ref()?.hint.as_deref()
    }

    /// The constraint that was violated.
    pub fn constraint(&self) -> Option<&str> {
        self.0.server.as_ref()?.constraint.as_deref()
    }

    /// The table that the error is about.
    pub fn table(&self) -> Option<&str> {
        self.0.server.as_ref()?.table.as_deref()
    }

    /// The column that the error is about.
    pub fn column(&self) -> Option<&str> {
        self.0.server.as_ref()?.column.as_deref()
    }

    /// Where in the statement the error was found: characters, from 1.
    pub fn position(&self) -> Option<u32> {
        self.0.server.as_ref()?.position
    }

    /// Why the pool had no connection and who held them, of a `PoolTimeout` or a `NestedCheckout`.
    ///
    /// ```no_run
    /// # fn example(error: catamaran::Error) {
    /// for holder in error.shortage().iter().flat_map(|shortage| &shortage.holders) {
    ///     println!("{holder}"); // async begin at src/chat.rs:41:24 of POST /chat for 12.3 s, last statement: …
    /// }
    /// # }
    /// ```
    pub fn shortage(&self) -> Option<&Shortage> {
        self.0.shortage.as_deref()
    }

    /// SQLSTATE 23505.
    pub fn is_unique_violation(&self) -> bool {
        self.sqlstate() == Some("23505")
    }

    /// SQLSTATE 23503.
    pub fn is_foreign_key_violation(&self) -> bool {
        self.sqlstate() == Some("23503")
    }

    /// SQLSTATE 23514.
    pub fn is_check_violation(&self) -> bool {
        self.sqlstate() == Some("23514")
    }

    /// SQLSTATE 23502.
    pub fn is_not_null_violation(&self) -> bool {
        self.sqlstate() == Some("23502")
    }

    /// SQLSTATE 57014: cancelled, by a caller or by `statement_timeout`.
    pub fn is_query_canceled(&self) -> bool {
        self.sqlstate() == Some("57014")
    }

    /// SQLSTATE 40001 or 40P01: the transaction as a whole may succeed when it is run again.
    pub fn is_retryable(&self) -> bool {
        matches!(self.sqlstate(), Some("40001" | "40P01"))
    }

    /// No connection could be had, or it was lost.
    pub fn is_connection_error(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Connect
                | ErrorKind::Authentication
                | ErrorKind::UnknownDatabase
                | ErrorKind::Tls
                | ErrorKind::ConnectionLost
                | ErrorKind::CommitUnknown
        )
    }

    #[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
    pub(crate) fn busy() -> Self {
        Self::new(ErrorKind::Busy, "a row or COPY stream is open on this connection; take its items or drop it first")
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn on_runtime(call: &str) -> Self {
        let advice = "move the handler to the async service, or the call to a blocking thread";
        Self::new(ErrorKind::OnRuntime, format!("{call}; {advice}"))
    }

    #[cfg(feature = "driver")]
    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::PoolClosed, "the service was closed")
    }

    #[cfg(feature = "driver")]
    pub(crate) fn connect_timeout(limit: Duration) -> Self {
        Self::new(ErrorKind::Connect, format!("the server did not answer within connect_timeout ({limit:?})"))
    }

    #[cfg(feature = "driver")]
    pub(crate) fn checkout_timeout(
        limit: Duration,
        status: PoolStatus,
        shortage: Shortage,
        failing: Option<Self>,
    ) -> Self {
        let PoolStatus { max_size, in_use, waiting, .. } = status;
        let message = format!(
            "no connection became free within checkout_timeout ({limit:?}): \
             {in_use} of {max_size} in use, {waiting} callers waiting; {shortage}"
        );
        let source = failing.map(|error| Box::new(error) as _);
        let shortage = Some(Box::new(shortage));
        Self(Arc::new(Inner { kind: ErrorKind::PoolTimeout, message, server: None, source, shortage }), None)
    }

    #[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
    pub(crate) fn admission_timeout(limit: Duration, size: usize, shortage: Shortage) -> Self {
        let message =
            format!("no blocking call ended within {limit:?}: all {size} that may run are running; {shortage}");
        let shortage = Some(Box::new(shortage));
        Self(Arc::new(Inner { kind: ErrorKind::PoolTimeout, message, server: None, source: None, shortage }), None)
    }

    #[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
    pub(crate) fn nested_checkout(service: &str, call: Call, shortage: Shortage) -> Self {
        let (operation, site) = (call.operation, call.site());
        let message =
            format!("no connection for {service} {operation} at {site}, which would wait for itself: {shortage}");
        let shortage = Some(Box::new(shortage));
        Self(Arc::new(Inner { kind: ErrorKind::NestedCheckout, message, server: None, source: None, shortage }), None)
    }

    #[cfg(feature = "driver")]
    pub(crate) fn close_timeout(deadline: Duration, in_use: usize) -> Self {
        Self::new(ErrorKind::Timeout, format!("{in_use} connections were still in use after {deadline:?}"))
    }

    /// The connection can't be used again.
    #[cfg(feature = "driver")]
    pub(crate) fn is_loss(&self) -> bool {
        matches!(self.kind(), ErrorKind::ConnectionLost | ErrorKind::CommitUnknown)
    }

    /// The server does not know a statement any more that was prepared.
    #[cfg(feature = "driver")]
    pub(crate) fn is_forgotten_statement(&self) -> bool {
        let report = self.server_error().map(|report| (report.sqlstate.as_str(), report.routine.as_deref()));
        report == Some(("26000", Some("FetchPreparedStatement")))
    }

    /// What a call gets on a connection that was given up.
    #[cfg(feature = "driver")]
    pub(crate) fn lost() -> Self {
        Self::new(ErrorKind::ConnectionLost, "the connection was lost before")
    }

    /// What a connection is given up with of which nobody knows what its next answer belongs to.
    #[cfg(feature = "driver")]
    pub(crate) fn out_of_step() -> Self {
        let reason = "the server refused a COPY while its data was on the way, and the driver can't go on behind that";
        Self::new(ErrorKind::ConnectionLost, format!("the connection was given up: {reason}"))
    }
}

/// A server quotes the value it could not read at the end of some messages of class 22 (data exception).
fn without_quoted_value<'a>(sqlstate: &str, message: &'a str) -> Cow<'a, str> {
    match message.find(['"', '\'']) {
        Some(quote) if sqlstate.starts_with("22") => Cow::Owned(format!("{}\"…\"", &message[..quote])),
        _ => Cow::Borrowed(message),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(Place::Set(index)) => write!(f, "set at index {index}: ")?,
            Some(Place::Statement(index)) => write!(f, "statement at index {index}: ")?,
            None => {}
        }
        match &self.0.server {
            Some(server) => {
                write!(f, "{} (SQLSTATE {})", without_quoted_value(&server.sqlstate, &self.0.message), server.sqlstate)
            }
            None => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.0.kind).field("message", &self.to_string()).finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_what_the_server_said_without_the_value() {
        let error = Error::server("22P02", "invalid input syntax for type integer: \"hunter2\"");
        assert_eq!(error.to_string(), "invalid input syntax for type integer: \"…\" (SQLSTATE 22P02)");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(error.message().contains("hunter2"));
        let error = Error::server("42P01", "relation \"x\" does not exist");
        assert_eq!(error.to_string(), "relation \"x\" does not exist (SQLSTATE 42P01)");
    }
}
