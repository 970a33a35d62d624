//! Tables and types that change every 50 ms beside readers on both services: no wrong value, and no error that lasts.
//!
//! Each value tells which column it is of, so that a row that is read by an old description is noticed. The fields of a
//! composite have no names on the wire: one that is renamed while it is on the way may have the name of the moment before,
//! and that alone is let pass until the changes have ended. Runs for 5 s, and with `CATAMARAN_LONG=1` for 20 s.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, Batch, Config, DeadpoolDatabase, Outcome, R2d2Database, Result, Row,
};
use catamaran_testkit::shared;
use catamaran_tests::{
    faces::LONG,
    inline::{InlineService, at_once},
};
use serde_json::Value;
use tokio::{task::JoinSet, time::timeout};

const TASKS: usize = 16;
const POOL: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// Tables whose values are the names of their columns, or 7 where these begin with an `n`.
const SCHEMA: &str = "
    CREATE TYPE pair AS (x text, y text);
    CREATE TYPE mood AS ENUM ('mood', 'other');
    CREATE TABLE t (a text, b text, n int);
    INSERT INTO t SELECT 'a', 'b', 7 FROM generate_series(1, 3);
    CREATE TABLE u (c pair, mood mood);
    INSERT INTO u VALUES ('(x,y)', 'mood');";

/// Each is made in one transaction; after the last the first can be made again.
const CHANGES: [&str; 14] = [
    "ALTER TABLE t RENAME a TO d; UPDATE t SET d = 'd'",
    "ALTER TABLE t ADD COLUMN e text DEFAULT 'e'",
    "ALTER TABLE t ALTER n TYPE bigint",
    "ALTER TYPE pair ADD ATTRIBUTE z text; UPDATE u SET c = '(x,y,z)'",
    "ALTER TABLE t RENAME b TO g; UPDATE t SET g = 'g'; ALTER TABLE t RENAME e TO b; UPDATE t SET b = 'b'",
    "ALTER TYPE mood RENAME VALUE 'mood' TO 'mooded'; ALTER TYPE mood RENAME VALUE 'other' TO 'mood';
     UPDATE u SET mood = 'mood'",
    "ALTER TYPE pair RENAME ATTRIBUTE x TO w; UPDATE u SET c = '(w,y,z)'",
    "DROP TABLE t; CREATE TABLE t (n text, b text, a text); INSERT INTO t VALUES ('7', 'b', 'a')",
    "ALTER TABLE u DROP COLUMN c; DROP TYPE pair; CREATE TYPE pair AS (n int, y text);
     ALTER TABLE u ADD COLUMN c pair DEFAULT '(7,y)'",
    "ALTER TABLE u DROP COLUMN mood; DROP TYPE mood; CREATE TYPE mood AS ENUM ('second', 'mood');
     ALTER TABLE u ADD COLUMN mood mood DEFAULT 'mood'",
    "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n int DEFAULT 7",
    "ALTER TABLE t ALTER n TYPE text USING '7'",
    "DROP TABLE t; DROP TABLE u; DROP TYPE pair; DROP TYPE mood;
     CREATE TYPE mood AS ENUM ('mood', 'other'); CREATE TYPE pair AS (x text, y text);
     CREATE TABLE t (a text, b text, n int); INSERT INTO t VALUES ('a', 'b', 7);
     CREATE TABLE u (c pair, mood mood); INSERT INTO u VALUES ('(x,y)', 'mood')",
    "UPDATE t SET a = 'a'",
];

const TEXTS: [&str; 6] = [
    "SELECT * FROM t",
    "SELECT t FROM t",
    "SELECT * FROM u",
    "SELECT u, ARRAY[u] AS all_u FROM u",
    "SELECT c, ARRAY[c] AS c2 FROM u",
    "SELECT mood, ARRAY[mood] AS mood2, n FROM u, t LIMIT 1",
];

const WAYS: usize = 7;

