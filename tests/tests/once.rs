//! What has run is not run again, whatever the error looks like that ended it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use catamaran::{AsyncExecutor, Batch, Config, ErrorKind, Result};
use catamaran_testkit::{Database, shared};
use catamaran_tests::faces::{LONG, Work, on_each};

const SCHEMA: &str = "
    CREATE TABLE runs (id serial);
    CREATE SEQUENCE calls;
    CREATE FUNCTION raise(code text, message text) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN PERFORM nextval('calls'); RAISE EXCEPTION '%', message USING ERRCODE = code; END $$;
    CREATE PROCEDURE run(code text, message text) LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO runs DEFAULT VALUES; COMMIT; PERFORM raise(code, message); END $$;
    CREATE PROCEDURE forget() LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO runs DEFAULT VALUES; PERFORM nextval('calls'); COMMIT;
        EXECUTE 'DEALLOCATE nothing_of_this_name';
    END $$;";

/// Texts that run once and fail like a statement that was never run, and whether they commit before.
const TEXTS: [(&str, &str, bool); 8] = [
    ("CALL run('26000', 'prepared statement \"s1\" does not exist')", "26000", true),
    ("CALL run('0A000', 'cached plan must not change result type')", "0A000", true),
    ("CALL forget()", "26000", true),
    (
        "DO $$ BEGIN INSERT INTO runs DEFAULT VALUES; COMMIT;
         PERFORM raise('26000', 'prepared statement \"s1\" does not exist'); END $$",
        "26000",
        true,
    ),
    (
        "DO $$ BEGIN INSERT INTO runs DEFAULT VALUES; COMMIT;
         PERFORM raise('0A000', 'cached plan must not change result type'); END $$",
        "0A000",
        true,
    ),
    ("/* SELECT */ CALL run('0A000', 'cached plan must not change result type')", "0A000", true),
    ("SELECT raise('26000', 'prepared statement \"s1\" does not exist')", "26000", false),
    ("SELECT raise('0A000', 'cached plan must not change result type')", "0A000", false),
];

/// Ways to run the text of an index.
const WAYS: [(&str, Work<Result<()>>); 8] = [
    ("execute", |db, text| Box::pin(async move { db.execute(TEXTS[text].0, &[]).await.map(drop) })),
    ("fetch_all", |db, text| Box::pin(async move { db.fetch_all(TEXTS[text].0, &[]).await.map(drop) })),
    ("fetch_optional", |db, text| Box::pin(async move { db.fetch_optional(TEXTS[text].0, &[]).await.map(drop) })),
    ("fetch_each", |db, text| Box::pin(async move { db.fetch_each(TEXTS[text].0, &[], &mut |_| Ok(())).await })),
    ("stream", |db, text| {
        Box::pin(async move {
            let mut rows = db.fetch_stream(TEXTS[text].0, &[]).await?;
            while let Some(row) = rows.next().await {
                row?;
            }
            Ok(())
        })
    }),
    ("batch_execute", |db, text| Box::pin(async move { db.batch_execute(TEXTS[text].0).await })),
    ("execute_many", |db, text| Box::pin(async move { db.execute_many(TEXTS[text].0, &[&[]]).await.map(drop) })),
    ("run_batch", |db, text| {
        Box::pin(async move { db.run_batch(&Batch::new().fetch_all(TEXTS[text].0, &[])).await.map(drop) })
    }),
];

