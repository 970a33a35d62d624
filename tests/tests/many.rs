//! Many statements in one call: round trips, atomicity whatever happens, progress, and bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use catamaran::{
    AsyncDatabaseService, Batch, BulkOptions, Config, DeadpoolDatabase, ErrorKind, Result, ToSql, TransactionOptions,
    Unnest, prelude::*,
};
use catamaran_testkit::{Database, Proxy, Traffic, at_every_poll, eventually, shared};
use catamaran_tests::hull::{Hull, both};

const INSERT: &str = "INSERT INTO t VALUES ($1, $2)";
const SETS: usize = 100;

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database
        .execute("CREATE TABLE t (id int8 PRIMARY KEY, note text, UNIQUE (note) DEFERRABLE INITIALLY DEFERRED)")
        .unwrap();
    database
}

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap().max_size(1).checkout_timeout(Duration::from_secs(20))
}

fn ids(range: std::ops::Range<i64>) -> Vec<(i64, String)> {
    range.map(|id| (id, format!("note {id}"))).collect()
}

fn sets(rows: &[(i64, String)]) -> Vec<[&(dyn ToSql + Sync); 2]> {
    rows.iter().map(|(id, note)| [id as _, note as _]).collect()
}

fn many(db: &Hull, sql: &str, rows: &[(i64, String)]) -> Result<Vec<u64>> {
    let sets = sets(rows);
    let sets: Vec<_> = sets.iter().map(|set| set.as_slice()).collect();
    db.execute_many(sql, &sets)
}

async fn async_many(db: &dyn AsyncExecutor, sql: &str, rows: &[(i64, String)]) -> Result<Vec<u64>> {
    let sets = sets(rows);
    let sets: Vec<_> = sets.iter().map(|set| set.as_slice()).collect();
    db.execute_many(sql, &sets).await
}

fn count(database: &Database) -> i64 {
    database.texts("SELECT count(*)::text FROM t").unwrap()[0].as_ref().unwrap().parse().unwrap()
}

/// What a call sent, and how long it took, over a network that takes 10 ms in each direction.
fn over_a_slow_network(proxy: &Proxy, call: impl FnOnce()) -> (Traffic, Duration) {
    let delay = Duration::from_millis(10);
    proxy.set_delay(delay, delay);
    let (before, began) = (proxy.traffic(), Instant::now());
    call();
    let measured = (proxy.traffic().since(&before), began.elapsed());
    proxy.set_delay(Duration::ZERO, Duration::ZERO);
    measured
}

#[test]
fn the_async_service_waits_once_for_a_hundred_sets() {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    let [blocking, nonblocking] = both(&config(&database.url_via(proxy.address()))).unwrap();
    let mut next = 0;
    let mut rows = || {
        next += SETS as i64;
        ids(next..next + SETS as i64)
    };
    nonblocking.execute(INSERT, &[&0i64, &"kept"]).unwrap();
    let (traffic, quick) = over_a_slow_network(&proxy, || drop(many(&nonblocking, INSERT, &rows()).unwrap()));
    assert!(traffic.turns <= 3, "{traffic:?}");
    assert_eq!((traffic.parses(), traffic.syncs(), traffic.queries()), (0, SETS as u64, 2), "BEGIN, the sets, COMMIT");
    let (one_by_one, slow) = over_a_slow_network(&proxy, || {
        for (id, note) in rows() {
            nonblocking.execute(INSERT, &[&id, &note]).unwrap();
        }
    });
    assert!(one_by_one.turns >= SETS as u64, "{one_by_one:?}");
    assert!(quick * 5 < slow, "{quick:?} beside {slow:?}");

    blocking.execute(INSERT, &[&1i64, &"kept too"]).unwrap();
    let (traffic, _) = over_a_slow_network(&proxy, || drop(many(&blocking, INSERT, &rows()).unwrap()));
    assert_eq!(
        (traffic.turns, traffic.parses(), traffic.syncs(), traffic.queries()),
        (SETS as u64 + 2, 0, SETS as u64, 2)
    );
    assert_eq!(count(&database), 3 * SETS as i64 + 2);
}

