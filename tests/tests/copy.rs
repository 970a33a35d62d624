//! COPY that is refused, that fails late or that is given up: nothing is reported that is not kept, and nothing of it is
//! left on the connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use catamaran::{
    AsyncExecutor, AsyncSession, BulkOptions, Bytes, Config, DeadpoolDatabase, Error, ErrorKind, R2d2Database, Result,
    TransactionOptions, prelude::*,
};
use catamaran_testkit::{Database, drop_after_polls, eventually, shared};
use catamaran_tests::{
    faces::{Face, LONG, Work, on_each},
    faults::ask,
    ids,
};
use futures_util::stream;
use tokio::task::JoinSet;

fn database() -> (Arc<Database>, Config) {
    let database = shared().unwrap().database().unwrap();
    database
        .execute(
            "CREATE TABLE parent (id int8 PRIMARY KEY);
             INSERT INTO parent VALUES (1);
             CREATE TABLE child (id int8 REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE once (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE plain (id int8, name text);",
        )
        .unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG);
    (Arc::new(database), config)
}

fn rows(database: &Database, table: &str) -> i64 {
    let count = database.texts(&format!("SELECT count(*)::text FROM {table}")).unwrap();
    count[0].as_ref().unwrap().parse().unwrap()
}

/// Whether a call ended in an error of the server with this code.
fn failed<T: std::fmt::Debug>(result: &Result<T>, code: &str) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::Server && error.sqlstate() == Some(code))
}

async fn drain(db: &dyn AsyncExecutor, sql: &str) -> Result<usize> {
    let (mut data, mut bytes) = (db.copy_out(sql).await?, 0);
    while let Some(chunk) = data.next().await {
        bytes += chunk?.len();
    }
    Ok(bytes)
}

/// A table, the code of what is violated there, and how it is copied; how often the row is there decides.
const DEFERRED: [(&str, &str, Work<Result<()>>); 6] = [
    ("child", "23503", |db, id| Box::pin(async move { lines(db, "COPY child FROM STDIN", &[1, id]).await })),
    ("once", "23505", |db, id| Box::pin(async move { lines(db, "COPY once FROM STDIN", &[2, id]).await })),
    ("child", "23503", |db, id| Box::pin(async move { typed(db, "child", [1, id]).await })),
    ("once", "23505", |db, id| Box::pin(async move { typed(db, "once", [2, id]).await })),
    ("child", "23503", |db, id| {
        Box::pin(async move {
            drain(db, &format!("COPY (INSERT INTO child VALUES ({id}) RETURNING id) TO STDOUT")).await.map(drop)
        })
    }),
    ("once", "23505", |db, id| {
        Box::pin(async move {
            drain(db, &format!("COPY (INSERT INTO once VALUES (2), ({id}) RETURNING id) TO STDOUT")).await.map(drop)
        })
    }),
];

/// The id of [`DEFERRED`] that is fine, and the one that is not.
fn ids(table: &str) -> [usize; 2] {
    if table == "child" { [1, 7] } else { [3, 2] }
}

async fn lines(db: &dyn AsyncExecutor, sql: &str, ids: &[usize]) -> Result<()> {
    let chunks = ids.iter().map(|id| Ok(Bytes::from(format!("{id}\n"))));
    let count = db.copy_in(sql, &mut stream::iter(chunks.collect::<Vec<_>>())).await?;
    assert_eq!(count, ids.len() as u64);
    Ok(())
}

