//! What one `Config` promises, observed on both pools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    thread,
    time::{Duration, Instant},
};

use catamaran::{Config, ErrorKind, TransactionOptions, defaults};
use catamaran_testkit::{Database, Proxy, eventually, shared};
use catamaran_tests::hull::{Hull, both};

const LONG: Duration = Duration::from_secs(20);

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap()
}

fn pid(db: &Hull) -> i32 {
    db.fetch_one("SELECT pg_backend_pid()", &[]).unwrap().get(0).unwrap()
}

/// Runs a test on both services at once, to spend no time twice.
fn on_both(config: &Config, test: impl Fn(Hull) + Send + Sync) {
    thread::scope(|scope| {
        for hull in both(config).unwrap() {
            scope.spawn(|| test(hull));
        }
    });
}

#[test]
fn by_default_ten_connections_and_five_seconds_of_patience() {
    let database = database();
    on_both(&config(&database), |db| {
        assert_eq!(db.status().size, 0, "{db}: connections are opened when they are needed");
        let held: Vec<_> = (0..defaults::MAX_SIZE).map(|_| db.session().unwrap()).collect();
        assert_eq!((db.status().size, db.status().in_use, db.status().idle), (10, 10, 0), "{db}");
        let asked = Instant::now();
        let waiting = thread::scope(|scope| {
            let waiter = scope.spawn(|| db.ping());
            assert!(eventually(LONG, || db.status().waiting == 1), "{db}: {:?}", db.status());
            waiter.join().unwrap()
        });
        let error = waiting.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PoolTimeout, "{db}");
        assert!(error.to_string().contains("10 of 10 in use"), "{db}: {error}");
        let waited = asked.elapsed();
        assert!(waited >= defaults::CHECKOUT_TIMEOUT && waited < 4 * defaults::CHECKOUT_TIMEOUT, "{db}: {waited:?}");
        drop(held);
        assert!(eventually(LONG, || db.status().idle == 10), "{db}: {:?}", db.status());
        db.ping().unwrap();
    });
}

#[test]
fn by_default_connecting_ends_after_five_seconds() {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    proxy.hang().unwrap();
    let config = Config::from_url(&database.url_via(proxy.address())).unwrap();
    on_both(&config, |db| {
        let asked = Instant::now();
        let error = db.ping().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{db}: {error}");
        assert!(error.to_string().contains("connect_timeout (5s)"), "{db}: {error}");
        let waited = asked.elapsed();
        assert!(waited >= defaults::CONNECT_TIMEOUT && waited < 4 * defaults::CONNECT_TIMEOUT, "{db}: {waited:?}");
    });
    proxy.accept().unwrap();
    on_both(&config, |db| db.ping().unwrap());
}

#[test]
fn by_default_statements_end_after_a_minute_and_name_nobody() {
    let database = database();
    on_both(&config(&database), |db| {
        let shown = |name: &str| db.fetch_one(&format!("SHOW {name}"), &[]).unwrap().get::<String>(0).unwrap();
        assert_eq!(shown("statement_timeout"), "1min", "{db}");
        assert_eq!(shown("application_name"), "", "{db}");
    });
    on_both(&config(&database).statement_timeout(Duration::from_millis(200)), |db| {
        let error = db.fetch_all("SELECT pg_sleep(30)", &[]).unwrap_err();
        assert!(error.is_query_canceled(), "{db}: {error}");
        db.ping().unwrap();
    });
    on_both(&config(&database).statement_timeout(Duration::ZERO), |db| {
        assert_eq!(db.fetch_one("SHOW statement_timeout", &[]).unwrap().get::<String>(0).unwrap(), "0", "{db}");
    });
}

#[test]
fn by_default_256_statements_are_kept_and_those_evicted_are_closed() {
    let database = database();
    on_both(&config(&database).max_size(1), |db| {
        for n in 0..defaults::STATEMENT_CACHE_SIZE + 100 {
            db.fetch_all(&format!("SELECT {n}"), &[]).unwrap();
        }
        let count = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT %'";
        let kept: i64 = db.fetch_one(count, &[]).unwrap().get(0).unwrap();
        assert!((250..=257).contains(&kept), "{db}: {kept}");
    });
    on_both(&config(&database).max_size(1).statement_cache_size(0), |db| {
        (0..50).for_each(|n| drop(db.fetch_all(&format!("SELECT {n}"), &[]).unwrap()));
        let kept: i64 = db.fetch_one("SELECT count(*) FROM pg_prepared_statements", &[]).unwrap().get(0).unwrap();
        assert!(kept <= 2, "{db}: {kept}");
    });
}

