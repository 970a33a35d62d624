//! What a statement leaves on its connection is there for the next one of a session, and not of a service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use catamaran::{AsyncExecutor, Config, Offloaded, R2d2Database, Result, Session};
use catamaran_testkit::{Database, shared};
use catamaran_tests::services::services;

/// What leaves something, and what succeeds with one row where it is still there.
const LEFT: [(&str, &str); 7] = [
    ("SELECT pg_advisory_lock(7)", "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
    ("SET catamaran_tests.x = 'here'", "SELECT 1 WHERE current_setting('catamaran_tests.x', true) = 'here'"),
    ("SET ROLE pg_monitor", "SELECT 1 WHERE current_user = 'pg_monitor'"),
    ("CREATE TEMPORARY TABLE here (x int)", "SELECT count(*) FROM here"),
    ("DECLARE here CURSOR WITH HOLD FOR SELECT 1", "SELECT 1 FROM pg_cursors WHERE name = 'here'"),
    ("LISTEN here", "SELECT 1 FROM pg_listening_channels() AS channel WHERE channel = 'here'"),
    ("SELECT nextval('numbers')", "SELECT currval('numbers')"),
];

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE SEQUENCE numbers").unwrap();
    database
}

async fn is_there(db: &dyn AsyncExecutor, (leaves, finds): (&str, &str)) -> bool {
    db.batch_execute(leaves).await.unwrap();
    db.fetch_one(finds, &[]).await.is_ok()
}

fn is_there_within(db: &dyn Session, (leaves, finds): (&str, &str)) -> Result<bool> {
    db.batch_execute(leaves)?;
    Ok(db.fetch_one(finds, &[]).is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_closure_of_run_relies_on_moves_to_a_session() {
    let database = database();
    let config = Config::from_url(&database.url()).unwrap().max_size(2).checkout_timeout(Duration::from_secs(30));
    let blocking = Offloaded::new(std::sync::Arc::new(R2d2Database::new(config.clone()).unwrap()));
    for left in LEFT {
        assert!(blocking.run(move |db| is_there_within(db, left)).await.unwrap(), "run: {left:?}");
    }
    for (name, db) in services(&config) {
        for left in LEFT {
            assert!(is_there(&*db.session().await.unwrap(), left).await, "a session of {name}: {left:?}");
            // A sequence's number stays on a connection, which may be the same one.
            let kept = left.0.contains("nextval");
            assert!(kept || !is_there(&db, left).await, "control: {name} itself: {left:?}");
        }
    }
}
