//! Who holds which connection, and what those are told who get none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use catamaran::{
    AsyncDatabaseService, Cause, Config, DatabaseService, DeadpoolDatabase, ErrorKind, Holder, Offloaded, R2d2Database,
    TransactionOptions, guard, prelude::*,
};
use catamaran_testkit::{Database, eventually, shared};
use catamaran_tests::services::services;
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(400);
const SECRET: &str = "hunter2";

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG)
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The one holder there is.
#[track_caller]
fn only(holders: &[Holder]) -> &Holder {
    let [holder] = holders else { panic!("one was expected: {holders:#?}") };
    assert!(holder.site.file.ends_with("holders.rs"), "{holder}");
    holder
}

#[test]
fn each_way_to_hold_a_connection_of_the_async_services_is_named_by_its_caller() {
    let database = database();
    workers().block_on(async {
        for (name, db) in services(&config(&database)) {
            let (mut lines, mut seen) = (Vec::new(), Vec::new());
            macro_rules! held {
                ($operation:literal, $held:expr) => {
                    lines.push(($operation, line!()));
                    let held = $held.await.unwrap();
                    let holders = db.holders();
                    let holder = only(&holders);
                    seen.push((holder.operation, holder.site.line));
                    drop(held);
                    assert!(eventually(LONG, || db.holders().is_empty() && db.status().in_use == 0), "{name}");
                };
            }
            held!("begin", db.begin(TransactionOptions::new()));
            held!("session", db.session());
            held!("fetch_stream", db.fetch_stream("SELECT generate_series(1, 100000)", &[]));
            held!("fetch_stream", db.fetch_stream_as::<(i32,)>("SELECT generate_series(1, 100000)", &[]));
            held!("copy_out", db.copy_out("COPY (SELECT generate_series(1, 100000)) TO STDOUT"));
            held!("copy_out", db.copy_rows_out("SELECT generate_series(1, 100000)"));
            let inner = db.clone();
            let closure = async move |_: &mut catamaran::AsyncAttempt| Ok::<_, catamaran::Error>(inner.holders());
            let own = line!() + 1;
            let holders = db.transaction(TransactionOptions::new(), closure).await.unwrap();
            assert_eq!((only(&holders).operation, only(&holders).site.line), ("begin", own), "{name}");
            assert_eq!(seen, lines, "{name}");
        }
    });
}

#[test]
fn each_way_to_hold_a_connection_of_the_blocking_service_is_named_by_its_caller() {
    let database = database();
    let db: Arc<dyn DatabaseService> = Arc::new(R2d2Database::new(config(&database)).unwrap());
    let helper = |db: &dyn DatabaseService| (line!(), db.session().unwrap());
    macro_rules! held {
        ($operation:literal, $held:expr) => {
            let line = line!();
            let held = $held.unwrap();
            let holders = db.holders();
            assert_eq!((only(&holders).operation, only(&holders).site.line), ($operation, line));
            assert_eq!(only(&holders).service, "blocking");
            drop(held);
            assert!(db.holders().is_empty());
        };
    }
    held!("begin", db.begin(TransactionOptions::new()));
    held!("session", db.session());
    held!("fetch_iter", db.fetch_iter("SELECT generate_series(1, 100000)", &[]));
    held!("copy_out", db.copy_out("COPY (SELECT 1) TO STDOUT"));
    held!("copy_out", db.copy_rows_out("SELECT 1"));
    let (line, _session) = helper(&*db);
    assert_eq!(only(&db.holders()).site.line, line);
}

