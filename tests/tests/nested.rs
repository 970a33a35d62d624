//! A second checkout of one request, where it would wait for the first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use catamaran::{
    Cause, Config, DatabaseService, DeadpoolDatabase, ErrorKind, Offloaded, R2d2Database, TransactionOptions, guard,
    prelude::*,
};
use catamaran_testkit::{Database, eventually, shared};
use catamaran_tests::services::services;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(400);

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

/// Of a pool of one connection.
fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG)
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Fails unless it was refused at once, and names the line of the first checkout and of the second.
#[track_caller]
fn assert_nested(name: &str, began: Instant, error: &catamaran::Error, first: u32, second: u32) {
    assert_eq!(error.kind(), ErrorKind::NestedCheckout, "{name}: {error}");
    assert!(began.elapsed() < LONG / 2, "{name}: {error}");
    let shortage = error.shortage().unwrap();
    assert_eq!((shortage.cause, shortage.holders[0].site.line), (Cause::Nested, first), "{name}: {error}");
    for line in [first, second] {
        assert!(error.to_string().contains(&format!("nested.rs:{line}:")), "{name}: {error} does not name {line}");
    }
}

async fn helper(db: &dyn AsyncExecutor) -> (u32, catamaran::Result<i32>) {
    (line!(), db.fetch_scalar("SELECT 1", &[]).await)
}

#[test]
fn a_second_checkout_of_one_request_fails_at_once_where_it_would_wait_for_itself() {
    let database = database();
    database.execute("CREATE TABLE t (x int)").unwrap();
    workers().block_on(async {
        for (name, db) in services(&config(&database)) {
            let handler = db.clone();
            let request = guard::scope("POST /nested", async move {
                let db = handler;
                let (began, first) = (Instant::now(), line!() + 1);
                let tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
                let (second, result) = helper(&db).await;
                assert_nested(name, began, &result.unwrap_err(), first, second);
                // After another await, and on another thread.
                tokio::task::yield_now().await;
                let second = line!() + 1;
                let error = db.begin(TransactionOptions::new()).await.map(drop).unwrap_err();
                assert_nested(name, began, &error, first, second);
                let second = line!() + 1;
                let error = db.session().await.map(drop).unwrap_err();
                assert_nested(name, began, &error, first, second);
                let lent = catamaran::lend(&db, |db| {
                    Ok::<_, catamaran::Error>((line!(), db.fetch_one("SELECT 1", &[]).map(drop).unwrap_err()))
                });
                let (second, error) = lent.await.unwrap();
                assert_nested(name, began, &error, first, second);
                assert_eq!(error.shortage().unwrap().holders[0].route.as_deref(), Some("POST /nested"), "{name}");
                tx.commit().await.unwrap();

                let first = line!() + 1;
                let mut rows = db.fetch_stream("SELECT generate_series(1, 100000)", &[]).await.unwrap();
                rows.next().await.unwrap().unwrap();
                let (second, result) = helper(&db).await;
                assert_nested(name, began, &result.unwrap_err(), first, second);
                drop(rows);
                assert_eq!(helper(&db).await.1.unwrap(), 1);
            });
            tokio::spawn(request).await.unwrap();
        }
    });
    let db = R2d2Database::new(config(&database)).unwrap();
    assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).unwrap(), 3);
}

#[test]
fn a_second_checkout_on_one_thread_fails_at_once_where_it_would_wait_for_itself() {
    let database = database();
    let db: Arc<dyn DatabaseService> = Arc::new(R2d2Database::new(config(&database).max_size(2)).unwrap());
    let (began, first) = (Instant::now(), line!() + 1);
    let tx = db.begin(TransactionOptions::new()).unwrap();
    db.fetch_one("SELECT 1", &[]).unwrap();
    let other = db.clone();
    let (held, is_held) = mpsc::channel();
    let (stop, is_stopped) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        let _session = other.session().unwrap();
        held.send(()).unwrap();
        let _ = is_stopped.recv();
    });
    is_held.recv().unwrap();
    let second = line!() + 1;
    let error = db.fetch_one("SELECT 1", &[]).unwrap_err();
    assert_nested("blocking", began, &error, first, second);
    assert_eq!(error.shortage().unwrap().holders.len(), 2, "{error}");
    // Where a request goes on with its thread, it is still the same one.
    let carried = {
        let db = db.clone();
        guard::carry(move || (line!(), db.fetch_one("SELECT 1", &[]).unwrap_err()))
    };
    let (second, error) = thread::spawn(carried).join().unwrap();
    assert_nested("carried", began, &error, first, second);
    drop(stop);
    other.join().unwrap();
    db.fetch_one("SELECT 1", &[]).unwrap();
    tx.commit().unwrap();

    let db: Arc<dyn DatabaseService> = Arc::new(R2d2Database::new(config(&database)).unwrap());
    let (mut seen, first) = (None, line!() + 1);
    let each = db.fetch_each("SELECT generate_series(1, 3)", &[], &mut |_| {
        seen = Some((line!(), db.fetch_one("SELECT 1", &[]).map(drop)));
        Ok(())
    });
    each.unwrap();
    let (second, result) = seen.unwrap();
    assert_nested("each", began, &result.unwrap_err(), first, second);
}