/// Runs a text one way, and returns its rows.
async fn run(on: &dyn AsyncExecutor, way: usize, sql: &str) -> Result<Vec<Row>> {
    match way {
        0 => on.fetch_all(sql, &[]).await,
        1 => {
            let sql = format!("{} LIMIT 1", sql.trim_end_matches(" LIMIT 1"));
            Ok(on.fetch_optional(&sql, &[]).await?.into_iter().collect())
        }
        2 => {
            let mut rows = Vec::new();
            on.fetch_each(sql, &[], &mut |row| {
                rows.push(row.clone());
                Ok(())
            })
            .await?;
            Ok(rows)
        }
        3 => {
            let (mut stream, mut rows) = (on.fetch_stream(sql, &[]).await?, Vec::new());
            while let Some(row) = stream.next().await {
                rows.push(row?);
            }
            Ok(rows)
        }
        4 => {
            let outcomes = on.run_batch(&Batch::new().fetch_all(sql, &[]).fetch_all(sql, &[])).await?;
            Ok(outcomes.into_iter().flat_map(Outcome::into_rows).collect())
        }
        5 => on.execute_many(sql, &[&[], &[]]).await.map(|_| Vec::new()),
        _ => on.execute(sql, &[]).await.map(|_| Vec::new()),
    }
}

/// Whether a value is that of its column. With `any_name`, fields of composites may have those of others.
fn is_of(name: &str, value: &Value, any_name: bool) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(field, value)| match value {
            // The row itself has no name.
            Value::String(text) if any_name && !name.is_empty() => text == "7" || NAMES.contains(&&**text),
            _ => is_of(field, value, any_name),
        }),
        Value::Array(items) => items.iter().all(|item| is_of(name, item, any_name)),
        Value::Number(number) => name.starts_with('n') && number.as_i64() == Some(7),
        Value::String(text) => name.trim_end_matches('2') == text || (name.starts_with('n') && text == "7"),
        _ => false,
    }
}

/// The names that fields of composites have at some time.
const NAMES: [&str; 10] = ["a", "b", "d", "e", "g", "w", "x", "y", "z", "mood"];

/// The rows that are wrong. One that can't be read fails the statement.
fn wrong_rows(rows: &[Row], any_name: bool) -> Result<Vec<String>, String> {
    let values = rows.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
    let values = values.map_err(|error| error.to_string())?;
    Ok(values.iter().filter(|value| !is_of("", value, any_name)).map(Value::to_string).collect())
}

#[derive(Default)]
struct Seen {
    over: AtomicBool,
    rows: AtomicUsize,
    errors: Mutex<Vec<String>>,
    wrong: Mutex<Vec<String>>,
}

impl Seen {
    fn note(&self, label: &str, result: Result<Vec<Row>>) {
        let rows = result.map_err(|error| format!("{error:?}"));
        match rows.and_then(|rows| wrong_rows(&rows, true).map(|wrong| (rows.len(), wrong))) {
            Ok((rows, wrong)) => {
                self.rows.fetch_add(rows, SeqCst);
                self.wrong.lock().unwrap().extend(wrong.iter().map(|row| format!("{label}: {row}")));
            }
            Err(error) => self.errors.lock().unwrap().push(format!("{label}: {error}")),
        }
    }
}

async fn read(db: &dyn AsyncDatabaseService, seen: &Seen, name: &str, task: usize) {
    for turn in task.. {
        if seen.over.load(SeqCst) {
            break;
        }
        let (way, sql) = (turn % WAYS, TEXTS[turn / WAYS % TEXTS.len()]);
        let label = || format!("{name}, way {way}, {sql}");
        if turn % 5 == 0
            && let Ok(session) = db.session().await
        {
            seen.note(&label(), run(&*session, way, sql).await);
        } else {
            seen.note(&label(), run(db, way, sql).await);
        }
    }
}