#[test]
fn what_runs_for_a_request_on_a_blocking_thread_has_its_route() {
    let database = database();
    let blocking: Arc<dyn DatabaseService> = Arc::new(R2d2Database::new(config(&database)).unwrap());
    let offloaded = Offloaded::new(blocking.clone());
    let seen = |holders: &[Holder]| (only(holders).operation, only(holders).site.line, only(holders).route.clone());
    workers().block_on(guard::scope("GET /agents", async {
        let db = blocking.clone();
        let line = line!() + 1;
        let run = offloaded.run(move |session| {
            session.execute("SELECT 1", &[])?;
            Ok::<_, catamaran::Error>(db.holders())
        });
        assert_eq!(seen(&run.await.unwrap()), ("run", line, Some("GET /agents".into())));
        let db = blocking.clone();
        let handler = move || {
            let line = line!() + 1;
            let _session = db.session().unwrap();
            (line, db.holders())
        };
        let (line, holders) = offloaded.admit(handler.clone()).await.unwrap().unwrap();
        assert_eq!(seen(&holders), ("session", line, Some("GET /agents".into())));
        let (line, holders) = tokio::task::spawn_blocking(guard::carry(handler.clone())).await.unwrap();
        assert_eq!(seen(&holders), ("session", line, Some("GET /agents".into())));
        let (line, holders) = tokio::task::spawn_blocking(handler).await.unwrap();
        assert_eq!(seen(&holders), ("session", line, None), "nothing was carried");
    }));
}

#[test]
fn statements_under_way_are_seen_with_their_sharers() {
    let database = database();
    workers().block_on(async {
        for (name, db) in services(&config(&database)) {
            let sleeper = db.clone();
            let line = line!() + 1;
            let asleep = async move { sleeper.fetch_all("SELECT pg_sleep($1), 'hunter2'", &[&0.5f64]).await };
            let asleep = tokio::spawn(guard::scope("GET /asleep", asleep));
            assert!(eventually(LONG, || db.holders().iter().any(|holder| holder.statement.is_some())), "{name}");
            let holders = db.holders();
            let holder = only(&holders);
            assert_eq!((holder.operation, holder.site.line, holder.sharers), ("fetch_all", line, 1), "{name}");
            assert_eq!(holder.route.as_deref(), Some("GET /asleep"), "{name}");
            assert_eq!(holder.statement.as_deref(), Some("SELECT pg_sleep($1), ?"), "{name}");
            asleep.await.unwrap().unwrap();
            assert!(db.holders().is_empty(), "{name}");
        }
        // A statement that is known to be cheap joins one that is, until it waits for a lock.
        database.execute("CREATE TABLE t (x int)").unwrap();
        let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config(&database)).unwrap());
        for _ in 0..20 {
            db.fetch_all("SELECT x FROM t", &[]).await.unwrap();
        }
        let other = R2d2Database::new(config(&database)).unwrap();
        let lock = other.begin(TransactionOptions::new()).unwrap();
        lock.batch_execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE").unwrap();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { db.fetch_all("SELECT x FROM t", &[]).await })
            })
            .collect();
        assert!(eventually(LONG, || db.holders().iter().any(|holder| holder.sharers == 3)), "{:?}", db.holders());
        tokio::task::spawn_blocking(|| lock.rollback()).await.unwrap().unwrap();
        for reader in readers {
            reader.await.unwrap().unwrap();
        }
        drop(tokio::task::spawn_blocking(|| drop(other)).await);
    });
}