#[test]
fn a_batch_is_one_trip_and_at_first_two() {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    let [blocking, nonblocking] = both(&config(&database.url_via(proxy.address()))).unwrap();
    let run = |db: &Hull, id: i64| {
        let note = id.to_string();
        let batch = Batch::new()
            .execute(INSERT, &[&id, &note])
            .fetch_all("SELECT note FROM t WHERE id = $1", &[&id])
            .execute("UPDATE t SET note = $1 || '!' WHERE id = $2", &[&note, &id])
            .fetch_all("SELECT note FROM t WHERE id = $1", &[&id]);
        let outcomes = db.run_batch(&batch).unwrap();
        assert_eq!(outcomes[1].scalar::<String>().unwrap(), note);
        assert_eq!(outcomes[3].scalar::<String>().unwrap(), format!("{note}!"));
    };
    // On a busy machine a sender may be held up for so long that an answer comes in between.
    let fewest = |runs: Vec<Traffic>| runs.iter().map(|traffic| traffic.turns).min();
    let counts = |runs: &[Traffic], wanted| {
        let counts = runs.iter().map(|traffic| (traffic.parses(), traffic.syncs(), traffic.queries()));
        assert_eq!(counts.collect::<Vec<_>>(), vec![wanted; runs.len()]);
    };
    let first: Vec<_> = (10..15)
        .map(|id| {
            let [_, fresh] = both(&config(&database.url_via(proxy.address()))).unwrap();
            fresh.ping().unwrap();
            over_a_slow_network(&proxy, || run(&fresh, id)).0
        })
        .collect();
    counts(&first, (3, 7, 2));
    assert_eq!(fewest(first), Some(2));
    run(&nonblocking, 1);
    let steady: Vec<_> = (20..25).map(|id| over_a_slow_network(&proxy, || run(&nonblocking, id)).0).collect();
    counts(&steady, (0, 4, 2));
    assert_eq!(fewest(steady), Some(1));
    run(&blocking, 3);
    let (steady, _) = over_a_slow_network(&proxy, || run(&blocking, 4));
    assert_eq!((steady.turns, steady.parses(), steady.syncs(), steady.queries()), (6, 0, 4, 2), "{steady:?}");
}

#[test]
fn a_commit_that_fails_keeps_nothing() {
    let database = database();
    for db in both(&config(&database.url())).unwrap() {
        let rows = [(1, "same".to_owned()), (2, "same".to_owned())];
        let error = many(&db, INSERT, &rows).unwrap_err();
        assert_eq!((error.sqlstate(), error.index()), (Some("23505"), None), "{db}: {error}");
        let session = db.session().unwrap();
        drop(session);
        assert_eq!(count(&database), 0, "{db}");
        assert_eq!(many(&db, INSERT, &ids(0..2)).unwrap(), [1, 1], "{db}");
        db.execute("DELETE FROM t", &[]).unwrap();
        assert_eq!(db.status().size, 1, "{db}");
    }
}

