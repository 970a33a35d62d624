//! A batch over a bridge whose statements make what those behind them are about, beside the services themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, Batch, Config, DatabaseService, DeadpoolDatabase, ErrorKind, Executor,
    Offloaded, Outcome, R2d2Database, Result, ToSql, TransactionOptions, lend, prelude::*,
};
use catamaran_testkit::{Database, shared};
use catamaran_tests::any_int::AnyInt;
use tokio::runtime::Runtime;

/// A type of which a batch makes the server know.
#[derive(Debug, ToSql)]
#[postgres(name = "mood")]
enum Mood {
    #[postgres(name = "happy")]
    Happy,
}

/// What is there before anything is run.
const EMPTY: &str = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE t (x int8)";

/// What is run, each on an empty schema.
fn batches() -> Vec<(&'static str, Batch<'static>)> {
    const MAKE: &str = "CREATE TABLE made (a int8, b varchar(9), c numeric[], d date)";
    let batch = Batch::new;
    let null: &'static Option<i64> = &None;
    vec![
        (
            "a table",
            batch()
                .execute(MAKE, &[])
                .execute("INSERT INTO made (a) VALUES ($1)", &[&7i64])
                .fetch_all("SELECT a FROM made WHERE a = $1", &[&7i64]),
        ),
        (
            "not the natural type",
            batch()
                .execute(MAKE, &[])
                .execute("INSERT INTO made (a, b) VALUES ($1, $2)", &[&AnyInt(8), &"text"])
                .execute("INSERT INTO made (a, b) VALUES ($1, $2)", &[null, &None::<&str>])
                .fetch_all("SELECT b FROM made WHERE b = $1 AND a = $2", &[&"text", &AnyInt(8)]),
        ),
        (
            "a type",
            batch()
                .execute("CREATE TYPE mood AS ENUM ('happy')", &[])
                .execute("CREATE TABLE moods (mood mood)", &[])
                .execute("INSERT INTO moods VALUES ($1)", &[&Mood::Happy])
                .fetch_all("SELECT mood::text FROM moods WHERE mood = $1", &[&Mood::Happy]),
        ),
        (
            "other columns",
            batch()
                .execute("INSERT INTO t VALUES ($1)", &[&AnyInt(1)])
                .execute("ALTER TABLE t ALTER x TYPE int4", &[])
                .execute("INSERT INTO t VALUES ($1)", &[&AnyInt(2)])
                .fetch_all("SELECT x FROM t ORDER BY x", &[]),
        ),
        ("a type that does not fit", batch().execute(MAKE, &[]).execute("INSERT INTO made (a) VALUES ($1)", &[&7i32])),
        ("too few", batch().execute(MAKE, &[]).execute("INSERT INTO made (a, b) VALUES ($1, $2)", &[&7i64])),
        ("too many", batch().execute(MAKE, &[]).execute("INSERT INTO made (a) VALUES ($1)", &[&7i64, &8i64])),
        ("no such table", batch().execute(MAKE, &[]).execute("INSERT INTO other VALUES ($1)", &[&7i64])),
        (
            "no such table before",
            batch()
                .execute("INSERT INTO t VALUES ($1)", &[&1i64])
                .execute("INSERT INTO other VALUES ($1)", &[&7i64])
                .execute(MAKE, &[]),
        ),
        (
            "refused as it runs",
            batch().execute(MAKE, &[]).execute("INSERT INTO made (b) VALUES ($1)", &[&"longer than nine"]),
        ),
    ]
}

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute(EMPTY).unwrap();
    database
}

/// What came of a batch, and whether what runs behind it on the same executor succeeds.
type Came = (std::result::Result<Vec<Vec<String>>, (ErrorKind, Option<String>, Option<usize>, String)>, bool);

fn came(result: Result<Vec<Outcome>>, behind: Result<u64>) -> Came {
    let outcome = |outcome: Outcome| match outcome {
        Outcome::Count(count) => vec![count.to_string()],
        Outcome::Rows(rows) => rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect(),
    };
    let result = result
        .map(|outcomes| outcomes.into_iter().map(outcome).collect())
        .map_err(|error| (error.kind(), error.sqlstate().map(str::to_owned), error.index(), error.to_string()));
    (result, behind.is_ok())
}

async fn run(db: &dyn AsyncExecutor, index: usize) -> Came {
    let batch = batches().swap_remove(index).1;
    let result = db.run_batch(&batch).await;
    came(result, db.execute("SELECT 1", &[]).await)
}

fn run_blocking(db: &dyn Executor, index: usize) -> Came {
    let batch = batches().swap_remove(index).1;
    let result = db.run_batch(&batch);
    came(result, db.execute("SELECT 1", &[]))
}

/// How it went, and what is left: the tables that are there, and the rows of `t`.
type Left = (Came, Vec<String>);

fn left(database: &Database) -> Vec<String> {
    const LEFT: &str = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL \
                        SELECT 'row ' || x FROM t ORDER BY 1";
    database.texts(LEFT).unwrap().into_iter().flatten().collect()
}

/// Where a batch is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Service,
    Session,
    Transaction,
    Savepoint,
    /// A session that has begun a transaction by hand.
    ByHand,
}

