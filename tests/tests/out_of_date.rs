//! What is kept of a text or a type and goes out of date without anything that a client is told: it is right all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use catamaran::{Config, ErrorKind, FromSql, ToSql};
use catamaran_testkit::{Database, shared};
use catamaran_tests::hull::{Hull, both};

#[derive(Debug, Clone, Copy, PartialEq, ToSql, FromSql)]
#[postgres(name = "mood")]
enum Mood {
    #[postgres(name = "sad")]
    Sad,
    #[postgres(name = "glad")]
    Glad,
}

#[derive(Debug, ToSql)]
#[postgres(name = "pair")]
struct Pair {
    a: i32,
    b: i32,
}

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

fn services(database: &Database) -> [Hull; 2] {
    both(&Config::from_url(&database.url()).unwrap().max_size(1)).unwrap()
}

fn text(db: &Hull, sql: &str) -> String {
    db.fetch_one(sql, &[]).unwrap().get(0).unwrap()
}

#[test]
fn literals_of_the_moment_tell_of_the_moment_in_which_they_are_run() {
    let database = database();
    for db in services(&database) {
        for sql in
            ["SELECT 'now'::timestamptz::text", "SELECT (timestamptz ' NOW ')::text", "SELECT $$now$$::time::text"]
        {
            let first = text(&db, sql);
            // The clock has gone on by a microsecond at the next statement.
            assert_ne!(first, text(&db, sql), "{db}, {sql}");
        }
        // The control: what is read once stays.
        let same = "SELECT '2020-01-01 12:00'::timestamp::text";
        assert_eq!(text(&db, same), text(&db, same));
    }
}

#[test]
fn an_enum_that_gets_a_value_is_read_by_the_type_that_knows_it() {
    let database = database();
    for db in services(&database) {
        database
            .execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE m (m mood); INSERT INTO m VALUES ('sad')")
            .unwrap();
        let read = || db.fetch_one("SELECT m FROM m", &[])?.get::<Mood>(0);
        assert_eq!(read().unwrap_err().kind(), ErrorKind::Decode, "control: {db}");
        database.execute("ALTER TYPE mood ADD VALUE 'glad'").unwrap();
        // A doubt is followed, though not at every turn where there are many.
        let end = Instant::now() + Duration::from_secs(20);
        while read().is_err() {
            assert!(Instant::now() < end, "{db}: it lasts");
            sleep(Duration::from_millis(10));
        }
        assert_eq!(read().unwrap(), Mood::Sad);
        db.execute("INSERT INTO m VALUES ($1)", &[&Mood::Glad]).unwrap();
        database.execute("DROP TABLE m; DROP TYPE mood").unwrap();
    }
}

#[test]
fn fields_of_parameters_follow_their_names() {
    let database = database();
    for db in services(&database) {
        database.execute("CREATE TYPE pair AS (a int4, b int4); CREATE TABLE p (p pair)").unwrap();
        let insert = || db.execute("INSERT INTO p VALUES ($1)", &[&Pair { a: 1, b: 2 }]).unwrap();
        insert();
        database
            .execute(
                "ALTER TYPE pair RENAME ATTRIBUTE a TO x; ALTER TYPE pair RENAME ATTRIBUTE b TO a;
                 ALTER TYPE pair RENAME ATTRIBUTE x TO b",
            )
            .unwrap();
        insert();
        let rows = database.texts("SELECT concat('a', (p).a, 'b', (p).b) FROM p").unwrap();
        // The row of before has the names of now.
        assert_eq!(rows, [Some("a2b1".into()), Some("a1b2".into())], "{db}");
        database.execute("DROP TABLE p; DROP TYPE pair").unwrap();
    }
}

#[test]
fn a_statement_that_was_forgotten_by_the_server_fails_once_at_most() {
    let database = database();
    database
        .execute(
            "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE other AS ENUM ('x');
             CREATE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
        )
        .unwrap();
    for db in services(&database) {
        db.fetch_one("SELECT 'sad'::mood", &[]).unwrap();
        db.execute("SELECT forget()", &[]).unwrap();
        // What was kept is prepared anew; what the driver itself has lost costs one call, and its connection.
        db.fetch_one("SELECT 'sad'::mood", &[]).unwrap_or_else(|error| panic!("{db}: {error}"));
        let failures = (0..4).filter(|_| db.fetch_one("SELECT 'x'::other", &[]).is_err()).count();
        assert!(failures <= 1, "{db}: {failures}");
        db.fetch_one("SELECT 'x'::other", &[]).unwrap_or_else(|error| panic!("{db}: {error}"));
    }
}
