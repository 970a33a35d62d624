//! Plain functions as routes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, unreachable_pub, reason = "tests")]

mod common;

use std::{sync::Arc, thread::ThreadId};

use axum::{
    Json, Router,
    extract::{FromRef, Path, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri, Version},
    response::IntoResponse,
    routing::{get, post},
};
use catamaran::{Row, prelude::*};
use catamaran_axum::{BlockingDb, BlockingService, HttpError, Result, blocking};
use common::{Gate, Held, send};

#[derive(Clone)]
struct AppState {
    db: BlockingService,
    runtime_thread: ThreadId,
}

impl FromRef<AppState> for BlockingService {
    fn from_ref(state: &AppState) -> Self {
        state.db.clone()
    }
}

fn app() -> Router {
    Router::new()
        .route("/nothing", get(blocking(|| "nothing")))
        .route("/thread", get(blocking(thread)))
        .route("/one", get(blocking(one)))
        .route("/path/{id}", get(blocking(path)))
        .route("/body/{id}", post(blocking(body)))
        .route("/many/{a}", post(blocking(many)))
        .route("/panic", get(blocking(panics)))
        .route("/missing", get(blocking(missing)))
        .route("/teapot", get(blocking(teapot)))
        .with_state(AppState {
            db: BlockingService::new(Arc::new(Held(Gate::opened(1)))),
            runtime_thread: std::thread::current().id(),
        })
}

fn thread(State(state): State<AppState>) -> impl IntoResponse {
    Json(std::thread::current().id() == state.runtime_thread)
}

fn helper(db: &dyn Executor) -> catamaran::Result<Row> {
    db.fetch_one("helper", &[])
}

fn one(BlockingDb(db): BlockingDb) -> Result<Json<Row>> {
    Ok(Json(helper(&db)?))
}

fn path(db: BlockingDb, Path(id): Path<i64>) -> Result<Json<(Row, i64)>> {
    Ok(Json((db.fetch_one("path", &[])?, id)))
}

fn body(BlockingDb(_): BlockingDb, Path(id): Path<i64>, Json(names): Json<Vec<String>>) -> Json<(i64, usize)> {
    Json((id, names.len()))
}

#[allow(clippy::too_many_arguments, reason = "that is the test")]
fn many(
    BlockingDb(_): BlockingDb,
    State(_): State<AppState>,
    Path(a): Path<String>,
    Query(b): Query<Vec<(String, String)>>,
    method: Method,
    _: Uri,
    _: Version,
    _: HeaderMap,
    _: HeaderMap,
    _: HeaderMap,
    _: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    (StatusCode::CREATED, format!("{method} {a} {} {body}", b.len()))
}

fn panics(BlockingDb(_): BlockingDb) -> Result<()> {
    panic!("secret words of a panic")
}

fn missing(BlockingDb(db): BlockingDb) -> Result<Json<Row>> {
    Ok(Json(db.fetch_one("empty", &[])?))
}

fn teapot() -> Result<()> {
    Err(HttpError::new(StatusCode::IM_A_TEAPOT, "short and stout"))
}

#[tokio::test]
async fn extractors_and_responses_are_those_of_axum() {
    let app = app();
    let table = [
        ("GET", "/nothing", "", 200, "nothing"),
        ("GET", "/thread", "", 200, "false"),
        ("GET", "/one", "", 200, r#"{"sql":"helper"}"#),
        ("GET", "/path/7", "", 200, r#"[{"sql":"path"},7]"#),
        ("POST", "/body/7", r#"["a","b"]"#, 200, "[7,2]"),
        ("POST", "/many/x?y=1&z=2", "text", 201, "POST x 2 text"),
        ("GET", "/missing", "", 404, r#"{"error":"not found"}"#),
        ("GET", "/teapot", "", 418, r#"{"error":"short and stout"}"#),
    ];
    for (method, path, body, status, expected) in table {
        let (got, _, text) = send(&app, method, path, body).await;
        assert_eq!((got.as_u16(), &*text), (status, expected), "{method} {path}");
    }
}

#[tokio::test]
async fn a_rejection_is_answered_without_a_thread() {
    let app = app();
    assert_eq!(send(&app, "GET", "/path/x", "").await.0, 400);
    assert_eq!(send(&app, "POST", "/body/x", "[]").await.0, 400);
    assert_eq!(send(&app, "POST", "/body/7", "[").await.0, 400);
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_lives_on() {
    let app = app();
    for _ in 0..3 {
        let (status, _, body) = send(&app, "GET", "/panic", "").await;
        assert_eq!((status.as_u16(), &*body), (500, r#"{"error":"internal error"}"#));
    }
    assert_eq!(send(&app, "GET", "/one", "").await.0, 200);
}

#[test]
fn futures_and_services_are_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<BlockingService>();
    check::<BlockingDb>();
    check::<catamaran_axum::Db>();
    check::<HttpError>();
    check::<catamaran_axum::Blocking<fn()>>();
    fn send<T: Send>(_: T) {}
    send(BlockingService::new(Arc::new(Held(Gate::opened(1)))).run(|db| db.execute("x", &[])));
}
