//! Kept statements whose tables and types others have changed: each way of running finds back by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    net::ToSocketAddrs as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use catamaran::{AsyncExecutor, Batch, Config, ErrorKind, Outcome, Result, Row, ToSql, TransactionOptions};
use catamaran_testkit::{Database, shared};
use catamaran_tests::{
    faces::{Face, LONG, Opened, Work, on_each},
    foreign::Foreign,
};

/// Tables and types as they are at first, what reads them, and how another changes them.
const CHANGES: [(&str, &str, &str); 12] = [
    ("", "SELECT * FROM t", "ALTER TABLE t ADD COLUMN more int DEFAULT 7"),
    ("", "SELECT * FROM t", "ALTER TABLE t DROP COLUMN note"),
    ("", "SELECT id FROM t", "ALTER TABLE t ALTER id TYPE bigint USING 5000000000"),
    (
        "",
        "SELECT * FROM t",
        "DROP TABLE t; CREATE TABLE t (other text, id uuid); INSERT INTO t VALUES ('new', 'c5f1f0a2-0000-4000-8000-000000000001')",
    ),
    ("", "SELECT note FROM t", "ALTER TABLE t RENAME note TO old; ALTER TABLE t ADD COLUMN note int DEFAULT 5"),
    ("", "SELECT t FROM t", "ALTER TABLE t RENAME COLUMN note TO renamed"),
    (
        "",
        "SELECT t, ARRAY[t] AS all FROM t",
        "ALTER TABLE t DROP COLUMN note; ALTER TABLE t ADD COLUMN note int DEFAULT 9",
    ),
    (
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); ALTER TABLE t ADD COLUMN mood mood DEFAULT 'glad'",
        "SELECT mood, ARRAY[mood] AS moods FROM t",
        "ALTER TABLE t DROP COLUMN mood; DROP TYPE mood; CREATE TYPE mood AS ENUM ('new');
         ALTER TABLE t ADD COLUMN mood mood DEFAULT 'new'",
    ),
    (
        "CREATE TYPE pair AS (a int, b text); ALTER TABLE t ADD COLUMN pair pair DEFAULT '(1,x)'",
        "SELECT pair FROM t",
        "ALTER TYPE pair ADD ATTRIBUTE c int; ALTER TYPE pair RENAME ATTRIBUTE a TO z; UPDATE t SET pair = '(1,x,3)'",
    ),
    (
        "CREATE TYPE pair AS (a int, b text); ALTER TABLE t ADD COLUMN pair pair DEFAULT '(1,x)'",
        "SELECT pair FROM t",
        "ALTER TABLE t DROP COLUMN pair; DROP TYPE pair; CREATE TYPE pair AS (b text, a int);
         ALTER TABLE t ADD COLUMN pair pair DEFAULT '(x,1)'",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT f() AS f",
        "DROP FUNCTION f(); CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''two'''",
    ),
    ("CREATE VIEW v AS SELECT id FROM t", "SELECT * FROM v", "DROP VIEW v; CREATE VIEW v AS SELECT note, id FROM t"),
];

/// A text's rows as JSON; only their number where nothing else is to be had.
type Way = (&'static str, Work<Result<Vec<String>>>);

macro_rules! ways {
    ($($name:ident |$db:ident, $sql:ident| $body:block)*) => {
        const WAYS: &[Way] = &[$((stringify!($name), |$db, change| {
            let $sql = CHANGES[change].1;
            Box::pin(async move { $body })
        })),*];
    };
}

ways! {
    fetch_all |db, sql| { Ok(json(&db.fetch_all(sql, &[]).await?)) }
    fetch_one |db, sql| { Ok(json(&[db.fetch_one(sql, &[]).await?])) }
    fetch_optional |db, sql| { Ok(json(&db.fetch_optional(sql, &[]).await?.into_iter().collect::<Vec<_>>())) }
    fetch_each |db, sql| {
        let mut rows = Vec::new();
        db.fetch_each(sql, &[], &mut |row| { rows.extend(json(std::slice::from_ref(row))); Ok(()) }).await?;
        Ok(rows)
    }
    stream |db, sql| {
        let (mut stream, mut rows) = (db.fetch_stream(sql, &[]).await?, Vec::new());
        while let Some(row) = stream.next().await { rows.extend(json(&[row?])); }
        Ok(rows)
    }
    execute |db, sql| { count(&[db.execute(sql, &[]).await?]) }
    execute_many_of_one |db, sql| { count(&db.execute_many(sql, &[&[]]).await?) }
    execute_many |db, sql| { count(&db.execute_many(sql, &[&[], &[]]).await?) }
    run_batch |db, sql| {
        let batch = Batch::new().execute("SELECT 1", &[]).fetch_all(sql, &[]);
        Ok(db.run_batch(&batch).await?.pop().map(Outcome::into_rows).map(|rows| json(&rows)).unwrap_or_default())
    }
    describe |db, sql| { db.describe(sql).await?; count(&[1]) }
}

fn json(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| serde_json::to_string(row).unwrap_or_else(|error| error.to_string())).collect()
}