/// Each connection answers right after two failures at most, each way.
async fn settled(db: &dyn AsyncDatabaseService, name: &str) -> Vec<String> {
    let (mut sessions, mut wrong) = (Vec::new(), Vec::new());
    for _ in 0..POOL {
        sessions.push(db.session().await.unwrap());
    }
    for (number, session) in sessions.iter().enumerate() {
        let mut failures = Vec::new();
        for (way, sql) in (0..WAYS).flat_map(|way| TEXTS.map(|sql| (way, sql))) {
            for last in [false, false, true] {
                let rows = run(&**session, way, sql).await.map_err(|error| format!("{error:?}"));
                match rows.and_then(|rows| wrong_rows(&rows, false)) {
                    Ok(rows) => {
                        wrong.extend(rows.iter().map(|row| format!("{name}, {sql}: {row}")));
                        break;
                    }
                    Err(error) if last => wrong.push(format!("{name}, way {way}, {sql}: {error} again and again")),
                    Err(error) => failures.push(error),
                }
            }
        }
        if failures.len() > 2 {
            wrong.push(format!("{name}: connection {number} fails {} times: {failures:?}", failures.len()));
        }
    }
    wrong
}

#[test]
fn readers_beside_changes_read_no_wrong_value_and_recover() {
    let time =
        Duration::from_secs(if env::var_os("CATAMARAN_LONG").is_some_and(|value| value == "1") { 20 } else { 5 });
    let database = shared().unwrap().database().unwrap();
    database.execute(SCHEMA).unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(POOL).checkout_timeout(LONG);
    let blocking = InlineService(Arc::new(R2d2Database::new(config.clone()).unwrap()));
    let nonblocking: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config).unwrap());
    let seen = Arc::new(Seen::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (db, seen) = (nonblocking.clone(), seen.clone());
        let reading = async move { timeout(time + LONG, read(&*db, &seen, "async", 3 * task)).await };
        tasks.spawn_on(reading, runtime.handle());
    }
    let mut changes = 0;
    thread::scope(|scope| {
        for task in 0..TASKS {
            let (blocking, seen) = (&blocking, &seen);
            scope.spawn(move || at_once(read(blocking, seen, "blocking", 3 * task)));
        }
        let end = Instant::now() + time;
        while Instant::now() < end {
            thread::sleep(PAUSE);
            // A reader of both tables may stand in the way; then it is made at the next time.
            match database.execute(&format!("BEGIN; {}; COMMIT", CHANGES[changes % CHANGES.len()])) {
                Ok(()) => changes += 1,
                Err(error) => assert!(error.to_string().contains("deadlock"), "{error}"),
            }
        }
        seen.over.store(true, SeqCst);
    });
    for ended in runtime.block_on(tasks.join_all()) {
        ended.expect("it hangs");
    }
    let (rows, errors) = (seen.rows.load(SeqCst), seen.errors.lock().unwrap());
    let mut wrong = seen.wrong.lock().unwrap().clone();
    let while_changing = wrong.len();
    wrong.extend(at_once(settled(&blocking, "blocking")));
    wrong.extend(runtime.block_on(settled(&*nonblocking, "async")));
    println!("{changes} changes, {rows} rows, {} errors, {while_changing} and {} wrong", errors.len(), wrong.len());
    errors.iter().take(20).for_each(|error| println!("{error}"));
    assert!(changes >= 10 && rows > 300, "control: {changes} changes and {rows} rows");
    wrong.truncate(60);
    assert!(wrong.is_empty(), "{} and more are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn control_a_value_of_another_column_is_noticed() {
    let read = |text: &str| is_of("", &serde_json::from_str(text).unwrap(), false);
    assert!(read(r#"{"a": "a", "n": 7, "c": {"x": "x", "n": "7"}, "mood2": ["mood"]}"#));
    for wrong in [r#"{"a": "b"}"#, r#"{"n": 8}"#, r#"{"a": 7}"#, r#"{"c": {"x": "y"}}"#, r#"{"all_u": [{"a": null}]}"#]
    {
        assert!(!read(wrong), "{wrong}");
    }
    let late = |text: &str| is_of("", &serde_json::from_str(text).unwrap(), true);
    assert!(late(r#"{"c": {"x": "w", "n": "x"}}"#));
    for wrong in [r#"{"a": "b"}"#, r#"{"c": {"x": "v"}}"#, r#"{"c": {"x": 8}}"#] {
        assert!(!late(wrong), "{wrong}");
    }
}