#[test]
fn a_connection_that_breaks_keeps_all_or_nothing() {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    for (db, kinds) in both(&config(&database.url_via(proxy.address())))
        .unwrap()
        .into_iter()
        .zip([&[ErrorKind::ConnectionLost][..], &[ErrorKind::CommitUnknown]])
    {
        let pid: i32 = db.fetch_one("SELECT pg_backend_pid()", &[]).unwrap().get(0).unwrap();
        let lock = shared().unwrap();
        let held = both(&config(&database.url())).unwrap()[0].session().unwrap();
        held.batch_execute("BEGIN; INSERT INTO t VALUES (50, 'in the way')").unwrap();
        let asked = std::thread::scope(|scope| {
            let asked = scope.spawn(|| many(&db, INSERT, &ids(0..100)));
            let waits = format!("SELECT 1::text FROM pg_locks WHERE pid = {pid} AND NOT granted");
            assert!(eventually(Duration::from_secs(20), || !database.texts(&waits).unwrap().is_empty()), "{db}");
            // That of the service before may be on its way out still.
            assert!(proxy.cut() >= 1);
            asked.join().unwrap()
        });
        let error = asked.unwrap_err();
        assert!(kinds.contains(&error.kind()), "{db}: {error:?}");
        held.batch_execute("ROLLBACK").unwrap();
        let gone = format!("SELECT 1::text FROM pg_stat_activity WHERE pid = {pid}");
        let ended = || lock.texts(database.name(), &gone).unwrap().is_empty();
        assert!(eventually(Duration::from_secs(20), ended), "{db}");
        assert!([0, 100].contains(&count(&database)), "{db}: {}", count(&database));
        db.execute("DELETE FROM t", &[]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_no_transaction_after_a_dropped_call() {
    let database = database();
    let db = DeadpoolDatabase::new(config(&database.url())).unwrap();
    let session = db.session().await.unwrap();
    let (begin, session) = (SystemTime::now(), &*session);
    let still = async || {
        let now = || session.fetch_scalar::<SystemTime>("SELECT now()", &[]);
        let times = (now().await.unwrap(), now().await.unwrap());
        assert!(times.0 > begin);
        times.0 == times.1
    };
    // The time stands still within a transaction.
    session.batch_execute("BEGIN").await.unwrap();
    assert!(still().await);
    session.batch_execute("ROLLBACK").await.unwrap();
    let mut drops = 0;
    let done = at_every_poll(
        400,
        || async move {
            session.execute("DELETE FROM t", &[]).await.unwrap();
            async_many(session, INSERT, &ids(0..300)).await.unwrap();
            let batch = Batch::new()
                .execute("DELETE FROM t", &[])
                .execute("SET LOCAL application_name = 'x'", &[])
                .execute("INSERT INTO t VALUES (0, 'a')", &[]);
            session.run_batch(&batch).await.unwrap();
        },
        async |polls| {
            drops += 1;
            assert!(!still().await, "a transaction is open after {polls} polls");
            let rows: i64 = session.fetch_scalar("SELECT count(*) FROM t", &[]).await.unwrap();
            assert!([0, 1, 300].contains(&rows), "{rows} rows after {polls} polls");
        },
    );
    assert!(done.await.is_some() && drops > 2, "{drops} drops");
}

/// A commit that was sent may take longer than a statement that nobody waits for may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_dropped_in_its_commit_is_waited_for() {
    let database = database();
    database
        .execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.8); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (NEW.id = 0) EXECUTE FUNCTION slow()",
        )
        .unwrap();
    let db = DeadpoolDatabase::new(config(&database.url())).unwrap();
    let rows = ids(0..3);
    let others = DeadpoolDatabase::new(config(&database.url())).unwrap();
    let commits = async {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE query LIKE '%; COMMIT' AND state = 'active' AND datname = current_database()";
        while others.fetch_scalar::<i64>(sql, &[]).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = async_many(&db, INSERT, &rows) => panic!("it was to be dropped: {done:?}"),
        () = commits => {}
    }
    let kept: i64 = db.fetch_scalar("SELECT count(*) FROM t", &[]).await.unwrap();
    assert_eq!(kept, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_send_on_the_session_meanwhile_is_no_part_of_it() {
    let database = database();
    let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config(&database.url())).unwrap());
    let others = DeadpoolDatabase::new(config(&database.url())).unwrap();
    let session = &*db.session().await.unwrap();
    session.execute(INSERT, &[&-1i64, &"kept"]).await.unwrap();
    for count in [10, 1000] {
        // The first row waits for it, so that nothing is over before the other has asked.
        let in_the_way = others.begin(TransactionOptions::new()).await.unwrap();
        in_the_way.execute(INSERT, &[&0i64, &"in the way"]).await.unwrap();
        let rows = ids(0..count).into_iter().chain(ids(0..1)).collect::<Vec<_>>();
        let (many, other) = tokio::join!(async_many(session, INSERT, &rows), async {
            let other = session.execute(INSERT, &[&5001i64, &"refused"]).await;
            in_the_way.rollback().await.unwrap();
            other
        });
        assert_eq!(
            (many.unwrap_err().index(), other.unwrap_err().kind()),
            (Some(usize::try_from(count).unwrap()), ErrorKind::Busy)
        );
    }
    session.execute(INSERT, &[&5000i64, &"behind"]).await.unwrap();
    let left: Vec<(i64,)> = session.fetch_all_as("SELECT id FROM t ORDER BY id", &[]).await.unwrap();
    assert_eq!(left, [(-1,), (5000,)]);
}

