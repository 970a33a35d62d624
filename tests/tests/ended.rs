//! Texts that end the transaction which they are in, or only look like that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{sync::Arc, time::Duration};

use catamaran::{DeadpoolDatabase, ErrorKind, Isolation, R2d2Database, TransactionOptions, prelude::*};
use catamaran_testkit::{drop_after_polls, eventually};
use catamaran_tests::{
    faces::{LONG, on_each},
    hull::both,
    ids::{INSERT, config, database, kept},
};

/// An end in an inner level is one of the whole transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_within_a_savepoint_is_told_by_whatever_comes_behind() {
    let database = Arc::new(database());
    on_each(&config(&database).checkout_timeout(LONG), |opened| {
        let database = database.clone();
        async move {
            for (text, rows) in [
                ("COMMIT", 2),
                ("SELECT 1; COMMIT", 2),
                ("COMMIT; BEGIN", 2),
                ("COMMIT AND CHAIN", 2),
                ("ROLLBACK", 0),
                ("ROLLBACK; BEGIN", 0),
            ] {
                for (inner, outer) in [(true, true), (true, false), (false, true), (false, false)] {
                    let mut tx = opened.db.begin(TransactionOptions::new()).await.unwrap();
                    tx.execute(INSERT, &[&1i64]).await.unwrap();
                    let level = tx.savepoint().await.unwrap();
                    level.execute(INSERT, &[&2i64]).await.unwrap();
                    level.batch_execute(text).await.unwrap();
                    let ended = Err(ErrorKind::TransactionEnded);
                    let level = if inner { level.commit().await } else { level.rollback().await };
                    assert_eq!(level.map_err(|error| error.kind()), ended, "{:?}, {text}, the level", opened.face);
                    let whole = if outer { tx.commit().await } else { tx.rollback().await };
                    assert_eq!(whole.map_err(|error| error.kind()), ended, "{:?}, {text}", opened.face);
                    assert_eq!(kept(&database).len(), rows, "{:?}, {text}", opened.face);
                }
            }
        }
    })
    .await;
}

/// Where the server can't be asked, since the transaction has failed, a text counts for what it looks like.
#[test]
fn an_end_in_a_failed_transaction_is_found() {
    let database = database();
    for db in both(&config(&database)).unwrap() {
        for (text, rows) in [
            (r"ROLLBACK TO s; SELECT 'C:\'; COMMIT; BEGIN; SELECT 'x'", 1),
            ("ROLLBACK TO s; CREATE PROCEDURE p() BEGIN ATOMIC END; DROP PROCEDURE p; END; BEGIN", 1),
            ("ROLLBACK TO s; SELECT CASE WHEN true THEN 1 END", 0),
        ] {
            let tx = db.begin(TransactionOptions::new()).unwrap();
            tx.batch_execute("INSERT INTO t VALUES (1); SAVEPOINT s").unwrap();
            tx.execute("SELECT 1 / 0", &[]).unwrap_err();
            tx.batch_execute(text).unwrap();
            let rolled_back = tx.rollback().map_err(|error| error.kind());
            let expected = if rows == 1 { Err(ErrorKind::TransactionEnded) } else { Ok(()) };
            assert_eq!((rolled_back, kept(&database).len()), (expected, rows), "{db}, {text}");
        }
    }
}

/// What is asked of the server about a text changes nothing that the text relies on.
#[test]
fn what_has_to_come_first_still_can() {
    let database = database();
    database.execute("INSERT INTO t VALUES (1)").unwrap();
    let other = R2d2Database::new(config(&database)).unwrap();
    for db in both(&config(&database)).unwrap() {
        for text in [
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1 AS end",
            "SET TRANSACTION READ ONLY; SELECT 1 AS end",
        ] {
            let tx = db.begin(TransactionOptions::new()).unwrap();
            tx.batch_execute(text).unwrap_or_else(|error| panic!("{db}, {text}: {error}"));
            tx.commit().unwrap();
        }
        // The snapshot is taken behind the lock, or the row has changed since.
        let held = other.begin(TransactionOptions::new()).unwrap();
        held.batch_execute("LOCK TABLE t; UPDATE t SET id = 1").unwrap();
        let waits = "SELECT 1::text FROM pg_locks WHERE NOT granted";
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                let tx = db.begin(TransactionOptions::new().isolation(Isolation::RepeatableRead)).unwrap();
                tx.batch_execute("LOCK TABLE t IN EXCLUSIVE MODE; UPDATE t SET id = CASE WHEN true THEN id + 1 END")?;
                tx.commit()
            });
            assert!(eventually(LONG, || !database.texts(waits).unwrap().is_empty()));
            held.commit().unwrap();
            asked.join().unwrap().unwrap_or_else(|error| panic!("{db}: {error}"));
        });
    }
}