#[test]
fn a_timeout_tells_who_holds_what() {
    let database = database();
    workers().block_on(async {
        for (name, db) in services(&config(&database).checkout_timeout(SHORT).test_timeout(SHORT)) {
            let holder = db.clone();
            let (ready, is_ready) = tokio::sync::oneshot::channel();
            let (stop, is_stopped) = tokio::sync::oneshot::channel::<()>();
            let line = line!() + 2;
            let holding = guard::scope("POST /chat", async move {
                let tx = holder.begin(TransactionOptions::new()).await.unwrap();
                tx.fetch_all(&format!("SELECT '{SECRET}'"), &[]).await.unwrap();
                ready.send(()).unwrap();
                let _ = is_stopped.await;
                tx.commit().await.unwrap();
            });
            let holding = tokio::spawn(holding);
            is_ready.await.unwrap();
            for _ in 0..2 {
                let error = db.fetch_one("SELECT 1", &[]).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::PoolTimeout, "{name}: {error}");
                let shortage = error.shortage().unwrap();
                assert_eq!(shortage.cause, Cause::Saturated, "{name}: {error}");
                let holder = only(&shortage.holders);
                assert_eq!((holder.operation, holder.site.line), ("begin", line), "{name}: {error}");
                assert_eq!(holder.service, if name == "offloaded" { "blocking" } else { "async" });
                assert_eq!(holder.route.as_deref(), Some("POST /chat"), "{name}: {error}");
                assert_eq!(holder.statement.as_deref(), Some("SELECT ?"), "{name}: {error}");
                assert!(holder.held >= SHORT / 2, "{name}: {error}");
                let message = error.to_string();
                assert!(message.contains(&format!("holders.rs:{line}:")), "{name}: {message}");
                assert!(message.contains("saturated") && message.contains("POST /chat"), "{name}: {message}");
                assert!(!format!("{message}{error:?}").contains(SECRET), "{name}: {message}");
            }
            stop.send(()).unwrap();
            holding.await.unwrap();
            db.fetch_one("SELECT 1", &[]).await.unwrap();
        }
    });
}

#[test]
fn each_service_of_a_budget_tells_of_both() {
    let database = database();
    let db = catamaran::connect(config(&database).max_size(4).budget(2).checkout_timeout(SHORT).test_timeout(SHORT))
        .unwrap();
    let (blocking, nonblocking) = (db.blocking(), db.nonblocking());
    let _own = blocking.session().unwrap();
    workers().block_on(async {
        let _other = nonblocking.session().await.unwrap();
        let held = |holders: &[Holder]| holders.iter().map(|holder| holder.service).collect::<Vec<_>>();
        assert_eq!(held(&nonblocking.holders()), ["blocking", "async"]);
        let waiting = blocking.clone();
        let waiting = tokio::task::spawn_blocking(move || waiting.fetch_one("SELECT 1", &[]).unwrap_err());
        let behind = nonblocking.clone();
        let error = tokio::spawn(async move { behind.fetch_one("SELECT 1", &[]).await.unwrap_err() }).await.unwrap();
        for error in [error, waiting.await.unwrap()] {
            assert_eq!(error.kind(), ErrorKind::PoolTimeout, "{error}");
            assert_eq!(held(&error.shortage().unwrap().holders), ["blocking", "async"], "{error}");
        }
    });
}

#[test]
fn a_timeout_tells_that_connecting_fails() {
    // Refuses the first, and is silent towards all others.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = thread::spawn(move || {
        drop(listener.accept().unwrap());
        let mut kept = Vec::new();
        for _ in 0..3 {
            kept.push(listener.accept().unwrap());
        }
        kept
    });
    let config = Config::new().host("127.0.0.1").port(port).user("nobody").ssl_mode(catamaran::SslMode::Disable);
    let config = config.max_size(1).connect_timeout(LONG).checkout_timeout(SHORT).test_timeout(SHORT);
    let blocking = Arc::new(R2d2Database::new(config.clone()).unwrap());
    let error = blocking.ping().unwrap_err();
    assert!(error.is_connection_error(), "{error}");
    let hanging = blocking.clone();
    thread::spawn(move || hanging.ping());
    assert!(eventually(LONG, || blocking.status().waiting == 0 && blocking.status().size == 0));
    thread::sleep(SHORT);
    let error = blocking.ping().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PoolTimeout, "{error}");
    assert_eq!(error.shortage().unwrap().cause, Cause::ConnectFailing, "{error}");
    let source = std::error::Error::source(&error).expect("the last error").to_string();
    assert!(error.to_string().contains("connecting fails"), "{error}; {source}");

    one_thread().block_on(async {
        let db = Arc::new(DeadpoolDatabase::new(config).unwrap());
        let hanging = db.clone();
        let hanging = tokio::spawn(async move { hanging.ping().await });
        sleep(SHORT).await;
        let error = db.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PoolTimeout, "{error}");
        assert_eq!(error.shortage().unwrap().cause, Cause::ConnectFailing, "{error}");
        hanging.abort();
    });
    drop(silent);
}