#[test]
fn progress_never_falls_and_ends_with_the_number_of_rows() {
    let database = database();
    const MANY: i64 = 30_000;
    let unnest = "INSERT INTO t SELECT * FROM UNNEST($1::int8[], $2::text[])";
    for db in both(&config(&database.url())).unwrap() {
        let check = |what: &str, rows: i64, least: usize, run: &dyn Fn(BulkOptions<'_>) -> u64| {
            let told = Mutex::new(Vec::new());
            let count = run(BulkOptions::new().progress(|rows| told.lock().unwrap().push(rows)));
            let told = told.into_inner().unwrap();
            assert!(told.len() >= least, "{db}, {what}: {} calls", told.len());
            assert!(told.is_sorted(), "{db}, {what}: {told:?}");
            assert_eq!((told.last(), count), (Some(&(rows as u64)), rows as u64), "{db}, {what}");
            db.execute("DELETE FROM t", &[]).unwrap();
        };
        check("sets", 1000, 4, &|options| db.execute_rows(INSERT, ids(0..1000), options).unwrap());
        check("unnest", MANY, 3, &|options| db.execute_unnest(unnest, ids(0..MANY), options).unwrap());
        check("copy", MANY, 5, &|options| db.copy_rows_in_with("t", &["id", "note"], ids(0..MANY), options).unwrap());
    }
}

/// What has been sent to the server when a call has come to a standstill at its first set.
fn sent_ahead(rows: &[(i64, String)]) -> Traffic {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    let [_, db] = both(&config(&database.url_via(proxy.address()))).unwrap();
    let pid: i32 = db.fetch_one("SELECT pg_backend_pid()", &[]).unwrap().get(0).unwrap();
    let held = both(&config(&database.url())).unwrap()[0].session().unwrap();
    held.batch_execute(&format!("BEGIN; INSERT INTO t VALUES ({}, 'in the way')", rows[0].0)).unwrap();
    let before = proxy.traffic();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| many(&db, "INSERT INTO t VALUES ($1, md5($2))", rows));
        let waits = format!("SELECT 1::text FROM pg_locks WHERE pid = {pid} AND NOT granted");
        assert!(eventually(Duration::from_secs(20), || !database.texts(&waits).unwrap().is_empty()));
        let sent = || proxy.traffic().since(&before);
        eventually(Duration::from_millis(300), || sent().syncs() >= rows.len() as u64);
        let ahead = sent();
        held.batch_execute("ROLLBACK").unwrap();
        assert_eq!(asked.join().unwrap().unwrap(), vec![1; rows.len()]);
        ahead
    })
}

#[test]
fn no_more_than_a_window_is_sent_ahead() {
    let ahead = sent_ahead(&ids(0..200));
    assert_eq!(ahead.syncs(), 201, "all of them, and the one that prepares");
    let ahead = sent_ahead(&ids(0..1000));
    assert_eq!(ahead.syncs(), 257, "the one that prepares, and 256 when BEGIN was answered");
    let large = "x".repeat(600 * 1024);
    let large: Vec<_> = (0..20).map(|id| (id, format!("{large}{id}"))).collect();
    let ahead = sent_ahead(&large);
    assert_eq!(ahead.syncs(), 3, "the one that prepares, and two of 600 KiB");
}