/// Whoever asked to be told is not told of rows that are not kept.
async fn typed(db: &dyn AsyncExecutor, table: &str, ids: [usize; 2]) -> Result<()> {
    let told = AtomicU64::new(0);
    let rows = ids.map(|id| (id as i64,));
    let options = BulkOptions::new().progress(|rows| told.store(rows, SeqCst));
    let copied = db.copy_rows_in_with(table, &["id"], rows, options).await;
    if copied.is_err() {
        return copied.map(drop);
    }
    assert_eq!((copied.unwrap(), told.load(SeqCst)), (2, 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deferred_violation_is_reported_by_the_copy_itself() {
    let (database, config) = database();
    for (table, code, work) in DEFERRED {
        on_each(&config, |opened| {
            let database = database.clone();
            async move {
                let clear = format!("TRUNCATE {table}");
                let [fine, violated] = ids(table);
                let db = &*opened.db;
                opened.work(db, work, fine).await.unwrap();
                assert!(rows(&database, table) > 0, "control: what violates nothing is kept");
                database.execute(&clear).unwrap();
                let result = opened.work(db, work, violated).await;
                assert!(failed(&result, code), "service: {result:?}");
                let session = db.session().await.unwrap();
                let result = opened.work(&*session, work, violated).await;
                assert!(failed(&result, code), "session: {result:?}");
                drop(session);
                let tx = db.begin(TransactionOptions::new()).await.unwrap();
                opened.work(&*tx, work, violated).await.unwrap();
                let result = tx.commit().await;
                assert!(failed(&result, code), "transaction: {result:?}");
                assert_eq!(rows(&database, table), 0, "{table}");
                assert_eq!(ask(db, 5).await.unwrap(), 5);
            }
        })
        .await;
    }
}

/// Whoever shares a connection with a COPY that is refused reads their own rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_the_row_of_another_after_a_refused_copy() {
    let (_database, config) = database();
    for face in [Face::Sharing, Face::Apart, Face::Offloaded] {
        let db = face.open(&config).db;
        let mut tasks = JoinSet::new();
        for task in 0..16i64 {
            let db = db.clone();
            tasks.spawn(async move {
                let mut refused = 0;
                for number in 0..50 {
                    if number % 10 == task % 10 {
                        let sql = ["COPY missing FROM STDIN", "COPY plain (id, id) FROM STDIN"]
                            [usize::from(number % 20 < 10)];
                        let result = lines(&*db, sql, &[1]).await;
                        assert!(failed(&result, "42P01") || failed(&result, "42701"), "{face}: {result:?}");
                        refused += 1;
                    }
                    let number = task * 1_000 + number;
                    assert_eq!(ask(&*db, number).await.unwrap(), number, "{face}");
                }
                refused
            });
        }
        let refused: usize = tasks.join_all().await.into_iter().sum();
        assert!(refused >= 16 * 5, "control: {refused} were refused");
        assert!(db.execute("SELECT 1/0", &[]).await.is_err(), "{face}");
    }
}

/// A savepoint does not protect from a reply that belongs to somebody else, and must not have to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_copy_in_a_savepoint() {
    let (database, config) = database();
    on_each(&config, |opened| {
        let database = database.clone();
        async move {
            let db = &*opened.db;
            database.execute("TRUNCATE plain").unwrap();
            let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute("INSERT INTO plain VALUES (1)", &[]).await.unwrap();
            let savepoint = tx.savepoint().await.unwrap();
            let refused: Work<Result<()>> =
                |db, _| Box::pin(async move { lines(db, "COPY missing FROM STDIN", &[1]).await });
            assert!(opened.work(&*savepoint, refused, 0).await.is_err());
            drop(savepoint);
            for number in 0..20 {
                match ask(&*tx, number).await {
                    Ok(answer) => assert_eq!(answer, number),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}"),
                }
            }
            let committed = tx.commit().await;
            assert_eq!(rows(&database, "plain"), i64::from(committed.is_ok()), "{committed:?}");
            assert_eq!(ask(db, 7).await.unwrap(), 7);
        }
    })
    .await;
}

/// How many locks others have on the table.
fn locks(database: &Database) -> i64 {
    let sql = "SELECT count(*)::text FROM pg_locks WHERE relation = 'plain'::regclass";
    database.texts(sql).unwrap()[0].as_ref().unwrap().parse().unwrap()
}

fn on_purpose() -> Error {
    Error::new(ErrorKind::Decode, "on purpose")
}

/// What makes a COPY end by an error of the client's, on a blocking executor.
type Failing = fn(&dyn Executor) -> Result<u64>;

const FAILING: [Failing; 5] = [
    |db| db.copy_in("COPY plain FROM STDIN", &mut [Err(on_purpose())].into_iter()),
    |db| db.copy_in("COPY plain FROM STDIN", &mut [Ok(Bytes::from("1\tx\n")), Err(on_purpose())].into_iter()),
    |db| {
        let many = (0..20_000).map(|n| if n == 19_999 { Err(on_purpose()) } else { Ok(Bytes::from("1\tx\n")) });
        db.copy_in("COPY plain FROM STDIN", &mut many.into_iter())
    },
    |db| db.copy_rows_in("plain", &["id", "name"], [(1i64, "x"), (2, "\0")]),
    |db| {
        let panics = || -> Option<Result<Bytes>> { std::panic::resume_unwind(Box::new("on purpose")) };
        let mut chunks = [Ok(Bytes::from("1\tx\n"))].into_iter().chain(std::iter::from_fn(panics));
        let copying = std::panic::AssertUnwindSafe(|| db.copy_in("COPY plain FROM STDIN", &mut chunks));
        std::panic::catch_unwind(copying).unwrap_or_else(|_| Err(on_purpose()))
    },
];

