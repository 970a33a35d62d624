//! Data that crosses a bridge ends by a mark: where the other side goes away before, that is an error and never the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, mpsc},
    time::Duration,
};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, Bytes, Config, DeadpoolDatabase, Error, ErrorKind, Executor, Offloaded,
    R2d2Database, Result, TransactionOptions, lend, prelude::*,
};
use catamaran_testkit::{Database, drop_after_polls, shared};
use catamaran_tests::breaks::{BEFORE, Breaks};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

const LONG: Duration = Duration::from_secs(30);
const ALL: usize = 20_000;
const ROWS: &str = "SELECT repeat('x', 1000) FROM generate_series(1, 20000)";
const COPY: &str = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT";

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (x int8)").unwrap();
    database
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG)
}

fn lender(database: &Database) -> Arc<dyn AsyncDatabaseService> {
    Arc::new(DeadpoolDatabase::new(config(database)).unwrap())
}

fn offloaded(database: &Database) -> Arc<dyn AsyncDatabaseService> {
    Arc::new(Offloaded::with_wait(Arc::new(R2d2Database::new(config(database)).unwrap()), LONG))
}

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.enable_all().build().unwrap())
}

/// How many items came, the error that came last, and what followed it.
type Seen = (usize, Option<ErrorKind>, usize);

fn seen<T>(items: impl Iterator<Item = Result<T>>) -> Seen {
    let mut seen = (0, None, 0);
    for item in items {
        match item {
            _ if seen.1.is_some() => seen.2 += 1,
            Ok(_) => seen.0 += 1,
            Err(error) => seen.1 = Some(error.kind()),
        }
    }
    seen
}

/// Takes all of a stream, and says when the first has come.
fn take(db: &dyn Executor, copies: bool, after_first: impl FnOnce()) -> Seen {
    let mut after_first = Some(after_first);
    let mut first = move || {
        if let Some(after_first) = after_first.take() {
            after_first();
        }
    };
    if copies {
        seen(db.copy_out(COPY).unwrap().inspect(|_| first()))
    } else {
        seen(db.fetch_iter(ROWS, &[]).unwrap().inspect(|_| first()))
    }
}

#[test]
fn what_is_lent_ends_with_an_error_if_the_lender_gives_up() {
    for runtime in runtimes() {
        for copies in [false, true] {
            let database = database();
            let db = lender(&database);
            let whole = lend(&db, move |db| Ok::<_, Error>(take(db, copies, || {})));
            assert_eq!(runtime.block_on(whole).unwrap(), (ALL, None, 0), "control: a whole one");
            let ((told, result), (begun, begins)) = (mpsc::channel(), oneshot::channel());
            let (go, goes) = mpsc::channel();
            runtime.block_on(async {
                let lent = lend(&db, move |db| {
                    let seen = take(db, copies, || {
                        begun.send(()).unwrap();
                        goes.recv_timeout(LONG).unwrap();
                    });
                    told.send(seen).unwrap();
                    Ok::<_, Error>(())
                });
                tokio::select! {
                    _ = lent => panic!("the closure has not ended"),
                    begun = begins => begun.unwrap(),
                }
            });
            go.send(()).unwrap();
            let (count, error, after) = result.recv_timeout(LONG).unwrap();
            assert!(count < ALL, "the lender had given up");
            assert_eq!((error, after), (Some(ErrorKind::PoolClosed), 0));
        }
    }
}

/// The runtime is shut down while the closure takes a stream on its thread.
#[test]
fn what_is_lent_ends_with_an_error_if_the_runtime_ends() {
    for runtime in runtimes() {
        let database = database();
        let db = lender(&database);
        let ((told, result), (begun, begins), (go, goes)) = (mpsc::channel(), oneshot::channel(), mpsc::channel());
        runtime.spawn(async move {
            lend(&db, move |db| {
                let seen = take(db, false, || {
                    begun.send(()).unwrap();
                    goes.recv_timeout(LONG).unwrap();
                });
                told.send(seen).unwrap();
                Ok::<_, Error>(())
            })
            .await
        });
        runtime.block_on(begins).unwrap();
        runtime.shutdown_background();
        go.send(()).unwrap();
        let (count, error, after) = result.recv_timeout(LONG).unwrap();
        assert!(count < ALL);
        // Either the lender or the connection's own task goes first.
        assert!(matches!(error, Some(ErrorKind::PoolClosed | ErrorKind::ConnectionLost)), "{error:?}");
        assert_eq!(after, 0);
    }
}

#[test]
fn what_is_lent_ends_with_an_error_if_the_lender_panics() {
    for runtime in runtimes() {
        for copies in [false, true] {
            let (told, result) = mpsc::channel();
            let lent = lend(&Breaks, move |db| {
                told.send(take(db, copies, || {})).unwrap();
                Ok::<_, Error>(())
            });
            let lent = AssertUnwindSafe(lent).catch_unwind();
            assert!(runtime.block_on(lent).is_err(), "the panic goes on in the caller");
            assert_eq!(result.recv_timeout(LONG).unwrap(), (BEFORE, Some(ErrorKind::PoolClosed), 0));
        }
    }
}

