//! Transactions that statements of the caller's own begin and end, within those of the library, beside them and instead of
//! them: what is reported is kept, what is refused is not, and nothing is left to the next caller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use catamaran::{
    AsyncDatabaseService, AsyncExecutor as _, Batch, Config, DeadpoolDatabase, Error, ErrorKind, Offloaded,
    R2d2Database, Result, TransactionOptions, prelude::*,
};
use catamaran_testkit::{Database, Proxy, drop_after_polls};
use catamaran_tests::{
    hull::{Hull, both},
    ids::{INSERT, config, database, kept},
};
use tokio::runtime::Runtime;

/// The next caller's statement is kept, and so there is no transaction that somebody has left.
fn next_is_kept(db: &Hull, database: &Database, after: &str) {
    let rows = kept(database);
    assert_eq!(db.execute(INSERT, &[&9i64]).unwrap(), 1, "{db}, {after}");
    assert_eq!(kept(database), [9], "{db}, {after}: the next caller's row; before: {rows:?}");
}

#[test]
fn texts_that_end_a_transaction_and_begin_another_leave_none() {
    let database = database();
    for db in both(&config(&database)).unwrap() {
        for text in [
            "COMMIT; BEGIN",
            "END; BEGIN; INSERT INTO t VALUES (1)",
            "COMMIT; START TRANSACTION READ ONLY",
            "ROLLBACK; BEGIN",
            "BEGIN; COMMIT; BEGIN",
            "COMMIT; BEGIN; SELECT 1 / 0",
            "PREPARE TRANSACTION 'x'; BEGIN",
        ] {
            let _ = db.batch_execute(text);
            next_is_kept(&db, &database, text);
            let session = db.session().unwrap();
            let _ = session.batch_execute(text);
            drop(session);
            next_is_kept(&db, &database, text);
        }
    }
    // The control: where nothing is cleaned, within a session, the next statement is kept by nobody.
    for db in both(&config(&database)).unwrap() {
        let session = db.session().unwrap();
        session.batch_execute("COMMIT; BEGIN").unwrap();
        session.batch_execute("INSERT INTO t VALUES (9)").unwrap();
        assert!(kept(&database).is_empty(), "{db}");
    }
}

#[test]
fn a_commit_behind_any_end_by_hand_says_so() {
    let database = database();
    for db in both(&config(&database)).unwrap() {
        for (texts, rows) in [
            (&["ROLLBACK", "COMMIT", "BEGIN"][..], &[][..]),
            (&["ROLLBACK", "COMMIT; BEGIN"], &[]),
            (&["ROLLBACK AND CHAIN", "COMMIT", "COMMIT", "BEGIN"], &[]),
            (&["COMMIT", "END; BEGIN"], &[1]),
            (&["COMMIT"], &[1]),
        ] {
            let tx = db.begin(TransactionOptions::new()).unwrap();
            tx.execute(INSERT, &[&1i64]).unwrap();
            texts.iter().for_each(|text| drop(tx.execute(text, &[])));
            let ended = tx.commit().map_err(|error| error.kind());
            assert_eq!((ended, kept(&database)), (Err(ErrorKind::TransactionEnded), rows.to_vec()), "{db}, {texts:?}");
        }
        // What only looks like an end is none.
        for text in [r"SELECT 'C:\dir\', '; COMMIT; --'", "SELECT ';COMMIT'", "SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"]
        {
            let tx = db.begin(TransactionOptions::new()).unwrap();
            tx.execute(INSERT, &[&1i64]).unwrap();
            tx.execute("SAVEPOINT s", &[]).unwrap();
            tx.execute(text, &[]).unwrap();
            tx.commit().unwrap_or_else(|error| panic!("{db}, {text}: {error}"));
            assert_eq!(kept(&database), [1], "{db}, {text}");
        }
    }
}

