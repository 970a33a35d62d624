//! An async executor lent to blocking code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use catamaran::{
    AsyncDatabaseService, Batch, Bytes, Config, DeadpoolDatabase, Error, ErrorKind, Executor, Outcome, Result, ToSql,
    TransactionOptions, guard, lend, prelude::*,
};
use catamaran_testkit::{Database, eventually, shared};
use catamaran_tests::any_int::AnyInt;
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

const LONG: Duration = Duration::from_secs(30);

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (x int8, name text)").unwrap();
    database
}

/// A service with a pool of one.
fn service(database: &Database) -> Arc<dyn AsyncDatabaseService> {
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(Duration::from_secs(5));
    Arc::new(DeadpoolDatabase::new(config).unwrap())
}

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.enable_all().build().unwrap())
}

fn transaction_id(db: &dyn Executor) -> Result<i64> {
    db.execute("INSERT INTO t VALUES ($1, $2)", &[&2i64, &"by a helper"])?;
    db.fetch_scalar("SELECT txid_current()", &[])
}

#[test]
fn a_helper_runs_in_the_same_transaction_with_a_pool_of_one() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database);
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute("INSERT INTO t VALUES (1, 'before')", &[]).await.unwrap();
            let before: i64 = tx.fetch_scalar("SELECT txid_current()", &[]).await.unwrap();
            let within = lend(&tx, |db| transaction_id(db)).await.unwrap();
            let after: i64 = tx.fetch_scalar("SELECT txid_current()", &[]).await.unwrap();
            assert_eq!((before, after), (within, within));
            assert_eq!(tx.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).await.unwrap(), 2);
            tx.rollback().await.unwrap();
            assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).await.unwrap(), 0);
        });
    }
}

#[rustfmt::skip]
fn everything(db: &dyn Executor) -> Result<()> {
    assert_eq!(db.execute("INSERT INTO t VALUES ($1, $2)", &[&1i64, &None::<String>])?, 1);
    assert_eq!(db.fetch_all("SELECT x FROM t WHERE x = $1", &[&1i64])?.len(), 1);
    assert_eq!(db.fetch_one("SELECT $1::text AS a", &[&"x"])?.get::<String>("a")?, "x");
    assert!(db.fetch_optional("SELECT 1 WHERE $1", &[&false])?.is_none());
    let mut seen = 0;
    db.fetch_each("SELECT generate_series(1, $1)", &[&3i32], &mut |_| { seen += 1; Ok(()) })?;
    assert_eq!(seen, 3);
    db.batch_execute("SELECT 1; SELECT 2")?;
    assert_eq!(db.fetch_iter("SELECT generate_series(1, $1)", &[&1000i32])?.count(), 1000);
    for _ in 0..20 {
        drop(db.fetch_iter("SELECT generate_series(1, $1)", &[&100_000i32])?.next());
        assert_eq!(db.fetch_scalar::<i32>("SELECT 7", &[])?, 7);
    }
    let lines = ["2\ta\n", "3\tb\n"].map(|line| Ok(Bytes::from(line)));
    assert_eq!(db.copy_in("COPY t FROM STDIN", &mut lines.into_iter())?, 2);
    let copied: Vec<Bytes> = db.copy_out("COPY t TO STDOUT")?.collect::<Result<_>>()?;
    assert_eq!(copied.concat(), b"1\t\\N\n2\ta\n3\tb\n");
    assert_eq!(db.describe("SELECT $1::int8")?.params().len(), 1);
    assert_eq!(db.execute_many("UPDATE t SET name = $2 WHERE x = $1", &[&[&1i64, &"c"], &[&9i64, &"d"]])?, [1, 0]);
    let batch = Batch::new().execute("DELETE FROM t WHERE x = $1", &[&1i64]).fetch_all("SELECT x FROM t", &[]);
    let outcomes = db.run_batch(&batch)?;
    assert_eq!(outcomes[0].count(), 1);
    assert!(matches!(&outcomes[1], Outcome::Rows(rows) if rows.len() == 2));
    assert_eq!(db.fetch_all_as::<(i64, String)>("SELECT x, name FROM t ORDER BY x", &[])?.len(), 2);
    db.execute("DELETE FROM t", &[]).map(drop)
}

#[test]
fn everything_works_on_a_service_a_session_and_a_transaction() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database);
            lend(&db, |db| everything(db)).await.unwrap();
            let session = db.session().await.unwrap();
            lend(&*session, |db| everything(db)).await.unwrap();
            drop(session);
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            lend(&tx, |db| everything(db)).await.unwrap();
            tx.commit().await.unwrap();
        });
        assert_eq!(guard::report().calls, [], "whoever is lent to may block");
    }
}

#[test]
fn errors_are_those_of_the_executor() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database);
            let wrong: [(&str, &'static [&'static (dyn ToSql + Sync)]); 6] = [
                ("SELEC 1", &[]),
                ("SELECT 1 / $1::int4", &[&0i32]),
                ("SELECT $1::int4", &[&"text"]),
                ("SELECT $1::int4", &[]),
                ("SELECT $1::int4", &[&1i32, &2i32]),
                ("COPY t TO STDOUT", &[]),
            ];
            for (sql, params) in wrong {
                let own = db.fetch_all(sql, params).await.unwrap_err();
                let lent = lend(&db, move |db| db.fetch_all(sql, params)).await.unwrap_err();
                assert_eq!((lent.kind(), lent.to_string()), (own.kind(), own.to_string()), "{sql}");
                assert_eq!((lent.sqlstate(), lent.position()), (own.sqlstate(), own.position()), "{sql}");
            }
            let own = lend(&db, |_| Err::<(), _>(Error::new(ErrorKind::Timeout, "its own"))).await.unwrap_err();
            assert_eq!(own.kind(), ErrorKind::Timeout);
        });
    }
}

