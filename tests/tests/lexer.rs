//! What a text of SQL leaves on a connection is seen in the text: the next borrower finds it as a new one, by the
//! server's own account.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, SystemTime},
};

use catamaran::{Config, ErrorKind, Result, Row, TransactionOptions};
use catamaran_testkit::{Database, shared};
use catamaran_tests::{
    hull::{Hull, both},
    texts::Texts,
};

/// Texts on each service, half of them where `standard_conforming_strings` is off.
const TEXTS: usize = 50_000;

/// Each part of a session's state by its name.
const STATE: &str = "SELECT now() AS began, concat_ws('|', current_user, session_user) AS role,
    current_setting('search_path') AS path,
    concat_ws('|', current_setting('lock_timeout'), current_setting('TimeZone'), current_setting('DateStyle'),
        current_setting('work_mem'), current_setting('standard_conforming_strings')) AS settings,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())::text AS locks,
    (SELECT count(*) FROM pg_class WHERE relname = 't' AND relnamespace = pg_my_temp_schema())::text AS temporary,
    (SELECT count(*) FROM pg_cursors)::text AS cursors,
    (SELECT count(*) FROM pg_listening_channels())::text AS channels,
    (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)::text AS prepared";

const PARTS: [&str; 8] = ["role", "path", "settings", "locks", "temporary", "cursors", "channels", "prepared"];

fn database(conforming: bool) -> Database {
    let database = shared().unwrap().database().unwrap();
    database
        .execute(
            "CREATE TABLE notes (x text); CREATE SCHEMA other; CREATE TABLE other.notes (x text);
             GRANT ALL ON SCHEMA public, other TO public; GRANT ALL ON ALL TABLES IN SCHEMA public, other TO public;
             CREATE FUNCTION run(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END'",
        )
        .unwrap();
    if !conforming {
        let off = format!("ALTER DATABASE {} SET standard_conforming_strings = off", database.name());
        database
            .execute(&format!("{off}; {}", off.replace("standard_conforming_strings", "escape_string_warning")))
            .unwrap();
    }
    database
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(1)
}

/// Which parts of a state are not as those of a new connection. The row was asked for after `asked`.
fn changed(state: &Row, new: &Row, asked: SystemTime) -> Vec<&'static str> {
    let text = |row: &Row, part| row.get::<String>(part).unwrap();
    let mut changed: Vec<_> = PARTS.into_iter().filter(|part| text(state, *part) != text(new, *part)).collect();
    // A statement outside a transaction begins one of its own when it is run. The server's clock counts microseconds.
    if state.get::<SystemTime>("began").unwrap() + Duration::from_micros(1) < asked {
        changed.push("transaction");
    }
    changed
}

/// Runs texts and looks at what the next borrower finds. Says how many the server ran to their end.
fn check(db: &Hull, conforming: bool, seed: u64, count: usize) -> usize {
    let state = || db.fetch_one(STATE, &[]).unwrap();
    let (new, mut texts, mut run) = (state(), Texts::new(seed, conforming), 0);
    for index in 0..count {
        let text = texts.text();
        // Of single statements some go the way of those with parameters.
        let done = if index % 4 == 0 && !text.contains(';') {
            db.execute(&text, &[]).map(drop)
        } else {
            db.batch_execute(&text)
        };
        run += usize::from(done.is_ok());
        let asked = SystemTime::now();
        let left = changed(&state(), &new, asked);
        assert!(left.is_empty(), "{db}, conforming {conforming}: {left:?} left by\n{text}\n{text:?}\n{done:?}");
    }
    run
}

#[test]
fn nothing_is_left_by_100_000_texts() {
    let databases = [true, false].map(|conforming| (conforming, database(conforming)));
    let run: usize = thread::scope(|scope| {
        let mut checks = Vec::new();
        for (conforming, database) in &databases {
            for (seed, db) in both(&config(database)).unwrap().into_iter().enumerate() {
                checks.push(scope.spawn(move || check(&db, *conforming, seed as u64, TEXTS / 2)));
            }
        }
        checks.into_iter().map(|check| check.join().unwrap()).sum()
    });
    assert!(run > TEXTS, "{run} of {} texts were run", 2 * TEXTS);
}

/// The control: without cleaning, each part of the state is seen to change.
#[test]
fn within_a_session_all_of_it_is_left() {
    for conforming in [true, false] {
        let database = database(conforming);
        for db in both(&config(&database)).unwrap() {
            let new = db.fetch_one(STATE, &[]).unwrap();
            let (mut texts, mut seen) = (Texts::new(7, conforming), BTreeMap::new());
            for _ in 0..500 {
                let session = db.session().unwrap();
                let _ = session.batch_execute(&texts.text());
                let asked = SystemTime::now();
                let left = match session.fetch_all(STATE, &[]) {
                    Ok(rows) => changed(&rows[0], &new, asked),
                    // A transaction that has failed.
                    Err(_) => vec!["transaction"],
                };
                left.into_iter().for_each(|part| *seen.entry(part).or_insert(0) += 1);
            }
            for part in PARTS.into_iter().chain(["transaction"]) {
                assert!(seen.contains_key(part), "{db}: {part} in {seen:?}");
            }
        }
    }
}