#[test]
fn batches_run_once_and_stop_at_their_first_failure() {
    let database = database();
    let unencodable: &(dyn catamaran::ToSql + Sync) = &"no number";
    for db in both(&config(&database)).unwrap() {
        db.execute(INSERT, &[&0i64]).unwrap();
        kept(&database);
        let (id, wrong) = (&1i64 as &(dyn catamaran::ToSql + Sync), &[unencodable][..]);
        let id = &[id][..];
        let cases: [(&str, Batch<'_>, usize, &[i64]); 6] = [
            (
                "what a hand-written COMMIT keeps",
                Batch::new().execute(INSERT, id).execute("COMMIT", &[]).execute(INSERT, wrong),
                2,
                &[1],
            ),
            (
                "a failure of the server behind it",
                Batch::new().execute(INSERT, id).execute("COMMIT", &[]).fetch_all("SELECT 1 / 0", &[]),
                2,
                &[1],
            ),
            (
                "a failure that is healed behind it",
                Batch::new()
                    .execute(INSERT, id)
                    .execute("SAVEPOINT s", &[])
                    .execute("SELECT 1 / 0", &[])
                    .execute("ROLLBACK TO SAVEPOINT s", &[]),
                2,
                &[],
            ),
            (
                "a failure with an end behind it",
                Batch::new()
                    .execute(INSERT, id)
                    .execute("SELECT 1 / 0", &[])
                    .execute("COMMIT", &[])
                    .execute(INSERT, id),
                1,
                &[],
            ),
            (
                "a failure with a rollback behind it",
                Batch::new().execute("SELECT 1 / 0", &[]).execute("ROLLBACK", &[]).execute(INSERT, id),
                0,
                &[],
            ),
            ("nothing by hand", Batch::new().execute(INSERT, id).execute(INSERT, wrong), 1, &[]),
        ];
        for (what, batch, index, rows) in cases {
            let error = db.run_batch(&batch).unwrap_err();
            assert_eq!((error.index(), kept(&database)), (Some(index), rows.to_vec()), "{db}, {what}: {error}");
            // An error that is certain says that nothing was kept.
            assert_eq!(error.kind() == ErrorKind::TransactionEnded, !rows.is_empty(), "{db}, {what}: {error}");
            next_is_kept(&db, &database, what);
        }
    }
}

#[test]
fn a_closure_that_commits_by_hand_is_not_run_again() {
    fn again() -> String {
        "DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$".into()
    }
    let database = database();
    let options = || TransactionOptions::new().retries(3);
    let kill = |pid: i32| database.execute(&format!("SELECT pg_terminate_backend({pid}, 5000)")).unwrap();
    // A rollback that was not done on a connection that was lost says nothing of a commit before it.
    for (by_hand, killed) in [(true, false), (true, true), (false, true), (false, false)] {
        let rows = if by_hand { vec![1] } else { vec![] };
        let db = R2d2Database::new(config(&database)).unwrap();
        let failed = db.transaction(options(), |tx| {
            tx.execute(INSERT, &[&1i64])?;
            let pid = tx.fetch_one("SELECT pg_backend_pid()", &[])?.get(0)?;
            if by_hand {
                tx.execute("COMMIT", &[])?;
            }
            let failed = tx.batch_execute(&again());
            if killed {
                kill(pid);
            }
            failed
        });
        assert_eq!((failed.map_err(|error: Error| error.is_retryable()), kept(&database)), (Err(true), rows.clone()));
        Runtime::new().unwrap().block_on(async {
            let db = DeadpoolDatabase::new(config(&database)).unwrap();
            let failed = db
                .transaction(options(), async move |tx| {
                    tx.execute(INSERT, &[&1i64]).await?;
                    let pid = tx.fetch_one("SELECT pg_backend_pid()", &[]).await?.get(0)?;
                    if by_hand {
                        tx.execute("COMMIT", &[]).await?;
                    }
                    let failed = tx.batch_execute(&again()).await;
                    if killed {
                        kill(pid);
                    }
                    failed
                })
                .await;
            assert_eq!((failed.map_err(|error: Error| error.is_retryable()), kept(&database)), (Err(true), rows));
        });
    }
}

#[test]
fn a_savepoint_that_is_refused_is_not_owed() {
    let database = database();
    for db in both(&config(&database)).unwrap() {
        let mut tx = db.begin(TransactionOptions::new()).unwrap();
        tx.execute("SELECT 1 / 0", &[]).unwrap_err();
        assert_eq!(tx.savepoint().unwrap_err().sqlstate(), Some("25P02"), "{db}");
        assert_eq!(tx.execute("SELECT 1", &[]).unwrap_err().sqlstate(), Some("25P02"), "{db}");
        assert_eq!(tx.commit().unwrap_err().kind(), ErrorKind::TransactionAborted, "{db}");
        // One that was begun is.
        let mut tx = db.begin(TransactionOptions::new()).unwrap();
        tx.savepoint().unwrap();
        tx.execute(INSERT, &[&1i64]).unwrap();
        tx.commit().unwrap();
        assert_eq!(kept(&database), [1], "{db}");
    }
}

/// As the one before, of savepoints that were dropped before the answer came.
#[test]
fn a_savepoint_that_is_dropped_and_refused_is_not_owed() {
    let database = database();
    let config = config(&database);
    let offloaded = Offloaded::new(Arc::new(R2d2Database::new(config.clone()).unwrap()));
    let both: [(&str, Arc<dyn AsyncDatabaseService>); 2] =
        [("async", Arc::new(DeadpoolDatabase::new(config).unwrap())), ("offloaded", Arc::new(offloaded))];
    for (name, db) in both {
        Runtime::new().unwrap().block_on(async {
            for polls in 1..4 {
                let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute(INSERT, &[&1i64]).await.unwrap();
                tx.execute("SELECT 1 / 0", &[]).await.unwrap_err();
                drop_after_polls(tx.savepoint(), polls).await;
                let refused = tx.execute("SELECT 1", &[]).await.unwrap_err();
                assert_eq!(refused.sqlstate(), Some("25P02"), "{name}, {polls}");
                let ended = tx.commit().await.map_err(|error| error.kind());
                assert_eq!((ended, kept(&database)), (Err(ErrorKind::TransactionAborted), vec![]), "{name}, {polls}");

                // What is around it goes on once the level that has failed is rolled back.
                let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute(INSERT, &[&1i64]).await.unwrap();
                let mut inner = tx.savepoint().await.unwrap();
                inner.execute("SELECT 1 / 0", &[]).await.unwrap_err();
                drop_after_polls(inner.savepoint(), polls).await;
                drop(inner);
                tx.execute(INSERT, &[&2i64]).await.unwrap_or_else(|error| panic!("{name}, {polls}: {error}"));
                tx.commit().await.unwrap();
                assert_eq!(kept(&database), [1, 2], "{name}, {polls}");

                // A savepoint that a statement has taken away fails the transaction, and the commit says so.
                let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute(INSERT, &[&1i64]).await.unwrap();
                let inner = tx.savepoint().await.unwrap();
                inner.execute("RELEASE SAVEPOINT catamaran_1", &[]).await.unwrap();
                drop(inner);
                let committed = tx.commit().await;
                assert_eq!((committed.is_ok(), kept(&database)), (false, vec![]), "{name}, {polls}: {committed:?}");
            }
        });
    }
}

/// Calls at once on one session: each is as if alone, or `Busy`, and none takes part in another's transaction.
#[test]
fn calls_beside_a_hand_written_end_are_each_on_their_own() {
    let database = database();
    Runtime::new().unwrap().block_on(async {
        let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config(&database)).unwrap());
        let (mut busy, mut committed) = (0, 0);
        for _ in 0..40 {
            let session = db.session().await.unwrap();
            session.execute("BEGIN", &[]).await.unwrap();
            session.execute(INSERT, &[&1i64]).await.unwrap();
            let (commit, _) = tokio::join!(session.execute("COMMIT", &[]), session.batch_execute("SELECT 1 / 0"));
            let there = database.texts("SELECT 1 FROM t").unwrap().len() == 1;
            match &commit {
                Ok(_) => assert!(there, "a commit that did not happen"),
                Err(error) => assert!(!there, "{error}"),
            }
            busy += usize::from(commit.as_ref().is_err_and(|error| error.kind() == ErrorKind::Busy));
            committed += usize::from(commit.is_ok());
            drop(session);
            kept(&database);

            let session = db.session().await.unwrap();
            session.batch_execute("BEGIN; COMMIT").await.unwrap();
            let sets: [&[&(dyn catamaran::ToSql + Sync)]; 2] = [&[&2i64], &[&3i64]];
            let (many, begun) = tokio::join!(session.execute_many(INSERT, &sets), session.execute("BEGIN", &[]));
            let own: Result<u64> = session.execute(INSERT, &[&4i64]).await;
            drop(session);
            assert_eq!(db.execute(INSERT, &[&9i64]).await.unwrap(), 1);
            let rows = kept(&database);
            assert!(rows.contains(&9), "the next caller's row is in a transaction that was left open: {rows:?}");
            assert_eq!(rows.contains(&2), many.is_ok(), "{many:?}");
            assert_eq!(rows.contains(&4), own.is_ok() && begun.is_err(), "{begun:?}, {own:?}");
        }
        assert!(busy + committed > 0);
    });
}