async fn on(db: Arc<dyn AsyncDatabaseService>, on: On, lends: bool, index: usize) -> Came {
    async fn within(db: &dyn AsyncExecutor, lends: bool, index: usize) -> Came {
        match lends {
            true => lend(db, move |db| Ok::<_, catamaran::Error>(run_blocking(db, index))).await.unwrap(),
            false => run(db, index).await,
        }
    }
    match on {
        On::Service => within(&db, lends, index).await,
        On::Session => within(&db.session().await.unwrap(), lends, index).await,
        On::ByHand => {
            let session = db.session().await.unwrap();
            session.batch_execute("BEGIN").await.unwrap();
            let came = within(&session, lends, index).await;
            assert_eq!(session.batch_execute("COMMIT").await.is_ok(), came.1);
            came
        }
        On::Transaction => {
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let came = within(&tx, lends, index).await;
            assert_eq!(tx.commit().await.is_ok(), came.1);
            came
        }
        On::Savepoint => {
            let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
            let savepoint = tx.savepoint().await.unwrap();
            let came = within(&savepoint, lends, index).await;
            match came.1 {
                true => savepoint.commit().await.unwrap(),
                false => savepoint.rollback().await.unwrap(),
            }
            tx.commit().await.unwrap();
            came
        }
    }
}

fn on_blocking(db: &dyn DatabaseService, on: On, index: usize) -> Came {
    match on {
        On::Service => run_blocking(&db, index),
        On::Session => run_blocking(&db.session().unwrap(), index),
        On::ByHand => {
            let session = db.session().unwrap();
            session.batch_execute("BEGIN").unwrap();
            let came = run_blocking(&session, index);
            assert_eq!(session.batch_execute("COMMIT").is_ok(), came.1);
            came
        }
        On::Transaction => {
            let tx = db.begin(TransactionOptions::new()).unwrap();
            let came = run_blocking(&tx, index);
            assert_eq!(tx.commit().is_ok(), came.1);
            came
        }
        On::Savepoint => {
            let mut tx = db.begin(TransactionOptions::new()).unwrap();
            let savepoint = tx.savepoint().unwrap();
            let came = run_blocking(&savepoint, index);
            match came.1 {
                true => savepoint.commit().unwrap(),
                false => savepoint.rollback().unwrap(),
            }
            tx.commit().unwrap();
            came
        }
    }
}

const PLACES: [On; 5] = [On::Service, On::Session, On::Transaction, On::Savepoint, On::ByHand];

#[test]
fn they_run_as_on_the_services_themselves() {
    let runtime = Runtime::new().unwrap();
    let (mut succeeded, mut failed) = (0, 0);
    let database = database();
    let config = Config::from_url(&database.url()).unwrap().max_size(1);
    for (index, (what, _)) in batches().iter().enumerate() {
        for place in PLACES {
            let mut all: Vec<(&str, Left)> = Vec::new();
            for how in ["blocking", "async", "lent", "offloaded", "lent and offloaded"] {
                database.execute(EMPTY).unwrap();
                let blocking = || Arc::new(R2d2Database::new(config.clone()).unwrap());
                let nonblocking = || Arc::new(DeadpoolDatabase::new(config.clone()).unwrap());
                let came = match how {
                    "blocking" => on_blocking(&*blocking(), place, index),
                    "async" => runtime.block_on(on(nonblocking(), place, false, index)),
                    "lent" => runtime.block_on(on(nonblocking(), place, true, index)),
                    _ => {
                        let offloaded = Arc::new(Offloaded::new(blocking()));
                        runtime.block_on(on(offloaded, place, how != "offloaded", index))
                    }
                };
                all.push((how, (came, left(&database))));
            }
            let (_, first) = &all[0];
            for (how, one) in &all {
                assert_eq!(one, first, "{what}: {how} on a {place:?}");
            }
            *(if first.0.0.is_ok() { &mut succeeded } else { &mut failed }) += 1;
        }
    }
    assert_eq!((succeeded, failed), (20, 30));
}

/// The types that a text asked for are known, and have changed since.
#[test]
fn what_is_known_of_a_text_may_have_changed() {
    const INSERT: &str = "INSERT INTO t VALUES ($1)";
    let everything = |db: &dyn Executor, change: &dyn Fn(&str)| -> Result<i64> {
        db.execute(INSERT, &[&AnyInt(1)])?;
        change("int4");
        db.execute_many(INSERT, &[&[&AnyInt(2)], &[&AnyInt(3)]])?;
        change("int8");
        db.run_batch(&Batch::new().execute(INSERT, &[&AnyInt(4)]).execute(INSERT, &[&AnyInt(5)]))?;
        change("int4");
        assert_eq!(db.fetch_iter("SELECT x FROM t WHERE x = $1", &[&AnyInt(3)])?.count(), 1);
        change("int8");
        assert_eq!(db.fetch_iter("SELECT x FROM t WHERE x = $1", &[&AnyInt(3)])?.count(), 1);
        db.fetch_scalar("SELECT sum(x)::int8 FROM t", &[])
    };
    let runtime = Runtime::new().unwrap();
    for size in [1, 2] {
        let database = Arc::new(database());
        // Nothing is kept, so that each run asks for the types as they are.
        let config = Config::from_url(&database.url()).unwrap().max_size(size).statement_cache_size(0);
        let other = database.clone();
        let change = move |ty: &str| other.execute(&format!("ALTER TABLE t ALTER x TYPE {ty}")).unwrap();
        let (db, changes) = (Arc::new(DeadpoolDatabase::new(config.clone()).unwrap()), change.clone());
        let lent = runtime.block_on(async { lend(&db, move |db| everything(db, &changes)).await });
        assert_eq!(lent.unwrap(), 15);
        database.execute("TRUNCATE t").unwrap();
        let blocking = Arc::new(R2d2Database::new(config).unwrap());
        let offloaded = Arc::new(Offloaded::new(blocking));
        let both = runtime.block_on(async { lend(&offloaded, move |db| everything(db, &change)).await });
        assert_eq!(both.unwrap(), 15);
    }
}