fn count(counts: &[u64]) -> Result<Vec<String>> {
    Ok(counts.iter().map(u64::to_string).collect())
}

const TABLE: &str = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;
                     CREATE TABLE t (id int, note text); INSERT INTO t VALUES (1, 'x');";

fn database() -> (Arc<Database>, Config) {
    let database = shared().unwrap().database().unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG);
    (Arc::new(database), config)
}

/// What the server itself makes of the rows of each text, before and after the change.
fn expected(database: &Database) -> Vec<[Vec<String>; 2]> {
    let changes = CHANGES.iter().map(|(setup, sql, then)| {
        let rows = || {
            let rows = database.texts(&format!("SELECT row_to_json(rows)::text FROM ({sql}) rows")).unwrap();
            rows.into_iter().flatten().collect::<Vec<_>>()
        };
        database.execute(&format!("{TABLE}{setup}")).unwrap();
        let before = rows();
        database.execute(then).unwrap();
        let both = [before, rows()];
        assert_ne!(both[0], both[1], "control: {sql} is changed");
        both
    });
    changes.collect()
}

/// How often a kept text fails after the change until it is right; it must never be wrong.
async fn changed(
    opened: &Opened,
    database: &Database,
    on: &dyn AsyncExecutor,
    way: Way,
    (change, expected): (usize, &[Vec<String>; 2]),
) -> Result<usize, String> {
    let (setup, _, then) = CHANGES[change];
    database.execute(&format!("{TABLE}{setup}")).unwrap();
    let mut failures = 0;
    for changed in [false, true] {
        if changed {
            database.execute(then).unwrap();
            failures = 0;
        }
        let expected = &expected[usize::from(changed)];
        let mut rounds = 2;
        while rounds > 0 {
            match opened.work(on, way.1, change).await {
                Ok(rows) if rows == *expected || rows.iter().all(|row| row == "1") => rounds -= 1,
                Ok(rows) => return Err(format!("{rows:?} instead of {expected:?}")),
                // Before the change, what was changed for others may have to be noticed.
                Err(_) if failures == 0 => failures += 1,
                Err(error) => return Err(format!("{error:?} again, {}", if changed { "after" } else { "before" })),
            }
        }
    }
    Ok(failures)
}

async fn every_change(database: Arc<Database>, config: &Config) {
    let (tried, failures) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let expected = Arc::new(expected(&database));
    on_each(config, |mut opened| {
        let expected = expected.clone();
        let (database, config) = (database.clone(), config.clone());
        let (tried, failures) = (tried.clone(), failures.clone());
        async move {
            let mut wrong = Vec::new();
            for (index, &way) in WAYS.iter().enumerate() {
                for change in 0..CHANGES.len() {
                    let (on_session, expected) = ((index + change) % 2 == 1, (change, &expected[change]));
                    let result = if on_session {
                        let session = opened.db.session().await.unwrap();
                        changed(&opened, &database, &*session, way, expected).await
                    } else {
                        changed(&opened, &database, &*opened.db, way, expected).await
                    };
                    tried.fetch_add(1, SeqCst);
                    match result {
                        Ok(count) => drop(failures.fetch_add(count, SeqCst)),
                        Err(what) => {
                            let (_, sql, then) = CHANGES[change];
                            wrong.push(format!("{} of {sql} (session: {on_session}), {then}: {what}", way.0));
                            // The next one is not to suffer for it.
                            opened = opened.face.open(&config);
                        }
                    }
                }
            }
            assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        }
    })
    .await;
    let (tried, failures) = (tried.load(SeqCst), failures.load(SeqCst));
    println!("{tried} changes, {failures} failures");
    assert!(failures * 10 < tried, "{failures} failures in {tried} changes: mostly there is none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_of_running_follows_each_change() {
    let (database, config) = database();
    every_change(database, &config).await;
}

/// A refusal is not known by its words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_another_language() {
    let (database, _) = database();
    let server = (database.server().host().unwrap(), database.server().port());
    let foreign = Foreign::start(server.to_socket_addrs().unwrap().next().unwrap());
    let config = Config::from_url(&database.url_via(foreign.address())).unwrap().max_size(1).checkout_timeout(LONG);
    let plain = Face::Sharing.open(&config).db.execute("SELECT 1/0", &[]).await.unwrap_err();
    assert_eq!((plain.server_error().unwrap().severity.as_str(), plain.kind()), ("FEHLE", ErrorKind::Server));
    every_change(database, &config).await;
    assert!(foreign.translated() > 10, "control: {} refusals were translated", foreign.translated());
}

