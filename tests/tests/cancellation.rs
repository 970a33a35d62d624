//! Every async operation, dropped after 0, 1, 2 … polls on a pool of one: the next borrower finds a clean connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, Batch, BulkOptions, Bytes, Config, DeadpoolDatabase, Error, Result, ToSql,
    TransactionOptions, prelude::*,
};
use catamaran_testkit::{Database, Polled, drop_after_polls, eventually, shared};

type Service = Arc<dyn AsyncDatabaseService>;
type Operation = fn(Service) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// More polls than any operation here needs.
const ENOUGH: usize = 400;

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (id int8 PRIMARY KEY, note text); INSERT INTO t SELECT n, 'x' FROM generate_series(1, 500) n").unwrap();
    database
}

fn pool_of_one(database: &Database) -> Service {
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(Duration::from_secs(20));
    Arc::new(DeadpoolDatabase::new(config).unwrap())
}

/// What is wrong with the connection that an executor runs on; empty if nothing is.
async fn left_behind(db: &dyn AsyncExecutor) -> Vec<String> {
    let row = db
        .fetch_one(
            "SELECT now() AS began,
                    current_setting('application_name') AS name,
                    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
                    (SELECT count(*) FROM pg_cursors WHERE name = 'c') AS cursors,
                    (SELECT count(*) FROM pg_prepared_statements) AS statements",
            &[],
        )
        .await
        .unwrap();
    let mut wrong = Vec::new();
    // The time stands still within a transaction.
    let began = db.fetch_one("SELECT now()", &[]).await.unwrap();
    if row.get::<SystemTime>("began").unwrap() == began.get::<SystemTime>(0).unwrap() {
        wrong.push("a transaction is open".into());
    }
    if row.get::<String>("name").unwrap() == "left behind" {
        wrong.push("a setting was left".into());
    }
    for (column, limit) in [("locks", 0), ("cursors", 0), ("statements", 20)] {
        let count: i64 = row.get(column).unwrap();
        if count > limit {
            wrong.push(format!("{count} {column}"));
        }
    }
    wrong
}

/// Drops the operation after every number of polls, on a fresh pool and on one that has run it, and looks each time.
async fn drop_at_every_poll(name: &str, operation: Operation) {
    let database = database();
    let mut drops = 0;
    for warm in [false, true] {
        let shared_pool = pool_of_one(&database);
        for polls in 0..ENOUGH {
            let db = if warm { shared_pool.clone() } else { pool_of_one(&database) };
            let outcome = drop_after_polls(operation(db.clone()), polls).await;
            let found = db.fetch_one("SELECT 40 + $1::int8", &[&2i64]).await;
            let found = found.unwrap_or_else(|error| panic!("{name} after {polls} polls: {error:?}"));
            assert_eq!(found.get::<i64>(0).unwrap(), 42, "{name} after {polls} polls");
            let wrong = left_behind(&*db).await;
            assert!(wrong.is_empty(), "{name} after {polls} polls: {wrong:?}");
            assert!(db.status().size <= 1, "{name} after {polls} polls: {:?}", db.status());
            match outcome {
                Polled::Done(result) => {
                    result.unwrap_or_else(|error| panic!("{name} undisturbed: {error:?}"));
                    break;
                }
                Polled::Dropped => drops += 1,
            }
            assert!(polls + 1 < ENOUGH, "{name} never ended");
        }
    }
    assert!(drops > 2, "{name} was hardly ever dropped: {drops}");
    let in_transaction =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    // The server may not have noticed yet that the last of the pools is gone.
    let none_is_open = || database.texts(in_transaction).unwrap() == [Some("0".to_string())];
    assert!(eventually(Duration::from_secs(20), none_is_open), "{name}");
}

macro_rules! operations {
    ($($name:ident: |$db:ident| $body:block)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            drop_at_every_poll(stringify!($name), |$db| Box::pin(async move { $body; Ok(()) })).await;
        }
    )*};
}

