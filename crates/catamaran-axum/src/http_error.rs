//! Errors as responses.

use std::{borrow::Cow, error::Error as StdError, fmt};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use crate::meaning::{Meaning, meaning};

/// A `Result` with [`HttpError`], for handlers.
pub type Result<T, E = HttpError> = std::result::Result<T, E>;

/// What a handler fails with: a status and a message for whoever sent the request.
///
/// Made from a [`catamaran::Error`] by `?`, it has the status that fits, and general words in place of the error's own:
///
/// | error | status |
/// |---|---|
/// | `NoRows` | 404 |
/// | unique, exclusion or foreign key violation | 409 |
/// | NOT NULL or CHECK violation, data exception (class 22) | 400 |
/// | serialisation failure, deadlock, insufficient resources (class 53) | 503 and `Retry-After` |
/// | `PoolTimeout`, `NestedCheckout`, `PoolClosed`, `Connect` | 503 and `Retry-After` |
/// | `ConnectionLost`, which may have taken effect | 503 |
/// | any other | 500 |
///
/// The body is `{"error": "…"}`. A 5xx is logged with the error itself through [`tracing`] at level `ERROR`, a 4xx at
/// `DEBUG`, when the response is made.
///
/// ```
/// use axum::http::StatusCode;
/// use catamaran_axum::HttpError;
///
/// fn limit(asked: i64) -> Result<i64, HttpError> {
///     match asked {
///         1..=500 => Ok(asked),
///         _ => Err(HttpError::new(StatusCode::BAD_REQUEST, "limit must be from 1 to 500")),
///     }
/// }
/// assert_eq!(limit(0).unwrap_err().status(), StatusCode::BAD_REQUEST);
/// ```
#[derive(Clone)]
pub struct HttpError {
    status: StatusCode,
    message: Cow<'static, str>,
    retry: bool,
    cause: Option<catamaran::Error>,
}

impl HttpError {
    pub(crate) const INTERNAL: &'static str = "internal error";
    const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

    /// A status and a message, which is sent as it is.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry: false, cause: None }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What whoever sent the request is told.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error of the database, which is logged and not sent.
    pub fn cause(&self) -> Option<&catamaran::Error> {
        self.cause.as_ref()
    }

    fn log(&self) {
        let status = self.status.as_u16();
        match &self.cause {
            Some(error) if self.status.is_server_error() => {
                tracing::error!(status, kind = ?error.kind(), sqlstate = error.sqlstate(), "{error}");
            }
            Some(error) => tracing::debug!(status, kind = ?error.kind(), sqlstate = error.sqlstate(), "{error}"),
            None if self.status.is_server_error() => tracing::error!(status, "{}", self.message),
            None => {}
        }
    }
}

impl From<catamaran::Error> for HttpError {
    fn from(error: catamaran::Error) -> Self {
        let Meaning { status, message, retry } = meaning(&error);
        Self { status, message: message.into(), retry, cause: Some(error) }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        self.log();
        let body = Json(serde_json::json!({ "error": self.message }));
        let mut response = (self.status, body).into_response();
        if self.retry {
            response.headers_mut().insert(RETRY_AFTER, Self::RETRY_AFTER_SECONDS);
        }
        response
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.message)
    }
}

impl fmt::Debug for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpError")
            .field("status", &self.status)
            .field("message", &self.message)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