/// Takes both kinds of stream of an executor whose thread breaks.
async fn broken(db: &dyn AsyncExecutor, copies: bool) {
    let items: Vec<Result<()>> = if copies {
        db.copy_out(COPY).await.unwrap().map(|item| item.map(drop)).collect().await
    } else {
        db.fetch_stream(ROWS, &[]).await.unwrap().map(|item| item.map(drop)).collect().await
    };
    assert_eq!(seen(items.into_iter()), (BEFORE, Some(ErrorKind::PoolClosed), 0));
}

#[test]
fn what_is_offloaded_ends_with_an_error_if_its_thread_panics() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let db = Offloaded::with_wait(Arc::new(Breaks), LONG);
            for copies in [false, true] {
                broken(&db, copies).await;
                broken(&*db.session().await.unwrap(), copies).await;
                broken(&*db.begin(TransactionOptions::new()).await.unwrap(), copies).await;
                let mut outer = db.begin(TransactionOptions::new()).await.unwrap();
                broken(&*outer.savepoint().await.unwrap(), copies).await;
                drop(outer);
                let failed = db.fetch_each(ROWS, &[], &mut |_| Ok(())).await.unwrap_err();
                assert_eq!(failed.kind(), ErrorKind::PoolClosed);
            }
        });
        let database = database();
        runtime.block_on(async {
            let db = offloaded(&database);
            assert_eq!(db.fetch_stream(ROWS, &[]).await.unwrap().count().await, ALL, "control: a whole one");
            assert_eq!(db.copy_out(COPY).await.unwrap().count().await, ALL, "control: a whole one");
        });
    }
}

/// Chunks of a COPY that panic behind the first one, unless they are whole.
fn chunks(whole: bool) -> impl Iterator<Item = Result<Bytes>> + Send {
    (1..3).map(move |x| if x == 1 || whole { Ok(Bytes::from(format!("{x}\n"))) } else { panic!("in a chunk") })
}

#[test]
fn a_copy_whose_data_breaks_off_keeps_nothing() {
    for runtime in runtimes() {
        for whole in [true, false] {
            let database = database();
            let kept = if whole { 2 } else { 0 };
            let count = || database.texts("SELECT count(*) FROM t").unwrap()[0].as_deref().map(str::parse);

            let db = lender(&database);
            let lent = lend(&db, move |db| db.copy_in("COPY t FROM STDIN", &mut chunks(whole)));
            let result = runtime.block_on(AssertUnwindSafe(lent).catch_unwind());
            assert_eq!((result.is_ok(), count()), (whole, Some(Ok(kept))), "lent");

            database.execute("TRUNCATE t").unwrap();
            let db = offloaded(&database);
            let mut given = stream::iter(chunks(whole));
            let copy = AssertUnwindSafe(db.copy_in("COPY t FROM STDIN", &mut given)).catch_unwind();
            let result = runtime.block_on(copy);
            // Whoever waits for the one connection finds the COPY ended.
            assert_eq!(runtime.block_on(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[])).unwrap(), kept);
            assert_eq!(result.is_ok(), whole, "offloaded");
        }
    }
}

#[test]
fn a_copy_whose_lender_gives_up_keeps_nothing_and_says_so() {
    for runtime in runtimes() {
        let database = database();
        let db = lender(&database);
        let ((told, result), (begun, begins), (go, goes)) = (mpsc::channel(), oneshot::channel(), mpsc::channel());
        runtime.block_on(async {
            let lent = lend(&db, move |db| {
                let mut begun = Some(begun);
                let mut chunks = (0..ALL).map(move |x| {
                    // More than are on their way at a time have been taken by the server.
                    if x == 1000 {
                        begun.take().unwrap().send(()).unwrap();
                        goes.recv_timeout(LONG).unwrap();
                    }
                    Ok(Bytes::from(format!("{x}\n")))
                });
                told.send(db.copy_in("COPY t FROM STDIN", &mut chunks)).unwrap();
                Ok::<_, Error>(())
            });
            tokio::select! {
                _ = lent => panic!("the closure has not ended"),
                begun = begins => begun.unwrap(),
            }
        });
        go.send(()).unwrap();
        assert_eq!(result.recv_timeout(LONG).unwrap().unwrap_err().kind(), ErrorKind::PoolClosed);
        assert_eq!(runtime.block_on(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[])).unwrap(), 0);
    }
}

/// What is done behind a `begin` or `savepoint` that was dropped is done on the level around it.
#[test]
fn a_level_that_nobody_waits_for_takes_nothing_from_the_one_around_it() {
    let database = database();
    let kept = || database.texts("WITH gone AS (DELETE FROM t RETURNING x) SELECT x FROM gone").unwrap().len();
    for db in [lender(&database), offloaded(&database)] {
        Runtime::new().unwrap().block_on(async {
            for round in 0..20 {
                let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
                drop_after_polls(tx.savepoint(), 1).await;
                tx.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
                tx.commit().await.unwrap();
                assert_eq!(kept(), 2, "{round}");

                let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
                drop_after_polls(tx.savepoint(), 1).await;
                tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
                tx.rollback().await.unwrap();
                assert_eq!(kept(), 0, "{round}");

                let mut session = db.session().await.unwrap();
                drop_after_polls(session.begin(TransactionOptions::new()), 1).await;
                session.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
                drop(session);
                assert_eq!(kept(), 1, "{round}");
            }
        });
    }
}
