//! Never more blocking threads than connections, whatever becomes of the requests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, unreachable_pub, reason = "tests")]

mod common;

use std::{sync::Arc, time::Duration};

use axum::{Json, Router, routing};
use catamaran::{Row, prelude::*};
use catamaran_axum::{BlockingDb, BlockingService, Result, blocking};
use common::{Gate, Held, get, send};
use tokio::{task::JoinSet, time::timeout};

fn plain(BlockingDb(db): BlockingDb) -> Result<Json<Vec<Row>>> {
    Ok(Json(db.fetch_all("plain", &[])?))
}

fn helper(db: &dyn Executor) -> catamaran::Result<Vec<Row>> {
    db.fetch_all("helper", &[])
}

async fn closure(db: BlockingDb) -> Result<Json<Vec<Row>>> {
    let rows = db
        .run(move |db| {
            let mut rows = helper(db)?;
            rows.extend(db.fetch_all("closure", &[])?);
            Ok::<_, catamaran::Error>(rows)
        })
        .await?;
    Ok(Json(rows))
}

fn app(gate: &Arc<Gate>, wait: Duration) -> Router {
    let service = BlockingService::new(Arc::new(Held(gate.clone()))).with_wait(wait);
    Router::new()
        .route("/plain", routing::get(blocking(plain)))
        .route("/closure", routing::get(closure))
        .with_state(service)
}

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);

/// Gives what must not happen the time to happen.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn no_more_threads_than_connections() {
    let gate = Gate::closed(3);
    let app = app(&gate, LONG);
    let mut requests = JoinSet::new();
    for index in 0..40 {
        let app = app.clone();
        requests.spawn(async move { get(&app, if index % 2 == 0 { "/plain" } else { "/closure" }).await.0 });
    }
    gate.until_running(3).await;
    a_moment().await;
    assert_eq!(gate.counts().0, 3);
    gate.open();
    while let Some(status) = requests.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(gate.counts(), (0, 3, 60));
    assert_eq!(gate.sessions(), 20, "one connection for the whole closure");
}

#[tokio::test]
async fn a_waiter_is_refused_in_time() {
    let gate = Gate::closed(1);
    let app = app(&gate, SHORT);
    let first = tokio::spawn({
        let app = app.clone();
        async move { get(&app, "/plain").await.0 }
    });
    gate.until_running(1).await;
    for path in ["/plain", "/closure"] {
        let (status, headers, body) = send(&app, "GET", path, "").await;
        assert_eq!((status.as_u16(), &*body), (503, r#"{"error":"temporarily unavailable, try again"}"#));
        assert_eq!(headers["retry-after"], "1");
    }
    gate.open();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(gate.counts().2, 1, "the refused requests never ran");
}

#[tokio::test]
async fn a_dropped_waiter_leaves_the_queue() {
    let gate = Gate::closed(1);
    let app = app(&gate, LONG);
    let spawn = |path| {
        let app = app.clone();
        tokio::spawn(async move { get(&app, path).await })
    };
    let first = spawn("/plain");
    gate.until_running(1).await;
    let waiters = [spawn("/plain"), spawn("/closure")];
    a_moment().await;
    for waiter in waiters {
        waiter.abort();
        assert!(waiter.await.unwrap_err().is_cancelled());
    }
    let last = spawn("/plain");
    gate.open();
    assert_eq!(first.await.unwrap().0, 200);
    assert_eq!(last.await.unwrap().0, 200);
    assert_eq!(gate.counts().2, 2, "the dropped requests never ran");
}

#[tokio::test]
async fn a_dropped_request_keeps_its_permit_while_its_thread_works() {
    for path in ["/plain", "/closure"] {
        let gate = Gate::closed(1);
        let app = app(&gate, SHORT);
        let dropped = timeout(SHORT, get(&app, path)).await;
        assert!(dropped.is_err());
        gate.until_running(1).await;
        assert_eq!(get(&app, path).await.0, 503, "{path}");
        assert_eq!(gate.counts().1, 1);
        gate.open();
        gate.until_running(0).await;
        let mut status = get(&app, path).await.0;
        // The thread may have left the service and not yet its closure.
        for _ in 0..20 {
            if status == 503 {
                status = get(&app, path).await.0;
            }
        }
        assert_eq!(status, 200, "{path}: the permit came back");
    }
}

#[tokio::test]
async fn a_panic_gives_the_permit_back() {
    async fn panics(db: BlockingDb) -> Result<()> {
        Ok(db.run(|_| -> catamaran::Result<()> { panic!("a closure that panics") }).await?)
    }
    let service = BlockingService::new(Arc::new(Held(Gate::opened(1))));
    for _ in 0..3 {
        let handler = tokio::spawn(panics(BlockingDb(service.clone())));
        assert!(handler.await.unwrap_err().is_panic(), "it goes on in the handler");
    }
    assert_eq!(service.run(|db| db.fetch_all("after", &[])).await.unwrap().len(), 1);
}