#[test]
fn a_text_behind_one_of_which_nothing_is_known_proves_nothing() {
    let database = database();
    for db in both(&config(&database)).unwrap() {
        for text in ["ROLLBACK; BEGIN", "ROLLBACK; BEGIN; INSERT INTO t VALUES (2)", "ROLLBACK AND CHAIN; SELECT 1"] {
            let tx = db.begin(TransactionOptions::new()).unwrap();
            tx.execute(INSERT, &[&1i64]).unwrap();
            tx.execute("SELECT 1 / 0", &[]).unwrap_err();
            tx.batch_execute(text).unwrap();
            tx.batch_execute("SELECT 1; SELECT CASE WHEN true THEN 1 END").unwrap();
            let committed = tx.commit().map_err(|error| error.kind());
            assert_eq!((committed, kept(&database)), (Err(ErrorKind::TransactionEnded), Vec::new()), "{db}, {text}");
        }
        // An end that is known is not forgotten for one of which nothing is known.
        let tx = db.begin(TransactionOptions::new()).unwrap();
        tx.batch_execute("INSERT INTO t VALUES (1); SAVEPOINT s").unwrap();
        tx.batch_execute("SELECT 1 / 0; SELECT CASE WHEN true THEN 1 END").unwrap_err();
        for sql in ["ROLLBACK TO s", "COMMIT", "BEGIN"] {
            tx.execute(sql, &[]).unwrap();
        }
        tx.execute("SELECT 1 / 0", &[]).unwrap_err();
        let committed = tx.commit().map_err(|error| error.kind());
        assert_eq!((committed, kept(&database)), (Err(ErrorKind::TransactionEnded), vec![1]), "{db}");
        // Nor does one that failed stand in the way of one that goes back behind it.
        let tx = db.begin(TransactionOptions::new()).unwrap();
        tx.batch_execute("INSERT INTO t VALUES (1); SAVEPOINT s").unwrap();
        tx.batch_execute("SELECT CASE WHEN true THEN 1 END; SELECT 1 / 0").unwrap_err();
        tx.batch_execute("ROLLBACK TO s; SELECT CASE WHEN true THEN 1 END").unwrap();
        tx.batch_execute("ROLLBACK TO s; SELECT CASE WHEN true THEN 1 END").unwrap();
        tx.commit().unwrap();
        assert_eq!(kept(&database), [1], "{db}");
    }
}

#[tokio::test]
async fn an_end_in_a_text_that_was_dropped_is_found() {
    let database = database();
    let db = DeadpoolDatabase::new(config(&database)).unwrap();
    for (text, commit, rows) in [
        ("CREATE PROCEDURE p() BEGIN ATOMIC END; DROP PROCEDURE p; END; BEGIN; SELECT pg_sleep(0.2)", false, 0),
        ("SELECT CASE WHEN true THEN 1 END; END; BEGIN; SELECT pg_sleep(0.2)", false, 0),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; DROP FUNCTION f; SELECT pg_sleep(0.2)", true, 1),
        ("SELECT CASE WHEN true THEN 1 END; SELECT pg_sleep(0.2)", true, 1),
    ] {
        let tx = db.begin(TransactionOptions::new()).await.unwrap();
        tx.batch_execute("SELECT 1 AS end; SELECT 1").await.unwrap();
        tokio::select! {
            biased;
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            done = tx.batch_execute(text) => panic!("it was to be dropped: {done:?}"),
        }
        tx.execute(INSERT, &[&1i64]).await.unwrap();
        let committed = tx.commit().await.map_err(|error| error.kind());
        let expected = if commit { Ok(()) } else { Err(ErrorKind::TransactionEnded) };
        assert_eq!((committed, kept(&database).len()), (expected, rows), "{text}");
    }
}

