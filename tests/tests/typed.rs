//! Typed rows, typed COPY and transactions by closure, on both services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{sync::Arc, thread, time::SystemTime};

use catamaran::{
    AsyncDatabaseService, DatabaseService, DeadpoolDatabase, Error, ErrorKind, FromRow, Isolation, Json, R2d2Database,
    TransactionOptions, prelude::*,
};
use catamaran_testkit::{Database, shared};

const TABLE: &str = "shop.\"Odd \"\"name\"\"\"";
const COLUMNS: [&str; 5] = ["id", "na\"me", "tags", "at", "note"];
const SCHEMA: &str = "CREATE SCHEMA shop;
    CREATE TYPE shop.mood AS ENUM ('ok', 'bad');
    CREATE TABLE shop.\"Odd \"\"name\"\"\" (id int8 PRIMARY KEY, \"na\"\"me\" text, tags int4[], at timestamptz, note jsonb,
        mood shop.mood DEFAULT 'ok', twice int8 GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE counter (n int8); INSERT INTO counter VALUES (0)";

type Line = (i64, Option<String>, Vec<i32>, Option<SystemTime>, Json<Vec<String>>);

#[derive(FromRow)]
struct Read {
    id: i64,
    #[from_row(rename = "na\"me")]
    name: Option<String>,
    tags: Vec<i32>,
    #[from_row(json)]
    note: Vec<String>,
    twice: i64,
    #[from_row(default)]
    missing: Option<String>,
}

fn lines(from: i64, to: i64) -> Vec<Line> {
    let line = |id: i64| {
        let name = (id % 3 != 0).then(|| "é".repeat(id as usize % 50));
        let at = (id % 2 == 0).then_some(SystemTime::UNIX_EPOCH);
        (id, name, vec![1; id as usize % 4], at, Json(vec![id.to_string()]))
    };
    (from..to).map(line).collect()
}

fn same(read: &[Read], lines: &[Line]) {
    assert_eq!(read.len(), lines.len());
    for (read, (id, name, tags, _, note)) in read.iter().zip(lines) {
        assert_eq!((read.id, &read.name, &read.tags, &read.note, read.twice), (*id, name, tags, &note.0, 2 * id));
        assert_eq!(read.missing, None);
    }
}

fn database() -> (Database, Arc<dyn DatabaseService>, Arc<dyn AsyncDatabaseService>) {
    let database = shared().unwrap().database().unwrap();
    database.execute(SCHEMA).unwrap();
    let config: catamaran::Config = database.url().parse().unwrap();
    let blocking = R2d2Database::new(config.clone()).unwrap();
    let nonblocking = DeadpoolDatabase::new(config).unwrap();
    (database, Arc::new(blocking), Arc::new(nonblocking))
}

#[test]
fn rows_are_copied_in_and_out_typed() {
    let (_database, db, nonblocking) = database();
    let (first, second) = (lines(0, 5_000), lines(5_000, 10_000));
    let query = format!("SELECT * FROM {TABLE} ORDER BY id");
    assert_eq!(db.copy_rows_in(TABLE, &COLUMNS, &first).unwrap(), 5_000);
    let read: Vec<Read> = db.copy_rows_out(&query).unwrap().map(|row| Read::from_row(&row.unwrap()).unwrap()).collect();
    same(&read, &first);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let db = nonblocking;
        assert_eq!(db.copy_rows_in(TABLE, &COLUMNS, &second).await.unwrap(), 5_000);
        let (mut rows, mut read) = (db.copy_rows_out(&query).await.unwrap(), Vec::new());
        while let Some(row) = rows.next().await {
            read.push(Read::from_row(&row.unwrap()).unwrap());
        }
        drop(rows);
        same(&read, &lines(0, 10_000));
        db.execute("CREATE TABLE copies (id int8, name text)", &[]).await.unwrap();
        let pairs = db.fetch_stream_as::<(i64, Option<String>)>(&query, &[]).await.unwrap();
        assert_eq!(db.copy_stream_in("copies", &["id", "name"], pairs).await.unwrap(), 10_000);
    });
    same(&db.fetch_all_as::<Read>(&query, &[]).unwrap(), &lines(0, 10_000));
    assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM copies", &[]).unwrap(), 10_000);
}

