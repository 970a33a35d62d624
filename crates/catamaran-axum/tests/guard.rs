//! Handlers that block the runtime are named. One test, since whether anything is guarded is the process's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, unreachable_pub, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, Router, body::Body, extract::Path, routing};
use catamaran::{
    Row, guard,
    mock::{MockDatabaseService, MockSession},
    row,
};
use catamaran_axum::{BlockingDb, BlockingService, GuardLayer, Result, blocking};
use common::get;
use futures_util::{StreamExt as _, stream};

type Rows = Result<Json<Vec<Row>>>;

const WRONG_LINE: u32 = line!() + 3;
/// The mistake: it works, and the guard names the line.
async fn wrong(db: BlockingDb, Path(id): Path<i64>) -> Rows {
    Ok(Json(db.fetch_all("SELECT x FROM t WHERE id = $1", &[&id])?))
}

fn plain(BlockingDb(db): BlockingDb, Path(id): Path<i64>) -> Rows {
    Ok(Json(db.fetch_all("SELECT x FROM t WHERE id = $1", &[&id])?))
}

async fn closure(db: BlockingDb, Path(id): Path<i64>) -> Rows {
    Ok(Json(db.run(move |db| db.fetch_all("SELECT x FROM t WHERE id = $1", &[&id])).await?))
}

async fn spawned(BlockingDb(db): BlockingDb, Path(id): Path<i64>) -> Rows {
    let rows = guard::spawn(async move { db.fetch_all("SELECT x FROM t WHERE id = $1", &[&id]) });
    Ok(Json(rows.await.unwrap()?))
}

async fn streamed(BlockingDb(db): BlockingDb, Path(id): Path<i64>) -> Body {
    let rows = move |_| db.fetch_all("SELECT x FROM t WHERE id = $1", &[&id]).map(|rows| format!("{}", rows.len()));
    Body::from_stream(stream::iter([1, 2]).map(rows))
}

fn app() -> Router {
    let mut mock = MockDatabaseService::new();
    mock.expect_fetch_all().returning(|_, _| Ok(vec![row! { "x" => 1i32 }]));
    mock.expect_session().returning(|| {
        let mut session = MockSession::new();
        session.expect_fetch_all().returning(|_, _| Ok(vec![row! { "x" => 1i32 }]));
        Ok(session)
    });
    Router::new()
        .route("/wrong/{id}", routing::get(wrong))
        .route("/plain/{id}", routing::get(blocking(plain)))
        .route("/closure/{id}", routing::get(closure))
        .route("/spawned/{id}", routing::get(spawned))
        .route("/streamed/{id}", routing::get(streamed))
        .with_state(BlockingService::new(Arc::new(mock)))
}

#[tokio::test]
async fn each_route_that_blocks_is_named_once() {
    assert!(guard::self_test().await.is_err(), "nothing is guarded yet");
    let app = app().layer(GuardLayer::new());
    guard::self_test().await.unwrap();
    for id in 0..3 {
        for path in ["wrong", "plain", "closure", "spawned", "streamed", "nowhere"] {
            let status = get(&app, &format!("/{path}/{id}")).await.0;
            assert_eq!(status.as_u16(), if path == "nowhere" { 404 } else { 200 }, "{path}");
        }
    }
    let calls = guard::report().calls;
    let found: BTreeMap<_, _> = calls.iter().map(|call| (call.route.as_deref().unwrap(), call)).collect();
    assert_eq!((calls.len(), found.len()), (3, 3), "{calls:#?}");
    let wrong = found["GET /wrong/{id}"];
    assert_eq!((wrong.site.line, wrong.times, wrong.operation), (WRONG_LINE, 3, "fetch_all"));
    assert!(wrong.site.file.ends_with("tests/guard.rs"));
    assert_eq!(found["GET /streamed/{id}"].times, 6, "so does the body of a response");
    assert_eq!(found["GET /spawned/{id}"].times, 3, "a task that is spawned belongs to the route");
}
