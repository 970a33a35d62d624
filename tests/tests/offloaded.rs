//! A blocking service offered as an async one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use catamaran::{
    AsyncDatabaseService, Bytes, Config, ErrorKind, Offloaded, R2d2Database, TransactionOptions, guard, prelude::*,
};
use catamaran_testkit::{Database, shared};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

const LONG: Duration = Duration::from_secs(30);

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (x int8)").unwrap();
    database
}

fn service(database: &Database, size: u32) -> Arc<dyn AsyncDatabaseService> {
    let config = Config::from_url(&database.url()).unwrap().max_size(size).checkout_timeout(LONG);
    Arc::new(Offloaded::with_wait(Arc::new(R2d2Database::new(config).unwrap()), LONG))
}

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.enable_all().build().unwrap())
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        if holds().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

async fn asleep(db: &dyn AsyncDatabaseService) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    db.fetch_scalar(sql, &[]).await.unwrap()
}

#[test]
fn a_dropped_call_is_cancelled_on_the_server() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database, 2);
            let call = db.fetch_one("SELECT pg_sleep($1)", &[&30f64]);
            assert!(timeout(Duration::from_millis(500), call).await.is_err());
            let began = Instant::now();
            assert!(eventually(async || asleep(&*db).await == 0).await);
            assert!(began.elapsed() < Duration::from_secs(10));
            // Nobody else was hit by it.
            for _ in 0..20 {
                db.fetch_one("SELECT 1", &[]).await.unwrap();
            }
            assert!(eventually(async || db.status().in_use == 0).await, "{:?}", db.status());
        });
    }
}

#[test]
fn a_call_dropped_in_the_queue_never_runs() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database, 1);
            let other = db.clone();
            let held = tokio::spawn(async move { other.session().await.unwrap() }).await.unwrap();
            let waiting = db.execute("INSERT INTO t VALUES (1)", &[]);
            assert!(timeout(Duration::from_millis(100), waiting).await.is_err());
            assert_eq!(db.status().waiting, 0);
            drop(held);
            assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).await.unwrap(), 0);
        });
    }
}

#[test]
fn levels_are_rolled_back_when_they_are_dropped() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database, 1);
            let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
            let savepoint = tx.savepoint().await.unwrap();
            savepoint.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
            drop(savepoint);
            // Given up on its way, it ends as well.
            drop(tx.savepoint().now_or_never());
            let savepoint = tx.savepoint().await.unwrap();
            savepoint.execute("INSERT INTO t VALUES ($1)", &[&3i64]).await.unwrap();
            savepoint.commit().await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(db.fetch_scalar::<i64>("SELECT sum(x)::int8 FROM t", &[]).await.unwrap(), 4);
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute("DELETE FROM t", &[]).await.unwrap();
            drop(tx);
            assert_eq!(db.fetch_scalar::<i64>("SELECT sum(x)::int8 FROM t", &[]).await.unwrap(), 4);
            let mut session = db.session().await.unwrap();
            let tx = session.begin(TransactionOptions::new()).await.unwrap();
            tx.rollback().await.unwrap();
            session.execute("SELECT 1", &[]).await.unwrap();
        });
    }
}

#[test]
fn an_open_stream_has_the_connection() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database, 1);
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let mut rows = tx.fetch_stream("SELECT generate_series(1, $1)", &[&10_000i32]).await.unwrap();
            rows.next().await.unwrap().unwrap();
            assert_eq!(tx.execute("SELECT 1", &[]).await.unwrap_err().kind(), ErrorKind::Busy);
            drop(rows);
            tx.execute("SELECT 1", &[]).await.unwrap();
            let rows = tx.fetch_stream("SELECT generate_series(1, 1000)", &[]).await.unwrap();
            assert_eq!(rows.count().await, 1000);
            tx.commit().await.unwrap();
        });
    }
}

#[test]
fn a_copy_that_is_given_up_keeps_nothing() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database, 1);
            let mut chunks = stream::iter([Ok(Bytes::from("1\n"))]).chain(stream::pending()).boxed();
            let copy = db.copy_in("COPY t FROM STDIN", &mut chunks);
            assert!(timeout(Duration::from_millis(300), copy).await.is_err());
            assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).await.unwrap(), 0);
            let mut chunks = stream::iter([Ok(Bytes::from("1\n")), Ok(Bytes::from("2\n"))]);
            assert_eq!(db.copy_in("COPY t FROM STDIN", &mut chunks).await.unwrap(), 2);
        });
    }
}

/// The threads of this process whose names begin so. One that has just been started has its parent's name.
fn threads(name: &str) -> BTreeSet<OsString> {
    let named = || -> BTreeSet<OsString> {
        let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap());
        let is_named = |path: PathBuf| fs::read_to_string(path).is_ok_and(|thread| thread.starts_with(name));
        tasks.filter(|task| is_named(task.path().join("comm"))).map(|task| task.file_name()).collect()
    };
    let before = named();
    thread::sleep(Duration::from_millis(3));
    before.intersection(&named()).cloned().collect()
}

#[test]
fn under_overload_there_are_never_more_threads_than_permits() {
    const SIZE: usize = 4;
    let database = database();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let db = service(&database, SIZE as u32);
        let once = async |db: &dyn AsyncDatabaseService| {
            let began = Instant::now();
            db.fetch_one("SELECT pg_sleep($1)", &[&0.005f64]).await.unwrap();
            began.elapsed()
        };
        once(&*db).await;
        let usual = once(&*db).await.max(once(&*db).await);
        let end = Instant::now() + Duration::from_secs(3);
        let watching = tokio::task::spawn_blocking(move || {
            let mut most = 0;
            while Instant::now() < end {
                most = most.max(threads("catamaran-block").len());
            }
            most
        });
        let callers: Vec<_> = (0..10 * SIZE)
            .map(|caller| {
                let db = db.clone();
                tokio::spawn(async move {
                    let (mut done, mut given_up) = (0, 0);
                    while Instant::now() < end {
                        let call = db.fetch_one("SELECT pg_sleep($1)", &[&0.02f64]);
                        // Every other caller gives up, some in the queue and some while it runs.
                        let patience = if caller % 2 == 0 { LONG } else { Duration::from_millis(caller as u64) };
                        match timeout(patience, call).await {
                            Ok(result) => done += usize::from(result.is_ok()),
                            Err(_) => given_up += 1,
                        }
                    }
                    (done, given_up)
                })
            })
            .collect();
        let (mut done, mut given_up) = (0, 0);
        for caller in callers {
            let (its, lost) = caller.await.unwrap();
            (done, given_up) = (done + its, given_up + lost);
        }
        assert!(done > 50 && given_up > 50, "{done} done, {given_up} given up");
        let most = watching.await.unwrap();
        assert!(most == SIZE, "{most} threads");
        let normal = async || once(&*db).await < 5 * usual + Duration::from_millis(20);
        let began = Instant::now();
        assert!(eventually(normal).await && began.elapsed() < Duration::from_secs(5));
        assert!(eventually(async || db.status().in_use == 0 && db.status().waiting == 0).await, "{:?}", db.status());
    });
    assert_eq!(guard::report().calls, []);
}

#[test]
fn closing_refuses_and_drains() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database, 2);
            let session = db.session().await.unwrap();
            let error = db.close(Duration::from_millis(100)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert_eq!(db.ping().await.unwrap_err().kind(), ErrorKind::PoolClosed);
            drop(session);
            db.close(LONG).await.unwrap();
            assert_eq!(db.status().size, 0);
        });
    }
}