/// What makes names or literals of a text mean something else, and a text that tells.
const MEANINGS: &[(&str, &str)] = &[
    ("SET search_path = other", "SELECT x FROM doc"),
    ("SET SCHEMA 'other'", "SELECT x FROM doc"),
    ("UPDATE pg_settings SET setting = 'other' WHERE name = 'search_path'", "SELECT x FROM doc"),
    ("SELECT set_config('search_' || 'path', 'other', false)", "SELECT x FROM doc"),
    ("CREATE TEMP TABLE doc AS SELECT 'theirs'::text AS x", "SELECT x FROM doc"),
    ("SELECT 'theirs'::text AS x INTO pg_temp.doc", "SELECT x FROM doc"),
    ("DO $$ BEGIN EXECUTE 'SET search_' || 'path = other'; END $$", "SELECT x FROM doc"),
    ("SET ROLE {role}", "SELECT x FROM doc"),
    ("SET SESSION AUTHORIZATION {role}", "SELECT x FROM doc"),
    ("SET datestyle = 'SQL, DMY'", "SELECT '01/02/2020'::date::timestamp::text AS x"),
    ("SET TIME ZONE 'Asia/Kolkata'", "SELECT ('2020-01-01 00:00'::timestamptz AT TIME ZONE 'UTC')::text AS x"),
];

#[test]
fn a_text_means_the_same_to_the_next_borrower() {
    let database = database(true);
    // A schema of the same name comes before `public`.
    let role = format!("role_of_{}", database.name());
    database
        .execute(&format!(
            "CREATE TABLE doc (x int); INSERT INTO doc VALUES (1);
             CREATE TABLE other.doc (x text); INSERT INTO other.doc VALUES ('theirs');
             CREATE ROLE {role}; CREATE SCHEMA {role} CREATE TABLE doc (x text); INSERT INTO {role}.doc VALUES ('theirs');
             GRANT ALL ON ALL TABLES IN SCHEMA public, other, {role} TO public; GRANT USAGE ON SCHEMA {role} TO public",
        ))
        .unwrap();
    let what = |rows: Result<Vec<Row>>| rows.unwrap()[0].get::<serde_json::Value>("x").unwrap();
    for db in both(&config(&database)).unwrap() {
        for (change, text) in MEANINGS {
            let text = &format!("SELECT to_jsonb(x) AS x, x AS y FROM ({text}) t");
            let before = what(db.fetch_all(text, &[]));
            let session = db.session().unwrap();
            session.batch_execute(&change.replace("{role}", &role)).unwrap();
            let within = what(session.fetch_all(text, &[]));
            drop(session);
            assert_eq!(what(db.fetch_all(text, &[])), before, "{db}: {change}");
            assert_ne!(within, before, "{db}: {change} changes nothing");
        }
        // What lasts as long as a transaction.
        let text = "SELECT to_jsonb(x) AS x, x AS y FROM doc";
        for end in ["COMMIT", "ROLLBACK"] {
            let session = db.session().unwrap();
            session.batch_execute("BEGIN; SET LOCAL search_path = other").unwrap();
            assert_eq!(what(session.fetch_all(text, &[])), "theirs", "{db}");
            session.batch_execute(end).unwrap();
            assert_eq!(what(session.fetch_all(text, &[])), 1, "{db}: {end}");
        }
    }
}

#[test]
fn a_batch_with_a_copy_is_refused_before_it_is_sent() {
    let database = database(true);
    for db in both(&config(&database)).unwrap() {
        for text in
            ["COPY notes FROM STDIN", "INSERT INTO notes VALUES (';'); copy notes to stdout", "COPY notes TO STDIN;"]
        {
            assert_eq!(db.batch_execute(text).unwrap_err().kind(), ErrorKind::WrongStatement, "{db}: {text}");
            let tx = db.begin(TransactionOptions::new()).unwrap();
            assert_eq!(tx.execute("INSERT INTO notes VALUES ('COPY t FROM STDIN')", &[]).unwrap(), 1, "{db}");
            tx.commit().unwrap();
        }
        db.batch_execute("INSERT INTO notes VALUES ('; COPY t FROM STDIN'); -- ; COPY t FROM STDIN").unwrap();
        assert_eq!(db.fetch_one("SELECT count(*) FROM notes", &[]).unwrap().get::<i64>(0).unwrap(), 4, "{db}");
        db.execute("DELETE FROM notes", &[]).unwrap();
    }
}