#[test]
fn an_end_within_a_text_is_found_wherever_it_stands() {
    let database = database();
    database.execute("CREATE TABLE x (begin int8)").unwrap();
    for db in both(&config(&database)).unwrap() {
        for (text, commit, rollback, rows) in [
            (r"SELECT 'C:\'; ROLLBACK; BEGIN; SELECT 'x'", false, false, [0, 0]),
            (r"SELECT 'C:\'; COMMIT; SELECT 'x'", false, false, [1, 1]),
            (r"SELECT 'C:\'; COMMIT; BEGIN; SELECT 'x'", false, false, [1, 1]),
            ("SELECT true AS atomic; END; BEGIN", false, false, [1, 1]),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; DROP FUNCTION f; END", false, false, [1, 1]),
            ("CREATE TEMPORARY TABLE u (begin int8); SELECT 1 AS atomic; END", false, false, [1, 1]),
            ("CREATE PROCEDURE p() BEGIN ATOMIC END; DROP PROCEDURE p; END; BEGIN", false, false, [1, 1]),
            ("SAVEPOINT s; ROLLBACK TO s; END; BEGIN", false, false, [1, 1]),
            ("SAVEPOINT s; ROLLBACK TO s; SELECT 1 AS end", true, true, [1, 0]),
            ("CREATE OR REPLACE PROCEDURE q() BEGIN ATOMIC END; END; BEGIN", false, false, [1, 1]),
            (
                "CREATE TABLE function AS SELECT begin atomic FROM x; DROP TABLE function; END; BEGIN",
                false,
                false,
                [1, 1],
            ),
            ("COMMIT AND CHAIN;", false, false, [1, 1]),
            ("END; BEGIN; SAVEPOINT s; ROLLBACK TO s", false, false, [1, 1]),
            // What only looks like an end is none.
            ("SELECT CASE WHEN true THEN 1 END; SAVEPOINT s; ROLLBACK TO s", true, true, [1, 0]),
            ("RESET ALL; SELECT 1 AS end", true, true, [1, 0]),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; DROP FUNCTION f", true, true, [1, 0]),
            (r"SET LOCAL standard_conforming_strings = off", true, true, [1, 0]),
            (r"SELECT E'a\'; ROLLBACK; BEGIN; --'", true, true, [1, 0]),
        ] {
            let begin = || {
                let tx = db.begin(TransactionOptions::new()).unwrap();
                tx.execute(INSERT, &[&1i64]).unwrap();
                tx.batch_execute(text).unwrap_or_else(|error| panic!("{db}, {text}: {error}"));
                if text.contains("conforming") {
                    tx.batch_execute(r"SELECT 'a\'; ROLLBACK; BEGIN; --'").unwrap();
                }
                tx
            };
            let ended = |ok| if ok { Ok(()) } else { Err(ErrorKind::TransactionEnded) };
            let committed = begin().commit().map_err(|error| error.kind());
            assert_eq!((committed, kept(&database).len()), (ended(commit), rows[0]), "commit, {db}, {text}");
            let rolled_back = begin().rollback().map_err(|error| error.kind());
            assert_eq!((rolled_back, kept(&database).len()), (ended(rollback), rows[1]), "rollback, {db}, {text}");
        }
    }
}