fn number(database: &Database, sql: &str) -> i64 {
    database.texts(sql).unwrap()[0].as_ref().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_has_run_is_not_run_again() {
    let database = Arc::new(shared().unwrap().database().unwrap());
    database.execute(SCHEMA).unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG);
    on_each(&config, |opened| {
        let database = database.clone();
        async move {
            let mut wrong = Vec::new();
            for (name, work) in WAYS {
                for (index, (text, code, commits)) in TEXTS.into_iter().enumerate() {
                    for (place, times) in [("a service", 2), ("a session", 2)] {
                        database.execute("TRUNCATE runs; ALTER SEQUENCE calls RESTART").unwrap();
                        let session;
                        let on: &dyn AsyncExecutor = if place == "a session" {
                            session = opened.db.session().await.unwrap();
                            &*session
                        } else {
                            &*opened.db
                        };
                        // The second time it is kept.
                        for _ in 0..times {
                            let error = opened.work(on, work, index).await.unwrap_err();
                            if (error.kind(), error.sqlstate()) != (ErrorKind::Server, Some(code)) {
                                wrong.push(format!("{name} on {place}, {text}: {error:?}"));
                            }
                        }
                        let runs = number(&database, "SELECT count(*)::text FROM runs");
                        let calls = number(&database, "SELECT (nextval('calls') - 1)::text");
                        let expected = (if commits { times } else { 0 }, times);
                        if (runs, calls) != expected {
                            wrong.push(format!("{name} on {place}, {text}: {runs} runs and {calls} calls in {times}"));
                        }
                    }
                }
            }
            assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        }
    })
    .await;
}

/// The server's own error of a statement in it, which is that of a stale plan, and is not of what was asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_into_a_stale_plan_of_another_statement_is_not_run_again() {
    let database = Arc::new(shared().unwrap().database().unwrap());
    let body = "BEGIN INSERT INTO runs DEFAULT VALUES; COMMIT; EXECUTE 'EXECUTE p'; END";
    database
        .execute(&format!(
            "CREATE TABLE runs (id serial); CREATE TABLE t (x int);
             CREATE PROCEDURE run() LANGUAGE plpgsql AS $$ {body} $$; CREATE SEQUENCE calls;
             CREATE FUNCTION call() RETURNS int LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('calls'); EXECUTE 'EXECUTE p'; RETURN 1; END $$"
        ))
        .unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG);
    on_each(&config, |opened| {
        let (database, within) = (database.clone(), format!("$$ {body} $$"));
        async move {
            for text in ["SELECT call()", "CALL run()", ";CALL run()", "/* x */ ; ; CALL run()", "DO ", ";DO "] {
                let text = if text.ends_with("DO ") { format!("{text}{within}") } else { text.into() };
                for fetches in [false, true] {
                    let session = opened.db.session().await.unwrap();
                    let stale = "DROP TABLE t; CREATE TABLE t (x int); PREPARE p AS SELECT * FROM t; EXECUTE p;
                                 ALTER TABLE t ADD COLUMN y int";
                    session.batch_execute(stale).await.unwrap();
                    let run = if fetches {
                        session.fetch_all(&text, &[]).await.map(drop)
                    } else {
                        session.execute(&text, &[]).await.map(drop)
                    };
                    assert_eq!(run.unwrap_err().sqlstate(), Some("0A000"), "{:?}, {text}", opened.face);
                    drop(session);
                    let gone = "WITH gone AS (DELETE FROM runs RETURNING id) SELECT count(*)::text FROM gone";
                    let calls = number(&database, "SELECT nextval('calls')::text") - 1;
                    assert_eq!(number(&database, gone) + calls, 1, "{:?}, {text}", opened.face);
                    database.execute("ALTER SEQUENCE calls RESTART").unwrap();
                }
            }
        }
    })
    .await;
}

/// What was refused before it ran is run again, and so the test above does not hold because nothing ever is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_statement_that_was_refused_before_it_ran_is_run_again() {
    let database = Arc::new(shared().unwrap().database().unwrap());
    database.execute("CREATE TABLE t (x int)").unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG);
    on_each(&config, |opened| {
        let database = database.clone();
        async move {
            opened.db.fetch_all("SELECT * FROM t", &[]).await.unwrap();
            let column = format!("ALTER TABLE t ADD COLUMN {} int", format!("{:?}", opened.face).to_lowercase());
            database.execute(&column).unwrap();
            opened.db.fetch_all("SELECT * FROM t", &[]).await.unwrap();
        }
    })
    .await;
}