#[test]
fn a_commit_is_proved_by_a_savepoint_unless_the_server_has_said_that_all_is_done() {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    let config = Config::from_url(&database.url_via(proxy.address())).unwrap().max_size(1);
    proxy.capture(true);
    for db in both(&config).unwrap() {
        for (texts, proved) in [
            (&[][..], false),
            (&["INSERT INTO t VALUES (1)", "SELECT count(*) FROM t", "LOCK TABLE t"], false),
            // What was not done, though the server may have undone it.
            (&["SAVEPOINT s", "SELECT 1 / 0", "ROLLBACK TO SAVEPOINT s"], true),
            (&["SELECT no_such_column"], true),
            // Of what does more than read and change rows, nothing is concluded.
            (&["SET LOCAL lock_timeout = 0"], true),
            (&["CREATE TEMPORARY TABLE u (id int8)"], true),
            (&["SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"], true),
        ] {
            let before: Vec<usize> = proxy.captured().iter().map(Vec::len).collect();
            let tx = db.begin(TransactionOptions::new()).unwrap();
            for text in texts {
                let _ = tx.execute(text, &[]);
            }
            let committed = tx.commit();
            let captured = proxy.captured().into_iter().enumerate();
            let sent: Vec<u8> =
                captured.flat_map(|(at, all)| all[before.get(at).copied().unwrap_or_default()..].to_vec()).collect();
            let fails = texts.last().is_some_and(|last| last.contains("no_such"));
            let sends = |text: &[u8]| sent.windows(text.len()).any(|part| part == text);
            assert_eq!(committed.is_ok(), !fails, "{db}, {texts:?}: {committed:?}");
            assert!(sends(b"COMMIT\0"), "{db}, {texts:?}");
            assert_eq!(sends(b"SAVEPOINT catamaran_commit; COMMIT\0"), proved, "{db}, {texts:?}");
        }
    }
}