/// A call that is dropped while it rolls a dropped savepoint back leaves that to be done once, and not twice.
#[tokio::test]
async fn a_savepoint_is_rolled_back_once_however_often_calls_are_dropped() {
    let database = database();
    for sharing in [true, false] {
        let db = DeadpoolDatabase::new(config(&database).sharing(sharing)).unwrap();
        for polls in 0..6 {
            let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute(INSERT, &[&1i64]).await.unwrap();
            let outer = tx.savepoint().await.unwrap();
            outer.execute(INSERT, &[&2i64]).await.unwrap();
            drop(outer);
            for _ in 0..2 {
                let _ = drop_after_polls(tx.fetch_one("SELECT 1", &[]), polls).await;
            }
            tx.execute(INSERT, &[&3i64]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(kept(&database), [1, 3], "{polls} polls, sharing {sharing}");
        }
    }
}

/// A `COMMIT` of a transaction that has failed rolls it back, and what is run behind one that was dropped is kept.
#[tokio::test]
async fn an_end_of_a_failed_transaction_that_was_dropped_is_found() {
    let database = database();
    let mut dropped = 0;
    for sharing in [true, false] {
        let db = DeadpoolDatabase::new(config(&database).sharing(sharing)).unwrap();
        for text in ["COMMIT", "END", "COMMIT AND CHAIN", "COMMIT; SELECT 1", "END; BEGIN; SELECT 1"] {
            for (polls, begins, commits) in (0..12).flat_map(|n| [(n, false, false), (n, true, true), (n, true, false)])
            {
                let tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute(INSERT, &[&1i64]).await.unwrap();
                tx.execute("SELECT 1 / 0", &[]).await.unwrap_err();
                let ending = if text.contains(';') {
                    drop_after_polls(tx.batch_execute(text), polls).await.done().map(drop)
                } else {
                    drop_after_polls(tx.execute(text, &[]), polls).await.done().map(drop)
                };
                dropped += usize::from(ending.is_none());
                if begins {
                    let _ = tx.execute("BEGIN", &[]).await;
                }
                let inserted = tx.execute(INSERT, &[&2i64]).await;
                let ended = if commits { tx.commit().await } else { tx.rollback().await };
                let (case, kept) = (format!("{text}, {polls} polls, sharing {sharing}, {begins}"), kept(&database));
                match ended {
                    Ok(()) => assert!(inserted.is_err() && !commits && kept.is_empty(), "{case}: {kept:?}"),
                    // The level was not ended, or it was, and what came behind is kept or not, as is said.
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::TransactionEnded | ErrorKind::TransactionAborted),
                        "{case}: {error}"
                    ),
                }
                assert!(!kept.contains(&1), "{case}: {kept:?}");
            }
        }
    }
    assert!(dropped > 30, "{dropped}");
}

/// Texts that are asked about at the same time do not take each other's marks, nor what one of them has learned.
#[tokio::test]
async fn texts_at_once_are_asked_about_one_after_the_other() {
    const HARMLESS: &str = "SELECT CASE WHEN true THEN 1 END; SELECT 1";

    let database = database();
    let db = DeadpoolDatabase::new(config(&database)).unwrap();
    for polls in 0..6 {
        let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
        tx.execute(INSERT, &[&1i64]).await.unwrap();
        let level = tx.savepoint().await.unwrap();
        let _ = drop_after_polls(level.batch_execute(HARMLESS), polls).await;
        level.rollback().await.unwrap();
        let (one, other) = tokio::join!(tx.batch_execute(HARMLESS), tx.batch_execute(HARMLESS));
        one.and(other).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(kept(&database), [1], "{polls} polls");
        for (first, second) in [("COMMIT; BEGIN", HARMLESS), (HARMLESS, "SELECT 1; COMMIT; BEGIN")] {
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute(INSERT, &[&1i64]).await.unwrap();
            let (one, other) = tokio::join!(tx.batch_execute(first), tx.batch_execute(second));
            let committed = tx.commit().await.map_err(|error| error.kind());
            // One that begins with a COMMIT may be refused.
            let expected = if one.is_ok() && other.is_ok() { Err(ErrorKind::TransactionEnded) } else { Ok(()) };
            assert_eq!((committed, kept(&database)), (expected, vec![1]), "{first}, {second}: {one:?} {other:?}");
        }
    }
}

/// What takes the mark back ends nothing, and no text can write the mark.
#[tokio::test]
async fn a_mark_can_be_taken_back_and_not_forged() {
    let database = database();
    let db = DeadpoolDatabase::new(config(&database)).unwrap();
    for text in ["RESET ALL", "RESET catamaran.connection", "SET LOCAL catamaran.connection = 'x'"] {
        for polls in 0..5 {
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            tx.execute(INSERT, &[&1i64]).await.unwrap();
            let _ = drop_after_polls(tx.batch_execute("SELECT CASE WHEN true THEN 1 END; SELECT 1"), polls).await;
            tx.execute(text, &[]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(kept(&database), [1], "{text}, {polls} polls");
        }
    }
    for mark in ["marked", "0", ""] {
        let tx = db.begin(TransactionOptions::new()).await.unwrap();
        tx.execute(INSERT, &[&1i64]).await.unwrap();
        let text = format!("ROLLBACK; BEGIN; SET LOCAL catamaran.connection = '{mark}'");
        tx.batch_execute(&text).await.unwrap();
        let committed = tx.commit().await.map_err(|error| error.kind());
        assert_eq!((committed, kept(&database)), (Err(ErrorKind::TransactionEnded), Vec::new()), "{mark}");
    }
}