#[test]
fn a_reader_reads_the_rows_of_several_statements() {
    #[derive(FromRow, Debug, PartialEq)]
    struct Pair {
        a: i64,
        b: i64,
        #[from_row(default)]
        c: Option<i64>,
    }

    let database = shared().unwrap().database().unwrap();
    // Statements that are not kept, so that the columns of one can come to stand where another's stood.
    let config = database.url().parse::<catamaran::Config>().unwrap().statement_cache_size(0);
    let (db, runtime) = (R2d2Database::new(config.clone()).unwrap(), tokio::runtime::Runtime::new().unwrap());
    let nonblocking = DeadpoolDatabase::new(config).unwrap();
    let texts = [
        "SELECT $1::int8 AS a, 2::int8 AS b",
        "SELECT 2::int8 AS b, $1::int8 AS a",
        "SELECT 3::int8 AS c, 2::int8 AS b, $1::int8 AS a",
    ];
    let (mut pairs, mut tuples) = (catamaran::RowReader::<Pair>::new(), catamaran::RowReader::<(i64,)>::new());
    for turn in 0..30i64 {
        let at = turn as usize % texts.len();
        let rows = [
            db.fetch_all(texts[at], &[&turn]).unwrap(),
            runtime.block_on(nonblocking.fetch_all(texts[at], &[&turn])).unwrap(),
        ];
        for row in rows.iter().flatten() {
            assert_eq!(pairs.read(row).unwrap(), Pair { a: turn, b: 2, c: (at == 2).then_some(3) });
            assert_eq!(tuples.read(row).unwrap(), ([turn, 2, 3][at],));
        }
    }
    let text = db.fetch_one("SELECT 'x' AS b, 1::int8 AS a", &[]).unwrap();
    let (read, alone) = (pairs.read(&text).unwrap_err(), Pair::from_row(&text).unwrap_err());
    assert_eq!(read.to_string(), "column \"b\" of type text can't be read as i64");
    assert_eq!(read.to_string(), alone.to_string());
}

#[test]
fn a_copy_that_fails_keeps_nothing() {
    let (_database, db, nonblocking) = database();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let short = |n| (0..n).map(move |i| if i + 1 == n { vec![] } else { vec![i] });
    let errors = |table: &str, columns: &[&str]| {
        let blocking = db.copy_rows_in(table, columns, short(20_000)).unwrap_err();
        let nonblocking = runtime.block_on(nonblocking.copy_rows_in(table, columns, short(20_000))).unwrap_err();
        assert_eq!((blocking.kind(), blocking.to_string()), (nonblocking.kind(), nonblocking.to_string()));
        blocking
    };
    assert_eq!(errors(TABLE, &["id"]).kind(), ErrorKind::Encode);
    assert_eq!(errors(TABLE, &["nothing"]).sqlstate(), Some("42703"));
    assert_eq!(errors("nowhere", &["id"]).sqlstate(), Some("42P01"));
    let twice = db.copy_rows_in(TABLE, &["id"], [(1i64,), (1i64,)]).unwrap_err();
    assert!(twice.is_unique_violation(), "{twice}");
    assert_eq!(db.fetch_scalar::<i64>(&format!("SELECT count(*) FROM {TABLE}"), &[]).unwrap(), 0);
}

#[test]
fn transactions_that_conflict_are_run_again() {
    let (_database, db, nonblocking) = database();
    let options = TransactionOptions::new().isolation(Isolation::Serializable).retries(100);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let increment = db.transaction(options, |tx| {
                        let n: i64 = tx.fetch_scalar("SELECT n FROM counter", &[])?;
                        tx.execute("UPDATE counter SET n = $1", &[&(n + 1)])?;
                        Ok::<_, Error>(())
                    });
                    increment.unwrap();
                }
            });
        }
    });
    assert_eq!(db.fetch_scalar::<i64>("SELECT n FROM counter", &[]).unwrap(), 40);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let db = nonblocking.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        let increment = db.transaction(options, async |tx| {
                            let n: i64 = tx.fetch_scalar("SELECT n FROM counter", &[]).await?;
                            tx.execute("UPDATE counter SET n = $1", &[&(n + 1)]).await?;
                            Ok::<_, Error>(())
                        });
                        increment.await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(db.fetch_scalar::<i64>("SELECT n FROM counter", &[]).unwrap(), 80);
}

#[test]
fn without_retries_the_conflict_arrives() {
    let (_database, db, _) = database();
    let options = TransactionOptions::new().isolation(Isolation::Serializable).retries(0);
    let (first, second) = (db.begin(options).unwrap(), db.begin(options).unwrap());
    for tx in [&first, &second] {
        tx.fetch_scalar::<i64>("SELECT n FROM counter", &[]).unwrap();
    }
    first.execute("UPDATE counter SET n = 1", &[]).unwrap();
    first.commit().unwrap();
    let error = second.execute("UPDATE counter SET n = 2", &[]).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = second.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransactionAborted, "{error}");
}