/// Updates by a number of the type that the column has.
const PARAMETERS: [(&str, Work<Result<()>>); 6] = [
    ("execute", |db, wide| Box::pin(async move { db.execute(UPDATE, &[number(wide)]).await.map(drop) })),
    ("fetch_all", |db, wide| Box::pin(async move { db.fetch_all(UPDATE, &[number(wide)]).await.map(drop) })),
    ("fetch_each", |db, wide| Box::pin(async move { db.fetch_each(UPDATE, &[number(wide)], &mut |_| Ok(())).await })),
    ("stream", |db, wide| {
        Box::pin(async move {
            let mut rows = db.fetch_stream(UPDATE, &[number(wide)]).await?;
            while let Some(row) = rows.next().await {
                row?;
            }
            Ok(())
        })
    }),
    ("execute_many", |db, wide| {
        Box::pin(async move { db.execute_many(UPDATE, &[&[number(wide)], &[number(wide)]]).await.map(drop) })
    }),
    ("run_batch", |db, wide| {
        Box::pin(async move {
            let params = [number(wide)];
            let batch = Batch::new().execute("SELECT 1", &[]).execute(UPDATE, &params);
            db.run_batch(&batch).await.map(drop)
        })
    }),
];

const UPDATE: &str = "UPDATE t SET id = $1 RETURNING id";

fn number(wide: usize) -> &'static (dyn ToSql + Sync) {
    [&5i32 as &(dyn ToSql + Sync), &5_000_000_000i64][wide]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_whose_column_has_changed_its_type() {
    let (database, config) = database();
    for (name, work) in PARAMETERS {
        on_each(&config, |opened| {
            let database = database.clone();
            async move {
                let db = &*opened.db;
                let reset = || database.execute(TABLE).unwrap();
                let widen = || database.execute("ALTER TABLE t ALTER id TYPE bigint").unwrap();
                let id = || database.texts("SELECT id::text FROM t").unwrap()[0].clone().unwrap();
                reset();
                for _ in 0..2 {
                    opened.work(db, work, 0).await.unwrap();
                }
                assert_eq!(opened.work(db, work, 1).await.unwrap_err().kind(), ErrorKind::Encode, "control: {name}");
                widen();
                for _ in 0..2 {
                    opened.work(db, work, 1).await.unwrap_or_else(|error| panic!("{name} on a service: {error:?}"));
                }
                assert_eq!(id(), "5000000000", "{name}");
                reset();
                let _ = opened.work(db, work, 0).await;
                opened.work(db, work, 0).await.unwrap();
                widen();
                // Nothing has run, and so the transaction has not failed.
                let tx = db.begin(TransactionOptions::new()).await.unwrap();
                opened.work(&*tx, work, 1).await.unwrap_or_else(|error| panic!("{name} in a transaction: {error:?}"));
                tx.commit().await.unwrap();
                assert_eq!(id(), "5000000000", "{name}");
            }
        })
        .await;
    }
}

#[derive(Debug, ToSql)]
#[postgres(name = "mood", rename_all = "lowercase")]
enum Mood {
    Sad,
    Glad,
}

#[derive(Debug, ToSql)]
#[postgres(name = "mood", rename_all = "lowercase")]
enum More {
    #[allow(dead_code, reason = "the type must have it")]
    Sad,
    #[allow(dead_code, reason = "the type must have it")]
    Glad,
    New,
}

/// An enum that has got a value is known by the next statement, also where that is not kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_value_of_an_enum_can_be_sent_whatever_is_kept() {
    const SETUP: &str = "DROP TABLE IF EXISTS m; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('sad', 'glad'); \
                         CREATE TABLE m (x mood, at timestamptz, more mood[])";

    let (database, config) = database();
    for size in [100, 0] {
        on_each(&config.clone().statement_cache_size(size), |opened| {
            let database = database.clone();
            async move {
                for text in [
                    "INSERT INTO m VALUES ($1::mood, NULL, ARRAY[$1::mood])",
                    "INSERT INTO m VALUES ($1, 'now')",
                    "/* %d */ INSERT INTO m VALUES ($1)",
                    "INSERT INTO m (more) VALUES ($1)",
                ] {
                    database.execute(SETUP).unwrap();
                    let numbered = |number: usize| text.replace("%d", &number.to_string());
                    let is_list = text.contains("(more)");
                    let old: &(dyn ToSql + Sync) =
                        if is_list { &[Mood::Sad, Mood::Glad].as_slice() } else { &Mood::Sad };
                    opened.db.execute(&numbered(0), &[old]).await.unwrap();
                    database.execute("ALTER TYPE mood ADD VALUE 'new'").unwrap();
                    let new: &(dyn ToSql + Sync) = if is_list { &[More::New].as_slice() } else { &More::New };
                    for number in 1..4 {
                        let result = opened.db.execute(&numbered(number), &[new]).await;
                        assert!(result.is_ok(), "{}, {size} kept, {text}: {result:?}", opened.face);
                    }
                    let tx = opened.db.begin(TransactionOptions::new()).await.unwrap();
                    tx.execute_many(&numbered(9), &[&[new], &[new]]).await.unwrap();
                    tx.commit().await.unwrap();
                    // What fits no type is told, and not tried for ever.
                    let wrong = opened.db.execute(&numbered(10), &[&"x"]).await.unwrap_err();
                    assert_eq!(wrong.kind(), ErrorKind::Encode, "{}, {text}", opened.face);
                }
            }
        })
        .await;
    }
}
