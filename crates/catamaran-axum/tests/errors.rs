//! What an error tells whom: generic words to the client, the error to the log, values to nobody.
#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, unreachable_pub, reason = "tests")]

mod common;

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, body::to_bytes, response::IntoResponse, routing::get};
use catamaran::{Error, ErrorKind, Row, ServerError};
use catamaran_axum::{BlockingDb, BlockingService, HttpError, Result, blocking};
use common::{Gate, Held, send};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Keeps every event as a line of text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        write!(text, "{}", event.metadata().level()).unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The status, `Retry-After`, the body and what was logged.
fn answer(error: Error) -> (u16, Option<String>, String, String) {
    let log = Log::default();
    let response = tracing::subscriber::with_default(log.clone(), || HttpError::from(error).into_response());
    let retry = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = runtime.block_on(to_bytes(response.into_body(), usize::MAX)).unwrap();
    let log = log.0.lock().unwrap().clone();
    (status, retry, String::from_utf8(body.to_vec()).unwrap(), log)
}

fn revealing(sqlstate: &str, message: &str) -> Error {
    Error::from_server(ServerError {
        sqlstate: sqlstate.into(),
        severity: "ERROR".into(),
        message: message.into(),
        detail: Some("Key (email)=(ada@example.com) is there".into()),
        hint: Some("secret hint".into()),
        table: Some("secret_table".into()),
        constraint: Some("secret_constraint".into()),
        ..ServerError::default()
    })
}

#[test]
fn the_client_learns_a_status_and_nothing_else() {
    let retry = Some("1".to_owned());
    let again = r#"{"error":"temporarily unavailable, try again"}"#;
    let table = [
        (Error::new(ErrorKind::NoRows, "secret"), 404, None, r#"{"error":"not found"}"#),
        (revealing("23505", "secret"), 409, None, r#"{"error":"already exists"}"#),
        (
            revealing("23503", "secret"),
            409,
            None,
            r#"{"error":"still in use, or refers to something that is not there"}"#,
        ),
        (revealing("23514", "secret"), 400, None, r#"{"error":"a value was not accepted"}"#),
        (revealing("22P02", "secret"), 400, None, r#"{"error":"a value was not accepted"}"#),
        (revealing("40001", "secret"), 503, retry.clone(), again),
        (revealing("42P01", "secret"), 500, None, r#"{"error":"internal error"}"#),
        (Error::new(ErrorKind::PoolTimeout, "secret"), 503, retry.clone(), again),
        (Error::new(ErrorKind::Connect, "secret"), 503, retry, again),
        (Error::new(ErrorKind::CommitUnknown, "secret"), 500, None, r#"{"error":"internal error"}"#),
    ];
    for (error, status, retry, body) in table {
        let shown = error.to_string();
        let answer = answer(error);
        assert_eq!((answer.0, answer.1, &*answer.2), (status, retry, body), "{shown}");
    }
}

#[test]
fn the_log_has_the_error_without_values() {
    let (_, _, _, log) = answer(revealing("42P01", "relation \"x\" does not exist"));
    let line =
        "ERROR message=relation \"x\" does not exist (SQLSTATE 42P01) status=500 kind=Server sqlstate=\"42P01\"\n";
    assert_eq!(log, line);
    let (_, _, _, log) = answer(revealing("22P02", "invalid input syntax for type integer: \"hunter2\""));
    assert!(log.starts_with("DEBUG") && log.contains("22P02") && !log.contains("hunter2"), "{log}");
    for sqlstate in ["23505", "23503", "23514", "40001", "XX000"] {
        let (_, _, _, log) = answer(revealing(sqlstate, "words of the server"));
        assert!(log.contains("words of the server") && !log.contains("ada@") && !log.contains("secret"), "{log}");
    }
}

#[test]
fn a_message_of_ones_own_is_not_logged_as_an_error() {
    let log = Log::default();
    let error = HttpError::new(axum::http::StatusCode::BAD_REQUEST, "limit must be from 1 to 500");
    assert_eq!(error.to_string(), "400: limit must be from 1 to 500");
    tracing::subscriber::with_default(log.clone(), || error.into_response());
    assert_eq!(*log.0.lock().unwrap(), "");
}

#[tokio::test]
async fn both_shapes_answer_alike() {
    fn plain(BlockingDb(db): BlockingDb) -> Result<Json<Row>> {
        Ok(Json(db.fetch_one("broken", &[])?))
    }
    async fn closure(db: BlockingDb) -> Result<Json<Row>> {
        Ok(Json(db.run(|db| db.fetch_one("broken", &[])).await?))
    }
    let app = Router::new()
        .route("/plain", get(blocking(plain)))
        .route("/closure", get(closure))
        .with_state(BlockingService::new(Arc::new(Held(Gate::opened(1)))));
    let plain = send(&app, "GET", "/plain", "").await;
    assert_eq!((plain.0.as_u16(), &*plain.2), (500, r#"{"error":"internal error"}"#));
    assert_eq!(send(&app, "GET", "/closure", "").await, plain);
}