#[test]
fn a_kept_statement_takes_one_round_trip_and_no_test() {
    let database = database();
    for hull in 0..2 {
        let proxy = Proxy::start(database.server()).unwrap();
        let config = Config::from_url(&database.url_via(proxy.address())).unwrap().max_size(1);
        let db = both(&config).unwrap()[hull].clone();
        let ask = || db.fetch_one("SELECT $1::int8", &[&1i64]).unwrap();
        ask();
        let before = proxy.traffic();
        (0..10).for_each(|_| drop(ask()));
        let steady = proxy.traffic().since(&before);
        assert_eq!((steady.parses(), steady.syncs(), steady.queries()), (0, 10, 0), "{db}");
        // A connection idle for longer than `test_after_idle` (1 s) is tested, which is one trip more.
        thread::sleep(defaults::TEST_AFTER_IDLE + Duration::from_millis(200));
        let before = proxy.traffic();
        ask();
        let tested = proxy.traffic().since(&before);
        assert_eq!((tested.parses(), tested.syncs() + tested.queries()), (0, 2), "{db}");
    }
}

#[test]
fn idle_and_old_connections_are_replaced() {
    let database = database();
    let quick = Duration::from_millis(300);
    for config in [config(&database).idle_timeout(quick), config(&database).max_lifetime(quick)] {
        on_both(&config.max_size(1), |db| {
            let first = pid(&db);
            assert_eq!(pid(&db), first, "{db}");
            thread::sleep(2 * quick);
            assert_ne!(pid(&db), first, "{db}");
        });
    }
}

/// r2d2 looks for idle connections every 30 s, deadpool's reaper more often.
#[test]
fn idle_connections_are_closed_though_nobody_asks_for_them() {
    let database = database();
    on_both(&config(&database).idle_timeout(Duration::from_millis(300)), |db| {
        let held: Vec<_> = (0..3).map(|_| db.session().unwrap()).collect();
        drop(held);
        assert_eq!(db.status().size, 3, "{db}");
        assert!(eventually(Duration::from_secs(60), || db.status().size == 0), "{db}: {:?}", db.status());
    });
    assert!(eventually(LONG, || database.backend_pids().unwrap().is_empty()));
}

/// When the kernel sends the next keepalive probe of the connection between these ports, by its own account.
#[cfg(target_os = "linux")]
fn next_probe((client, server): (i32, i32)) -> Option<Duration> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // A port may also stand there for a connection to another server that has ended.
    let ends = (format!(":{client:04X}"), format!(":{server:04X}"));
    let row = table.lines().find(|row| {
        let mut fields = row.split_whitespace().skip(1);
        let mut has = |end: &str| fields.next().is_some_and(|field| field.ends_with(end));
        has(&ends.0) && has(&ends.1)
    })?;
    let (timer, when) = row.split_whitespace().nth(5)?.split_once(':')?;
    // 02 is the keepalive timer; the time is in hundredths of a second.
    (timer == "02").then(|| Duration::from_millis(10 * u64::from_str_radix(when, 16).unwrap()))
}

#[cfg(target_os = "linux")]
#[test]
fn by_default_keepalives_begin_after_30_seconds() {
    let database = database();
    let ports = |db: &Hull| {
        let row = db.fetch_one("SELECT inet_client_port(), inet_server_port()", &[]).unwrap();
        (row.get(0).unwrap(), row.get(1).unwrap())
    };
    on_both(&config(&database), |db| {
        let (ports, mut probe) = (ports(&db), None);
        // What was just sent has another timer until the server has acknowledged it.
        assert!(
            eventually(LONG, || {
                probe = next_probe(ports);
                probe.is_some()
            }),
            "{db}: no keepalive timer"
        );
        let probe = probe.unwrap();
        assert!(probe <= defaults::KEEPALIVES_IDLE && probe > defaults::KEEPALIVES_IDLE / 3, "{db}: {probe:?}");
    });
    on_both(&config(&database).keepalives(false), |db| assert_eq!(next_probe(ports(&db)), None, "{db}"));
}

#[test]
fn connections_are_reused_last_in_first_out() {
    let database = database();
    on_both(&config(&database), |db| {
        let (first, second) = (db.session().unwrap(), db.session().unwrap());
        let own = |held: &catamaran_tests::hull::Held| {
            held.fetch_all("SELECT pg_backend_pid()", &[]).unwrap()[0].get::<i32>(0).unwrap()
        };
        let last = own(&second);
        drop(first);
        assert!(eventually(LONG, || db.status().idle == 1));
        drop(second);
        assert!(eventually(LONG, || db.status().idle == 2));
        assert_eq!(pid(&db), last, "{db}");
    });
}