#[test]
fn a_copy_that_the_client_gives_up_is_over_when_the_connection_is_back() {
    let (database, config) = database();
    let db = R2d2Database::new(config).unwrap();
    let session = db.session().unwrap();
    session.batch_execute("BEGIN; LOCK TABLE plain").unwrap();
    assert_eq!(locks(&database), 1, "control: a lock is seen");
    drop(session);
    for (index, failing) in FAILING.into_iter().enumerate() {
        assert!(failing(&db).is_err(), "{index}");
        assert!(eventually(LONG, || db.status().in_use == 0), "{index}");
        assert_eq!((locks(&database), rows(&database, "plain")), (0, 0), "{index}: on the service");
        let session = db.session().unwrap();
        assert!(failing(&*session).is_err(), "{index}");
        drop(session);
        assert!(eventually(LONG, || db.status().in_use == 0), "{index}");
        assert_eq!((locks(&database), rows(&database, "plain")), (0, 0), "{index}: on a session");
        assert_eq!(db.fetch_scalar::<i64>("SELECT 5::int8", &[]).unwrap(), 5, "{index}");
    }
}

/// Words that stand in quotes, and comments that are none, do not change which way the data goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_way_the_data_goes_is_told_by_the_statement_alone() {
    let (database, config) = database();
    database.execute("CREATE TABLE \"to stdout\" (id int8, \"stdin\" text)").unwrap();
    on_each(&config, |opened| {
        let database = database.clone();
        async move {
            let into: Work<Result<()>> = |db, index| {
                let sql = [
                    "COPY plain FROM STDIN WITH (NULL 'stdout')",
                    "COPY plain FROM STDIN WITH (NULL '--', DELIMITER '|') -- to stdout",
                    "COPY \"to stdout\" (id, \"stdin\") FROM /* to stdout */ STDIN WITH (FORMAT csv, NULL '/*', DELIMITER E'\\t')",
                ][index];
                let row = ["1\tstdout\n", "1|--\n", "1\t/*\n"][index];
                Box::pin(async move { db.copy_in(sql, &mut stream::iter([Ok(Bytes::from(row))])).await.map(drop) })
            };
            let out: Work<Result<usize>> = |db, index| {
                let sql = [
                    "COPY (SELECT '--') TO STDOUT",
                    "COPY (SELECT '/*' AS \"from stdin\") TO STDOUT WITH (DELIMITER '|', NULL 'from stdin')",
                    "COPY (SELECT $$ -- from stdin $$::text) TO STDOUT -- from stdin",
                ][index];
                Box::pin(async move { drain(db, sql).await })
            };
            database.execute("TRUNCATE plain, \"to stdout\"").unwrap();
            for index in 0..3 {
                opened.work(&*opened.db, into, index).await.unwrap();
                assert!(opened.work(&*opened.db, out, index).await.unwrap() > 0);
            }
            let nulls = "plain WHERE id = 1 AND name IS NULL";
            assert_eq!((rows(&database, nulls), rows(&database, "\"to stdout\"")), (2, 1));
        }
    })
    .await;
}

/// Whoever comes behind a COPY that is dropped, from another thread, does not get its answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_call_right_behind_a_dropped_copy_gets_its_own_answer() {
    const ROUNDS: usize = 300;

    let database = ids::database();
    database
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
        )
        .unwrap();
    let db = DeadpoolDatabase::new(ids::config(&database)).unwrap();
    for round in 0..ROUNDS {
        let session: Arc<dyn AsyncSession> = Arc::from(db.session().await.unwrap());
        if round % 2 == 0 {
            session.batch_execute("BEGIN").await.unwrap();
        }
        let (copies, asks) = (session.clone(), session.clone());
        let copying = tokio::spawn(async move {
            let mut chunks = stream::iter((0..4).map(|n| Ok(Bytes::from(format!("{n}\n")))));
            drop(drop_after_polls(copies.copy_in("COPY t FROM STDIN", &mut chunks), 2 + round / 2 % 8).await);
        });
        let asking = tokio::spawn(async move {
            loop {
                match asks.batch_execute("SELECT 1 / 0").await {
                    Err(error) if error.kind() == ErrorKind::Busy => tokio::task::yield_now().await,
                    answer => return answer,
                }
            }
        });
        copying.await.unwrap();
        let answer = asking.await.unwrap().unwrap_err();
        let is_its_own =
            matches!(answer.sqlstate(), Some("22012" | "25P02")) || answer.kind() == ErrorKind::ConnectionLost;
        assert!(is_its_own, "round {round}: {answer:?}");
    }
}