operations! {
    execute: |db| { db.execute("UPDATE t SET note = $1 WHERE id = $2", &[&"y", &1i64]).await? }
    fetch_all: |db| { db.fetch_all("SELECT * FROM t", &[]).await? }
    fetch_one: |db| { db.fetch_one("SELECT * FROM t WHERE id = 1", &[]).await? }
    fetch_optional: |db| { db.fetch_optional("SELECT * FROM t WHERE id = 0", &[]).await? }
    slow_statement: |db| { db.fetch_all("SELECT pg_sleep(0.3)", &[]).await? }
    statement_with_unknown_type: |db| { db.fetch_all("SELECT NULL::information_schema.sql_identifier", &[]).await? }
    batch: |db| { db.batch_execute("SELECT 1; UPDATE t SET note = 'z' WHERE id = 2; SELECT 2").await? }
    hand_written_begin: |db| { db.batch_execute("BEGIN; UPDATE t SET note = 'b' WHERE id = 3").await? }
    settings_and_locks: |db| {
        db.batch_execute("SET application_name = 'left behind'; SELECT pg_advisory_lock(7)").await?;
        db.execute("SET application_name = 'left behind'", &[]).await?;
        db.execute("SELECT pg_advisory_lock(7)", &[]).await?;
        db.batch_execute("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t; COMMIT").await?
    }
    describe: |db| { db.describe("SELECT * FROM t WHERE id = $1").await? }
    ping: |db| { db.ping().await? }
    stream_to_the_end: |db| {
        let mut rows = db.fetch_stream("SELECT * FROM t", &[]).await?;
        while let Some(row) = rows.next().await { row?; }
    }
    stream_left_early: |db| {
        let mut rows = db.fetch_stream("SELECT repeat('x', 1000) FROM generate_series(1, 100000)", &[]).await?;
        for _ in 0..3 { rows.next().await.unwrap()?; }
    }
    copy_out_left_early: |db| {
        let mut data = db.copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT").await?;
        for _ in 0..3 { data.next().await.unwrap()?; }
    }
    copy_in: |db| {
        db.execute("DELETE FROM t WHERE id > 1000", &[]).await?;
        let chunks = (1001..1004).map(|n| Ok(Bytes::from(format!("{n}\tcopied\n"))));
        db.copy_in("COPY t FROM STDIN", &mut futures_util::stream::iter(chunks)).await?
    }
    execute_many: |db| {
        let sets: Vec<[&(dyn ToSql + Sync); 2]> = (0..300).map(|_| [&"many" as _, &7i64 as _]).collect();
        let sets: Vec<_> = sets.iter().map(|set| set.as_slice()).collect();
        db.execute_many("UPDATE t SET note = $1 WHERE id = $2", &sets).await?
    }
    execute_many_that_fails: |db| {
        db.execute("DELETE FROM t WHERE id > 1000", &[]).await?;
        let sets: Vec<[&(dyn ToSql + Sync); 1]> = (0..300).map(|_| [&2000i64 as _]).collect();
        let sets: Vec<_> = sets.iter().map(|set| set.as_slice()).collect();
        let failed = db.execute_many("INSERT INTO t VALUES ($1, 'twice')", &sets).await;
        assert_eq!(failed.unwrap_err().index(), Some(1));
    }
    slow_sets: |db| {
        db.execute_many("SELECT pg_sleep($1)", &[&[&0.2f64], &[&0.2f64]]).await?
    }
    run_batch: |db| {
        let batch = Batch::new()
            .execute("CREATE TEMP TABLE IF NOT EXISTS temporary (x int)", &[])
            .execute("INSERT INTO temporary VALUES ($1)", &[&1i32])
            .fetch_all("SELECT * FROM t", &[])
            .execute("SET application_name = 'left behind'", &[])
            .execute("UPDATE t SET note = 'batch' WHERE id = 8", &[]);
        db.run_batch(&batch).await?
    }
    execute_rows_in_transaction: |db| {
        let rows = (0..50i64).map(|id| ("bulk", id));
        let sql = "UPDATE t SET note = $1 WHERE id = $2";
        db.execute_rows_in_transaction(TransactionOptions::new(), sql, rows, BulkOptions::new().chunk(20)).await?
    }
    execute_unnest: |db| {
        let sql = "INSERT INTO t SELECT * FROM UNNEST($1::int8[], $2::text[]) ON CONFLICT (id) DO UPDATE SET note = 'u'";
        db.execute_unnest(sql, (0..50i64).map(|id| (id, "x")), BulkOptions::new().chunk(20)).await?
    }
    begin: |db| { db.begin(TransactionOptions::new()).await? }
    commit: |db| {
        let tx = db.begin(TransactionOptions::new()).await?;
        tx.execute("UPDATE t SET note = 'c' WHERE id = 4", &[]).await?;
        tx.commit().await?
    }
    rollback: |db| {
        let tx = db.begin(TransactionOptions::new()).await?;
        tx.execute("UPDATE t SET note = 'c' WHERE id = 4", &[]).await?;
        tx.rollback().await?
    }
    savepoints: |db| {
        let mut tx = db.begin(TransactionOptions::new()).await?;
        let mut outer = tx.savepoint().await?;
        let inner = outer.savepoint().await?;
        inner.execute("UPDATE t SET note = 's' WHERE id = 5", &[]).await?;
        inner.rollback().await?;
        outer.commit().await?;
        tx.commit().await?
    }
    session: |db| {
        let mut session = db.session().await?;
        session.execute("SET application_name = 'left behind'", &[]).await?;
        session.batch_execute("CREATE TEMP TABLE temporary (x int)").await?;
        let tx = session.begin(TransactionOptions::new()).await?;
        tx.execute("INSERT INTO temporary VALUES (1)", &[]).await?;
        drop(tx);
        session.fetch_all("SELECT * FROM temporary", &[]).await?
    }
    closure: |db| {
        db.transaction(TransactionOptions::new(), async |tx| {
            tx.execute("UPDATE t SET note = 'closure' WHERE id = 6", &[]).await?;
            Ok::<_, Error>(())
        }).await?
    }
}

/// The look at the connection sees what it is there to see.
#[tokio::test]
async fn control_a_connection_that_is_not_clean_is_noticed() {
    let database = database();
    let db = pool_of_one(&database);
    let session = db.session().await.unwrap();
    session.batch_execute("SET application_name = 'left behind'; SELECT pg_advisory_lock(7); BEGIN").await.unwrap();
    session.batch_execute("DECLARE c CURSOR FOR SELECT 1").await.unwrap();
    assert_eq!(left_behind(&*session).await, ["a transaction is open", "a setting was left", "1 locks", "1 cursors"]);
}
