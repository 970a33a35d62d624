//! Requests on the async service do not queue up behind each other's queries.
//!
//! Each proof has a serial control: what takes ten times as long one by one must take about as long as one at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod common;
#[path = "common/site.rs"]
mod site;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use catamaran::{
    mock::{MockAsyncDatabaseService, reply_after},
    row,
};
use common::get;
use futures_util::future::join_all;
use gathering::{AppState, app};
use site::Site;
use tokio::sync::Mutex;

const REQUESTS: u32 = 10;

/// What else runs on the machine must not decide: the best of several rounds counts.
const ROUNDS: usize = 5;

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn check(app: &Router) {
    let body = get(app, "/health/checks").await.expect(200);
    assert_eq!(body["checks"][1]["status"], "healthy");
}

async fn time(work: impl Future) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}

/// Ten requests at a time and ten one by one, both as multiples of one request.
async fn ratios(app: &Router) -> (f64, f64) {
    let _alone = ALONE.lock().await;
    let [mut one, mut together, mut serial] = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        one = one.min(time(check(app)).await);
        together = together.min(time(join_all((0..REQUESTS).map(|_| check(app)))).await);
        let one_by_one = async {
            for _ in 0..REQUESTS {
                check(app).await;
            }
        };
        serial = serial.min(time(one_by_one).await);
    }
    (together.div_duration_f64(one), serial.div_duration_f64(one))
}

#[tokio::test]
async fn ten_at_a_time_take_as_long_as_one_over_a_mock() {
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_one()
        .returning(|_, _| reply_after(Duration::from_millis(10), row! { "total" => 3i64, "active" => 2i64 }));
    let (together, serial) = ratios(&app(AppState::with(Arc::new(db)))).await;
    assert!(together <= 1.5, "ten at a time took {together:.2} times as long as one");
    assert!(serial >= 8.0, "ten one by one took only {serial:.2} times as long as one");
}

#[tokio::test]
async fn ten_at_a_time_take_as_long_as_one_over_a_database() {
    let site = Site::with_pools_of(REQUESTS);
    // Whoever asks for the agents now waits for the server.
    site.database
        .execute(
            "ALTER TABLE agent.agents RENAME TO quick_agents;
             CREATE VIEW agent.agents AS SELECT a.* FROM agent.quick_agents a, pg_sleep(0.1)",
        )
        .unwrap();
    // Opens the pool's connections.
    join_all((0..REQUESTS).map(|_| check(&site.app))).await;
    let (together, serial) = ratios(&site.app).await;
    assert!(together <= 1.5, "ten at a time took {together:.2} times as long as one");
    assert!(serial >= 8.0, "ten one by one took only {serial:.2} times as long as one");
}

#[tokio::test]
async fn a_pool_of_one_connection_is_a_queue() {
    let site = Site::with_pools_of(1);
    site.database
        .execute(
            "ALTER TABLE agent.agents RENAME TO quick_agents;
             CREATE VIEW agent.agents AS SELECT a.* FROM agent.quick_agents a, pg_sleep(0.02)",
        )
        .unwrap();
    check(&site.app).await;
    let (together, _) = ratios(&site.app).await;
    assert!(together >= 8.0, "that the requests above did not wait for each other was not the database's doing");
}