#[test]
fn nothing_is_left_on_a_connection() {
    let database = database();
    on_both(&config(&database).max_size(1), |db| {
        let table = format!("of_{db}");
        db.execute(&format!("CREATE TABLE {table} (x int)"), &[]).unwrap();
        let insert = format!("INSERT INTO {table} VALUES (1)");
        let count = format!("SELECT count(*) FROM {table}");
        let rows = |db: &Hull| db.fetch_one(&count, &[]).unwrap().get::<i64>(0).unwrap();
        let still = |db: &Hull| db.fetch_one("SELECT now()", &[]).unwrap().get::<std::time::SystemTime>(0).unwrap();
        db.batch_execute(&format!("BEGIN; {insert}")).unwrap();
        db.execute("BEGIN", &[]).unwrap();
        assert_ne!(still(&db), still(&db), "{db}: a transaction is open");
        let tx = db.begin(TransactionOptions::new()).unwrap();
        tx.execute(&insert, &[]).unwrap();
        tx.abandon();
        assert_eq!(rows(&db), 0, "{db}");
        let session = db.session().unwrap();
        session
            .batch_execute("SET search_path = nowhere; CREATE TEMP TABLE mine (x int); SET ROLE pg_monitor")
            .unwrap();
        session.batch_execute("SELECT pg_advisory_lock(3); LISTEN news").unwrap();
        drop(session);
        assert_eq!(rows(&db), 0, "{db}");
        let left = "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
                         + (SELECT count(*) FROM pg_class WHERE relname = 'mine' AND relnamespace = pg_my_temp_schema())
                         + (SELECT count(*) FROM pg_listening_channels())
                         + (current_user <> session_user)::int";
        assert_eq!(db.fetch_one(left, &[]).unwrap().get::<i64>(0).unwrap(), 0, "{db}");
    });
}

#[test]
fn a_stream_left_early_leaves_a_clean_connection() {
    let database = database();
    on_both(&config(&database).max_size(1), |db| {
        // What is short is read to its end, and the connection kept.
        let first = pid(&db);
        assert_eq!(db.take_rows("SELECT repeat('x', 1000) FROM generate_series(1, 1000)", 3).unwrap().len(), 3);
        assert_eq!(pid(&db), first, "{db}: the connection was given up");
        // What goes on for long is cancelled.
        let started = Instant::now();
        let long = "SELECT repeat('x', 1000), pg_sleep(0.001) FROM generate_series(1, 1000000)";
        assert_eq!(db.take_rows(long, 3).unwrap().len(), 3);
        db.ping().unwrap();
        assert!(started.elapsed() < LONG, "{db}: the statement was not cancelled");
        let running = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state = 'active'";
        assert!(eventually(LONG, || db.fetch_one(running, &[&first]).unwrap().get::<i64>(0).unwrap() == 0), "{db}");
    });
}

#[test]
fn closing_drains_and_refuses() {
    let database = database();
    on_both(&config(&database), |db| {
        let held = db.session().unwrap();
        db.ping().unwrap();
        let error = db.close(Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{db}: {error}");
        assert_eq!(db.ping().unwrap_err().kind(), ErrorKind::PoolClosed, "{db}");
        held.batch_execute("SELECT 1").unwrap();
        drop(held);
        db.close(Duration::MAX).unwrap();
        assert_eq!(db.status().size, 0, "{db}");
        db.close(LONG).unwrap();
    });
    assert!(eventually(LONG, || database.backend_pids().unwrap().is_empty()));
}

#[test]
fn closing_wakes_whoever_waits() {
    let database = database();
    on_both(&config(&database).max_size(1).checkout_timeout(LONG), |db| {
        let held = db.session().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| db.ping());
            assert!(eventually(LONG, || db.status().waiting == 1));
            assert!(db.close(Duration::ZERO).is_err());
            assert_eq!(waiter.join().unwrap().unwrap_err().kind(), ErrorKind::PoolClosed, "{db}");
        });
        drop(held);
    });
}

#[test]
fn a_blocking_service_can_be_dropped_on_a_runtime() {
    let database = database();
    let [blocking, _] = both(&config(&database)).unwrap();
    let transaction = blocking.begin(TransactionOptions::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        drop(transaction);
        drop(blocking);
    });
    assert!(eventually(LONG, || database.backend_pids().unwrap().is_empty()));
}