#[test]
fn errors_say_which_and_show_no_value() {
    let database = database();
    for db in both(&config(&database.url())).unwrap() {
        let secret = |id: i64| (id, "s3cr3t".to_owned());
        let said = |error: &catamaran::Error| format!("{error} {error:?}");
        let error = many(&db, INSERT, &[(1, "a".to_owned()), secret(2), secret(1)]).unwrap_err();
        assert!(error.to_string().starts_with("set at index 2: duplicate key"), "{db}: {error}");
        assert!(!said(&error).contains("s3cr3t"), "{db}: {error:?}");
        let error = db.execute_many("SELECT $1::text::int4", &[&[&"1"], &[&"s3cr3t"]]).unwrap_err();
        assert_eq!(error.index(), Some(1), "{db}: {error}");
        assert!(!said(&error).contains("s3cr3t"), "{db}: {error:?}");
        let batch = Batch::new().execute("SELECT 1", &[]).execute("SELECT $1::text::int4", &[&"s3cr3t"]);
        let error = db.run_batch(&batch).unwrap_err();
        assert!(error.to_string().starts_with("statement at index 1: "), "{db}: {error}");
        assert!(!said(&error).contains("s3cr3t"), "{db}: {error:?}");
        let error = db.execute_rows(INSERT, [vec![1i64, 2]], BulkOptions::new()).unwrap_err();
        assert_eq!((error.kind(), error.index()), (ErrorKind::Encode, Some(0)), "{db}: {error}");
        let ragged = [vec![1i64, 2], vec![3]];
        let error = db.execute_rows("SELECT $1::int8, $2::int8", ragged, BulkOptions::new()).unwrap_err();
        assert_eq!((error.kind(), error.index()), (ErrorKind::ParameterCount, Some(1)), "{db}: {error}");
        let ragged = [vec![1i64], vec![2], vec![3], vec![]];
        let sql = "SELECT $1::int8[]";
        let error = db.execute_unnest(sql, ragged, BulkOptions::new().chunk(2)).unwrap_err();
        assert!(error.to_string().starts_with("row 4 has 0 fields"), "{db}: {error}");
        let rows = [vec![1i64, 2], vec![3, 4], vec![5]];
        let error = db.execute_unnest(sql, rows, BulkOptions::new().chunk(2)).unwrap_err();
        assert_eq!((error.kind(), db.status().size), (ErrorKind::ParameterCount, 1), "{db}: {error}");
        let too_many: Vec<i64> = vec![1; 70_000];
        let too_many: Vec<_> = too_many.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let error = db.execute_many("SELECT $1::int8", &[&[&1i64], &too_many]).unwrap_err();
        assert_eq!((error.kind(), error.index()), (ErrorKind::ParameterCount, Some(1)), "{db}: {error}");
        assert_eq!(count(&database), 0, "{db}");
    }
}

#[test]
fn arrays_of_types_of_the_schema() {
    let database = database();
    let schema =
        "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE moods (id int8 PRIMARY KEY, mood mood, at timestamptz)";
    database.execute(schema).unwrap();
    #[derive(Debug, Clone, Copy, catamaran::types::ToSql)]
    #[postgres(name = "mood", rename_all = "snake_case")]
    enum Mood {
        Ok,
        Bad,
    }
    let rows = [(1i64, Some(Mood::Ok), Some(SystemTime::UNIX_EPOCH)), (2, Some(Mood::Bad), None), (3, None, None)];
    let sql = "INSERT INTO moods SELECT * FROM UNNEST($1::int8[], $2::mood[], $3::timestamptz[])
               ON CONFLICT (id) DO UPDATE SET mood = excluded.mood RETURNING id, mood::text AS mood, at IS NULL AS timeless";
    for db in both(&config(&database.url())).unwrap() {
        let arrays = Unnest::rows(rows).unwrap();
        for _ in 0..2 {
            let came = db.fetch_all(sql, &arrays.params()).unwrap();
            let came: Vec<_> = came.iter().map(|row| row.get::<Option<String>>("mood").unwrap()).collect();
            assert_eq!(came, [Some("ok".into()), Some("bad".into()), None], "{db}");
        }
        let batch = Batch::new().execute("DELETE FROM moods", &[]).fetch_all(sql, &arrays.params());
        // A batch may hold the arrays as well.
        let outcomes = db.run_batch(&batch).unwrap();
        assert_eq!((outcomes[0].count(), outcomes[1].count()), (3, 3), "{db}");
    }
}

#[test]
fn a_transaction_around_many_ends_as_its_owner_says() {
    let database = database();
    let blocking = catamaran::R2d2Database::new(config(&database.url())).unwrap();
    let failed = blocking.execute_rows_in_transaction(
        TransactionOptions::new().read_only(true),
        INSERT,
        ids(0..3),
        BulkOptions::new(),
    );
    assert_eq!(failed.unwrap_err().sqlstate(), Some("25006"));
    let written =
        blocking.execute_rows_in_transaction(TransactionOptions::new(), INSERT, ids(0..3), BulkOptions::new());
    assert_eq!((written.unwrap(), count(&database)), (3, 3));
}
