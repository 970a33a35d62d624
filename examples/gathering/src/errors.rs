//! Errors of this application.

use axum::{
    body::to_bytes,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderValue},
    },
    response::{IntoResponse, Response},
};
use catamaran::Error;
use catamaran_axum::HttpError;

/// The longest text that axum says no with.
const LONGEST: usize = 64 * 1024;

/// What has to be changed in the request.
pub(crate) fn bad_request(message: impl Into<String>) -> HttpError {
    HttpError::new(StatusCode::BAD_REQUEST, message.into())
}

/// There is no such thing.
pub(crate) fn not_found(message: impl Into<String>) -> HttpError {
    HttpError::new(StatusCode::NOT_FOUND, message.into())
}

/// Turns a violation of a unique constraint into a 400 that says what there is already.
pub(crate) fn taken(message: &'static str) -> impl Fn(Error) -> HttpError {
    move |error| if error.is_unique_violation() { bad_request(message) } else { error.into() }
}

/// What a path names and is not there is a 404; what a body names, a 400.
pub(crate) fn in_body(error: HttpError) -> HttpError {
    match error.status() {
        StatusCode::NOT_FOUND => bad_request(error.message()),
        _ => error,
    }
}

/// Makes JSON of the plain text in which axum says no.
pub(crate) async fn as_json(response: Response) -> Response {
    let json = response.headers().get(CONTENT_TYPE) == Some(&HeaderValue::from_static("application/json"));
    let status = match response.status() {
        status if json || !(status.is_client_error() || status.is_server_error()) => return response,
        // To axum, JSON that can't be parsed and JSON that can't be used are two things.
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, LONGEST).await.unwrap_or_default();
    let message = match String::from_utf8_lossy(&text).into_owned() {
        text if text.is_empty() => status.canonical_reason().unwrap_or("error").to_lowercase(),
        text => text,
    };
    let made = HttpError::new(status, message).into_response();
    let (made_parts, body) = made.into_parts();
    parts.status = status;
    // What axum says beside its text stays, such as `Allow`.
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.extend(made_parts.headers);
    Response::from_parts(parts, body)
}
