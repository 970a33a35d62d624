//! What one caller leaves on a connection is not found by the next: neither what its texts say in a roundabout way, nor
//! what was kept of texts under its settings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use catamaran::{
    AsyncExecutor as _, Bytes, Config, DeadpoolDatabase, Isolation, R2d2Database, TransactionOptions, prelude::*,
};
use catamaran_testkit::{Database, shared};
use catamaran_tests::hull::{Hull, both};
use futures_util::FutureExt as _;

/// What another caller would notice.
const STATE: &str = "SELECT concat_ws('|', current_user, current_setting('search_path'),
    (SELECT string_agg(relname::text, ',') FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
    (SELECT string_agg(name, ',') FROM pg_prepared_statements WHERE from_sql),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))";

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (id int8); CREATE SCHEMA other").unwrap();
    database
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(1)
}

fn services(database: &Database) -> [Hull; 2] {
    both(&config(database)).unwrap()
}

fn text(db: &Hull, sql: &str) -> String {
    db.fetch_one(sql, &[]).unwrap().get(0).unwrap()
}

#[test]
fn what_a_text_says_in_a_roundabout_way() {
    let database = database();
    for db in services(&database) {
        let clean = text(&db, STATE);
        for sql in [
            "SELECT 1 AS insert INTO TEMP u",
            "SELECT (1) merge INTO TEMP TABLE u",
            "WITH a AS (SELECT 1 AS insert) SELECT insert INTO TEMP u FROM a",
            "EXPLAIN ANALYZE SELECT 1 AS insert INTO TEMP u",
            r#"SELECT query_to_xml('select U&"set\005fconfig"(''search_path'', ''other'', false)', true, true, '')::text"#,
            r#"SELECT query_to_xml($q$select U&"pg\005fadvisory\005flock"(7)$q$, true, true, '')::text"#,
            r"SELECT query_to_xml('select query_to_xml(E''select set\x5fconfig(''''search_path'''', ''''other'''', false)'',
              true, true, '''')', true, true, '')::text",
            r"DO $$ BEGIN EXECUTE E'\x50REPARE p AS SELECT 1'; END $$",
            r"DO $$ BEGIN EXECUTE U&'\0050REPARE p AS SELECT 1'; END $$",
            "DO $$ BEGIN EXECUTE 'PRE'\n'PARE p AS SELECT 1'; END $$",
        ] {
            let session = db.session().unwrap();
            session.batch_execute(sql).unwrap_or_else(|error| panic!("{db}, {sql}: {error}"));
            let within: String = session.fetch_all(STATE, &[]).unwrap()[0].get(0).unwrap();
            assert_ne!(within, clean, "{db}, {sql}: it leaves nothing that could be undone");
            drop(session);
            assert_eq!(text(&db, STATE), clean, "{db}, {sql}, in a session");
            db.execute(sql, &[]).unwrap();
            assert_eq!(text(&db, STATE), clean, "{db}, {sql}");
            db.batch_execute(sql).unwrap();
            assert_eq!(text(&db, STATE), clean, "{db}, {sql}, as a batch");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_statement_of_a_copy_does() {
    let database = database();
    let sets = "COPY (SELECT set_config('role', 'pg_monitor', false)) TO STDOUT";
    let locks = "COPY (SELECT pg_advisory_lock(7)) TO STDOUT";
    let filters = "COPY t FROM STDIN WHERE pg_advisory_lock(7)::text IS NOT NULL";
    let db = DeadpoolDatabase::new(config(&database)).unwrap();
    let clean: String = db.fetch_scalar(STATE, &[]).await.unwrap();
    for (sql, is_read) in [(sets, true), (sets, false), (locks, true), (locks, false)] {
        let mut data = db.copy_out(sql).await.unwrap();
        while is_read && data.next().await.is_some() {}
        drop(data);
        assert_eq!(db.fetch_scalar::<String>(STATE, &[]).await.unwrap(), clean, "{sql}");
        let tx = db.begin(TransactionOptions::new()).await.unwrap();
        let mut data = tx.copy_out(sql).await.unwrap();
        while data.next().await.is_some() {}
        drop(data);
        assert_ne!(tx.fetch_scalar::<String>(STATE, &[]).await.unwrap(), clean, "{sql}: it leaves nothing");
        tx.commit().await.unwrap();
        assert_eq!(db.fetch_scalar::<String>(STATE, &[]).await.unwrap(), clean, "{sql}, in a transaction");
    }
    for (data, is_well) in [("1\n", true), ("x\n", false)] {
        let mut chunks = futures_util::stream::iter([Ok(Bytes::from_static(data.as_bytes()))]);
        assert_eq!(db.copy_in(filters, &mut chunks).await.is_ok(), is_well);
        assert_eq!(db.fetch_scalar::<String>(STATE, &[]).await.unwrap(), clean, "{data}");
    }
    let blocking = thread::spawn(move || {
        let db = R2d2Database::new(config(&database)).unwrap();
        for (sql, is_read) in [(sets, true), (sets, false), (locks, true), (locks, false)] {
            let mut data = db.copy_out(sql).unwrap();
            while is_read && data.next().is_some() {}
            drop(data);
            assert_eq!(db.fetch_scalar::<String>(STATE, &[]).unwrap(), clean, "{sql}");
        }
        for (data, is_well) in [("1\n", true), ("x\n", false)] {
            let mut chunks = [Ok(Bytes::from_static(data.as_bytes()))].into_iter();
            assert_eq!(db.copy_in(filters, &mut chunks).is_ok(), is_well);
            assert_eq!(db.fetch_scalar::<String>(STATE, &[]).unwrap(), clean, "{data}");
        }
    });
    tokio::task::spawn_blocking(move || blocking.join().unwrap()).await.unwrap();
}

/// A statement is kept with what the server has read in it, which hinges on settings.
#[test]
fn what_is_kept_of_a_text_under_the_settings_of_another() {
    let database = database();
    database
        .execute(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE PROCEDURE dates() LANGUAGE plpgsql AS $$ BEGIN SET datestyle = 'SQL, DMY'; END $$;
             CREATE FUNCTION dates_too() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET datestyle = 'SQL, DMY'; RETURN 1; END $$",
        )
        .unwrap();
    let days = "SELECT ('01/02/2000'::date - '2000-01-01'::date)::text";
    for (first, sql) in [
        ("SET extra_float_digits = -5", "SELECT (1.0::float8 / 3)::text"),
        ("SELECT set_config('extra_float_digits', '-5', false)", "SELECT md5((1.0::float8 / 3)::text)"),
        ("CALL dates()", days),
        ("BEGIN; CALL dates(); COMMIT", days),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT dates_too(); COMMIT; FETCH c", days),
        ("RESET ROLE; SELECT dates_too()", days),
    ] {
        for db in services(&database) {
            let session = db.session().unwrap();
            session.batch_execute(first).unwrap();
            let within: String = session.fetch_all(sql, &[]).unwrap()[0].get(0).unwrap();
            drop(session);
            let [fresh, _] = services(&database);
            let right = text(&fresh, sql);
            assert_ne!(within, right, "{db}, {first}: it does nothing");
            assert_eq!(text(&db, sql), right, "{db}, {first}");
        }
    }
    for sql in [r#"SELECT 'f'::"regproc"::text"#, "SELECT ('{f}'::_regproc)::text", r#"SELECT 'f'::U&"regproc"::text"#]
    {
        for db in services(&database) {
            let before = text(&db, sql);
            database.execute("DROP FUNCTION f; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'").unwrap();
            assert_eq!(text(&db, sql), before, "{db}, {sql}");
        }
    }
}

/// Settings that have a transaction wait for others.
#[test]
fn what_would_hold_up_the_undoing() {
    let database = database();
    let other = R2d2Database::new(config(&database)).unwrap();
    for db in services(&database) {
        let writes = other.begin(TransactionOptions::new().isolation(Isolation::Serializable)).unwrap();
        writes.fetch_all("SELECT * FROM t", &[]).unwrap();
        writes.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
        let (answered, answer) = channel();
        let began = Instant::now();
        let asking = thread::spawn(move || {
            let pid = text(&db, "SELECT pg_backend_pid()::text");
            db.batch_execute(
                "SET default_transaction_isolation = 'serializable'; SET default_transaction_read_only = on;
                 SET default_transaction_deferrable = on",
            )
            .unwrap();
            let _ = answered.send((db.to_string(), pid == text(&db, "SELECT pg_backend_pid()::text")));
        });
        let answer = answer.recv_timeout(Duration::from_secs(20));
        writes.rollback().unwrap();
        asking.join().unwrap();
        let (db, is_the_same) = answer.unwrap_or_else(|_| panic!("no answer after {:?}", began.elapsed()));
        assert!(is_the_same, "{db}: a connection was given up that could be cleaned");
    }
}

/// A connection of which somebody forgets to drop what reads from it is not handed on.
#[tokio::test]
async fn what_is_forgotten_takes_its_connection_along() {
    let database = database();
    let config = config(&database);
    for sharing in [true, false] {
        let db = DeadpoolDatabase::new(config.clone().sharing(sharing)).unwrap();
        let session = db.session().await.unwrap();
        Box::leak(Box::new(session.fetch_stream("SELECT 1", &[]).await.unwrap()));
        drop(session);
        db.execute("SELECT 1", &[]).await.unwrap();
        let session = db.session().await.unwrap();
        let mut call = Box::pin(session.execute("SELECT pg_sleep(0.1)", &[]));
        assert!((&mut call).now_or_never().is_none());
        Box::leak(Box::new(call));
        drop(session);
        db.execute_many("SELECT 1", &[&[], &[]]).await.unwrap();
        db.begin(TransactionOptions::new()).await.unwrap().commit().await.unwrap();
    }
}
