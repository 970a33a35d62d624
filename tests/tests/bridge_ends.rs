//! Data that crosses a bridge ends by a mark: where the other side goes away before, that is an error and never the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use catamaran::{
    AsyncDatabaseService, Bytes, Config, DatabaseService, DeadpoolDatabase, Error, ErrorKind, Executor, Iter,
    Offloaded, R2d2Database, Result, TransactionOptions, lend,
    mock::MockDatabaseService,
    prelude::*,
};
use catamaran_testkit::{Database, eventually, shared};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::{Builder, Runtime};

const LONG: Duration = Duration::from_secs(30);
const ALL: i32 = 20_000;

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

/// How many items came, and how it ended.
type Seen = (usize, Option<ErrorKind>);

/// Takes all, and nothing may follow an error.
fn taken<T>(items: Iter<'_, T>) -> Seen {
    let (mut count, mut error) = (0, None);
    for item in items {
        assert_eq!(error, None, "something follows an error");
        match item {
            Ok(_) => count += 1,
            Err(failed) => error = Some(failed.kind()),
        }
    }
    (count, error)
}

/// Takes the items of one kind of stream, once the first is there and it was told to go on.
fn take_all(db: &dyn Executor, copies: bool, begun: &dyn Fn()) -> Result<Seen> {
    let after_first = |count: usize| (count == 1).then(begun);
    if copies {
        let mut data = db.copy_out(&format!("COPY (SELECT repeat('x', 2000) FROM generate_series(1, {ALL})) TO STDOUT"))?;
        let mut first = data.next();
        after_first(1);
        Ok(taken(Iter::new(std::iter::from_fn(|| first.take().or_else(|| data.next())))))
    } else {
        let mut rows = db.fetch_iter("SELECT repeat('x', 2000) FROM generate_series(1, $1)", &[&ALL])?;
        let mut first = rows.next();
        after_first(1);
        Ok(taken(Iter::new(std::iter::from_fn(|| first.take().or_else(|| rows.next())))))
    }
}

#[test]
fn what_is_lent_ends_with_an_error_if_the_lender_gives_up() {
    for runtime in runtimes() {
        for copies in [false, true] {
            for gives_up in [true, false] {
                let database = database();
                let db = lender(&database);
                let ((begun, begins), (told, result)) = (mpsc::channel::<()>(), mpsc::channel());
                let (go, goes) = mpsc::channel::<()>();
                runtime.block_on(async {
                    let (started, start) = tokio::sync::oneshot::channel();
                    let started = std::sync::Mutex::new(Some(started));
                    let lent = lend(&db, move |db| {
                        let wait = || {
                            started.lock().unwrap().take().map(|started| started.send(()));
                            if gives_up {
                                goes.recv_timeout(LONG).unwrap();
                            }
                        };
                        told.send(take_all(db, copies, &wait)).unwrap();
                        Ok::<_, Error>(())
                    });
                    if gives_up {
                        tokio::select! {
                            _ = lent => panic!("the closure waits"),
                            _ = start => {}
                        }
                    } else {
                        lent.await.unwrap();
                    }
                });
                let _ = (go.send(()), begun.send(()), begins.try_recv());
                let (count, error) = result.recv_timeout(LONG).unwrap().unwrap();
                if gives_up {
                    assert!(count < ALL as usize, "{count}");
                    assert_eq!(error, Some(ErrorKind::PoolClosed), "copies: {copies}");
                } else {
                    assert_eq!((count, error), (ALL as usize, None), "control: a whole one, copies: {copies}");
                }
            }
        }
    }
}