#[test]
fn a_timeout_tells_that_the_runtime_was_blocked() {
    let database = database();
    for blocks in [true, false] {
        for sharing in [true, false] {
            let db = config(&database).checkout_timeout(SHORT).test_timeout(SHORT).sharing(sharing);
            let db = Arc::new(DeadpoolDatabase::new(db).unwrap());
            let error = one_thread().block_on(async {
                let session = db.session().await.unwrap();
                let waiter = db.clone();
                let waiter = tokio::spawn(async move { waiter.ping().await.unwrap_err() });
                sleep(SHORT / 4).await;
                if blocks {
                    thread::sleep(3 * SHORT);
                }
                let error = waiter.await.unwrap();
                drop(session);
                error
            });
            let cause = error.shortage().unwrap().cause;
            assert_eq!(matches!(cause, Cause::RuntimeBlocked(time) if time > SHORT), blocks, "{sharing}: {error}");
            assert_eq!(cause == Cause::Saturated, !blocks, "{sharing}: {error}");
        }
    }
    // Seen from elsewhere, what is guarded is known to be stuck.
    let blocking = R2d2Database::new(config(&database).checkout_timeout(SHORT).test_timeout(SHORT)).unwrap();
    let session = thread::scope(|scope| scope.spawn(|| blocking.session().unwrap()).join().unwrap());
    let stuck = thread::spawn(|| one_thread().block_on(guard::scope("GET /stuck", async { thread::sleep(LONG / 15) })));
    thread::sleep(SHORT / 4);
    let error = blocking.ping().unwrap_err();
    assert!(matches!(error.shortage().unwrap().cause, Cause::RuntimeBlocked(_)), "{error}");
    stuck.join().unwrap();
    let error = blocking.ping().unwrap_err();
    assert_eq!(error.shortage().unwrap().cause, Cause::Saturated, "{error}");
    drop(session);
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_connection_that_is_held_for_too_long_is_told_of_once() {
    let database = database();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Writer).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let told = |line: u32| {
        let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
        let site = format!("holders.rs:{line}:");
        log.lines().filter(|text| text.contains("held for long") && text.contains(&site)).map(str::to_owned).collect()
    };
    let limit = Duration::from_millis(100);
    let config = config(&database).max_size(3).leak_after(limit);
    let blocking = R2d2Database::new(config.clone()).unwrap();
    let (first, held) = (line!(), blocking.session().unwrap());
    held.execute(&format!("SELECT '{SECRET}'"), &[]).unwrap();
    let runtime = workers();
    let db = DeadpoolDatabase::new(config.leak_after(3 * limit)).unwrap();
    let second = line!() + 1;
    let forgotten = runtime.block_on(guard::scope("GET /leak", db.begin(TransactionOptions::new()))).unwrap();
    let short = line!() + 1;
    runtime.block_on(db.session()).map(drop).unwrap();
    for line in [first, second] {
        assert!(eventually(LONG, || !Vec::is_empty(&told(line))), "line {line}");
    }
    thread::sleep(4 * limit);
    let [of_first, of_second, of_short]: [Vec<String>; 3] = [told(first), told(second), told(short)];
    assert_eq!((of_first.len(), of_second.len(), of_short.len()), (1, 1, 0));
    assert!(of_first[0].contains("service=\"blocking\"") && of_first[0].contains("SELECT ?"), "{of_first:?}");
    assert!(!of_first[0].contains(SECRET), "{of_first:?}");
    assert!(of_second[0].contains("GET /leak") && of_second[0].contains("operation=\"begin\""), "{of_second:?}");
    drop(held);
    runtime.block_on(async { drop(forgotten) });
}