#[test]
fn a_statement_that_asks_for_other_types_is_described_again() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let db = service(&database);
            let by_helper = lend(&db, |db| {
                const SQL: &str = "INSERT INTO t VALUES ($1, 'x')";
                db.execute(SQL, &[&AnyInt(1)])?;
                db.batch_execute("ALTER TABLE t ALTER x TYPE int4")?;
                db.execute(SQL, &[&AnyInt(2)])?;
                db.fetch_scalar::<i64>("SELECT sum(x) FROM t", &[])
            });
            assert_eq!(by_helper.await.unwrap(), 3);
        });
    }
}

#[test]
fn an_open_stream_and_another_statement() {
    for runtime in runtimes() {
        let database = database();
        runtime.block_on(async {
            let config = Config::from_url(&database.url()).unwrap().max_size(2);
            let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config).unwrap());
            let both = |db: &dyn Executor| {
                let mut rows = db.fetch_iter("SELECT generate_series(1, 10000)", &[])?;
                rows.next().unwrap()?;
                let other = db.fetch_scalar::<i32>("SELECT 1", &[]);
                Ok::<_, Error>((other, rows.count()))
            };
            let (other, rest) = lend(&db, move |db| both(db)).await.unwrap();
            assert_eq!((other.unwrap(), rest), (1, 9_999));
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let (other, rest) = lend(&tx, move |db| both(db)).await.unwrap();
            assert_eq!((other.unwrap_err().kind(), rest), (ErrorKind::Busy, 9_999));
            assert_eq!(tx.fetch_scalar::<i32>("SELECT 1", &[]).await.unwrap(), 1);
        });
    }
}

#[test]
fn a_panic_goes_on_in_the_caller() {
    for runtime in runtimes() {
        let database = database();
        let db = service(&database);
        let lent = async { lend(&db, |_| -> Result<()> { panic!("in the helper") }).await };
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(lent))).unwrap_err();
        assert_eq!(panicked.downcast_ref::<&str>(), Some(&"in the helper"));
        runtime.block_on(async { db.ping().await.unwrap() });
    }
}

#[test]
fn whoever_gives_up_ends_the_statement_and_the_helper() {
    for runtime in runtimes() {
        let database = database();
        let db = service(&database);
        let (told, ended) = mpsc::channel();
        runtime.block_on(async {
            let lent = lend(&db, move |db| {
                let first = db.fetch_one("SELECT pg_sleep($1)", &[&20f64]).map(drop);
                let second = db.fetch_one("SELECT 1", &[]).map(drop);
                told.send([first, second].map(|result| result.unwrap_err().kind())).unwrap();
                Ok::<_, Error>(())
            });
            assert!(tokio::time::timeout(Duration::from_millis(500), lent).await.is_err());
            let began = Instant::now();
            db.ping().await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(5), "the connection is free again");
        });
        assert_eq!(ended.recv_timeout(LONG).unwrap(), [ErrorKind::PoolClosed, ErrorKind::PoolClosed]);
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
        let count = || runtime.block_on(async { db.fetch_scalar::<i64>(asleep, &[]).await.unwrap() });
        assert!(eventually(LONG, || count() == 0));
    }
}

#[test]
fn many_at_once() {
    let database = database();
    let config = Config::from_url(&database.url()).unwrap().max_size(4);
    let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config).unwrap());
    let [_, runtime] = runtimes();
    let tasks: Vec<_> = (0..64i64)
        .map(|n| {
            let db = db.clone();
            runtime.spawn(async move {
                lend(&db, move |db| {
                    (0..20).try_for_each(|_| {
                        assert_eq!(db.fetch_scalar::<i64>("SELECT $1::int8", &[&n])?, n);
                        Ok::<_, Error>(())
                    })
                })
                .await
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap().unwrap();
    }
}

/// A closure may use what it was lent where a runtime's thread would not be blocked: a helper of async code calls it.
#[test]
fn what_was_lent_can_be_used_and_dropped_within_block_on() {
    const MANY: &str = "SELECT repeat('x', 1000) FROM generate_series(1, 10000)";

    for runtime in runtimes() {
        let database = database();
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let db = service(&database);
            let within = handle.clone();
            let asked = lend(&*db, move |db| {
                let mut rows = db.fetch_iter(MANY, &[])?;
                rows.next().expect("a row")?;
                within.block_on(async move { drop(rows) });
                let chunks = &mut [Ok(Bytes::from_static(b"7\tseven\n"))].into_iter();
                within.block_on(async { db.copy_in("COPY t FROM STDIN", chunks) })?;
                within.block_on(async { db.fetch_scalar::<i64>("SELECT x FROM t WHERE x = $1", &[&7i64]) })
            });
            assert_eq!(asked.await.unwrap(), 7);
            let panics = lend(&*db, move |db| {
                let rows = db.fetch_iter(MANY, &[])?;
                handle.block_on(async move {
                    let _rows = rows;
                    panic!("the closure's own")
                })
            });
            let panicked = std::panic::AssertUnwindSafe(panics).catch_unwind().await.map(|result: Result<()>| result);
            assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"the closure's own"));
            db.ping().await.unwrap();
        });
    }
}