#[test]
fn a_second_checkout_of_the_other_service_is_found_within_a_budget() {
    let database = database();
    let db = catamaran::connect(config(&database).max_size(4).budget(2)).unwrap();
    let (blocking, nonblocking) = (db.blocking(), db.nonblocking());
    let (kept, is_kept) = mpsc::channel();
    let (stop, is_stopped) = mpsc::channel::<()>();
    let other = blocking.clone();
    let other = thread::spawn(move || {
        let _session = other.session().unwrap();
        kept.send(()).unwrap();
        let _ = is_stopped.recv();
    });
    is_kept.recv().unwrap();
    workers().block_on(async {
        let (began, first) = (Instant::now(), line!() + 1);
        let tx = nonblocking.begin(TransactionOptions::new()).await.unwrap();
        let within = blocking.clone();
        let offloaded = Offloaded::new(blocking.clone());
        let second = line!() + 1;
        let error = offloaded.run(move |db| db.fetch_one("SELECT 1", &[])).await.unwrap_err();
        assert_nested("offloaded", began, &error, first, second);
        let second = line!() + 1;
        let error = guard::allow("a test", || within.fetch_one("SELECT 1", &[])).unwrap_err();
        assert_nested("direct", began, &error, first, second);
        tx.rollback().await.unwrap();
    });
    drop(stop);
    other.join().unwrap();
    blocking.fetch_one("SELECT 1", &[]).unwrap();
}

#[test]
fn whoever_does_not_wait_for_himself_is_not_refused() {
    let database = database();
    workers().block_on(async {
        for (name, db) in services(&config(&database)) {
            // Other requests wait.
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let behind = db.clone();
            let behind = tokio::spawn(async move { behind.fetch_scalar::<i32>("SELECT 1", &[]).await });
            assert!(eventually(LONG, || db.status().waiting == 1), "{name}");
            tx.commit().await.unwrap();
            assert_eq!(behind.await.unwrap().unwrap(), 1, "{name}");
            // So does what goes on at the same time in one task, whose connections are busy …
            let job = async |pause: bool| {
                let tx = db.begin(TransactionOptions::new()).await?;
                tx.fetch_all("SELECT pg_sleep(0.05)", &[]).await?;
                if pause {
                    sleep(Duration::from_millis(50)).await;
                }
                tx.commit().await
            };
            let (one, two, three) = tokio::join!(job(false), job(false), job(false));
            one.and(two).and(three).unwrap_or_else(|error| panic!("{name}: {error}"));
            // … or whose futures have wakers of their own, and then connections may wait too.
            let mut jobs: FuturesUnordered<_> = (0..4).map(|_| job(true)).collect();
            while let Some(done) = jobs.next().await {
                done.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
        // Connections that are taken for one statement come back.
        for (name, db) in services(&config(&database).max_size(2)) {
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let busy = db.clone();
            let busy = tokio::spawn(async move { busy.fetch_all("SELECT pg_sleep(0.3)", &[]).await });
            assert!(eventually(LONG, || db.holders().len() == 2), "{name}");
            assert_eq!(db.fetch_scalar::<i32>("SELECT 1", &[]).await.unwrap(), 1, "{name}");
            busy.await.unwrap().unwrap();
            tx.commit().await.unwrap();
        }
    });
}

#[test]
fn where_that_is_asked_for_a_second_checkout_waits() {
    let database = database();
    let config = config(&database).checkout_timeout(SHORT).test_timeout(SHORT).nested_checkout_fails(false);
    let blocking = R2d2Database::new(config.clone()).unwrap();
    let session = blocking.session().unwrap();
    assert_eq!(blocking.ping().unwrap_err().kind(), ErrorKind::PoolTimeout);
    drop(session);
    workers().block_on(async {
        let db = DeadpoolDatabase::new(config).unwrap();
        let _session = db.session().await.unwrap();
        assert_eq!(db.ping().await.unwrap_err().kind(), ErrorKind::PoolTimeout);
    });
}
