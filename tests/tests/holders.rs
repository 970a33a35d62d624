//! Who holds which connection, and what those are told who get none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use catamaran::{
    AsyncDatabaseService, Cause, Config, DatabaseService, DeadpoolDatabase, ErrorKind, Holder, Offloaded, R2d2Database,
    TransactionOptions, guard, prelude::*,
};
use catamaran_testkit::{Database, eventually, shared};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
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

/// Services whose pool has one connection: the async one with and without sharing, and the blocking one offloaded.
fn services(config: &Config) -> [(&'static str, Arc<dyn AsyncDatabaseService>); 3] {
    let deadpool = |config: Config| Arc::new(DeadpoolDatabase::new(config).unwrap());
    let blocking = Arc::new(R2d2Database::new(config.clone()).unwrap());
    [
        ("sharing", deadpool(config.clone())),
        ("apart", deadpool(config.clone().sharing(false))),
        ("offloaded", Arc::new(Offloaded::with_wait(blocking, config.get_checkout_timeout()))),
    ]
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

/// Fails unless it was refused at once, and names the line of the first checkout and of the second.
#[track_caller]
fn assert_nested(name: &str, began: Instant, error: &catamaran::Error, first: u32, second: u32) {
    assert_eq!(error.kind(), ErrorKind::NestedCheckout, "{name}: {error}");
    assert!(began.elapsed() < LONG / 2, "{name}: {error}");
    let shortage = error.shortage().unwrap();
    assert_eq!((shortage.cause, shortage.holders[0].site.line), (Cause::Nested, first), "{name}: {error}");
    for line in [first, second] {
        assert!(error.to_string().contains(&format!("holders.rs:{line}:")), "{name}: {error} does not name {line}");
    }
}

async fn helper(db: &dyn AsyncExecutor) -> (u32, catamaran::Result<i32>) {
    (line!(), db.fetch_scalar("SELECT 1", &[]).await)
}

#[test]
fn a_second_checkout_of_one_request_fails_at_once_where_it_would_wait_for_itself() {
    let database = database();
    database.execute("CREATE TABLE t (x int)").unwrap();
    workers().block_on(async {
        for (name, db) in services(&config(&database)) {
            let handler = db.clone();
            let request = guard::scope("POST /nested", async move {
                let db = handler;
                let (began, first) = (Instant::now(), line!() + 1);
                let tx = db.begin(TransactionOptions::new()).await.unwrap();
                tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
                let (second, result) = helper(&db).await;
                assert_nested(name, began, &result.unwrap_err(), first, second);
                // After another await, and on another thread.
                tokio::task::yield_now().await;
                let second = line!() + 1;
                let error = db.begin(TransactionOptions::new()).await.map(drop).unwrap_err();
                assert_nested(name, began, &error, first, second);
                let second = line!() + 1;
                let error = db.session().await.map(drop).unwrap_err();
                assert_nested(name, began, &error, first, second);
                let lent = catamaran::lend(&db, |db| {
                    Ok::<_, catamaran::Error>((line!(), db.fetch_one("SELECT 1", &[]).map(drop).unwrap_err()))
                });
                let (second, error) = lent.await.unwrap();
                assert_nested(name, began, &error, first, second);
                assert_eq!(error.shortage().unwrap().holders[0].route.as_deref(), Some("POST /nested"), "{name}");
                tx.commit().await.unwrap();

                let first = line!() + 1;
                let mut rows = db.fetch_stream("SELECT generate_series(1, 100000)", &[]).await.unwrap();
                rows.next().await.unwrap().unwrap();
                let (second, result) = helper(&db).await;
                assert_nested(name, began, &result.unwrap_err(), first, second);
                drop(rows);
                assert_eq!(helper(&db).await.1.unwrap(), 1);
            });
            tokio::spawn(request).await.unwrap();
        }
    });
    let db = R2d2Database::new(config(&database)).unwrap();
    assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).unwrap(), 3);
}

#[test]
fn a_second_checkout_on_one_thread_fails_at_once_where_it_would_wait_for_itself() {
    let database = database();
    let db: Arc<dyn DatabaseService> = Arc::new(R2d2Database::new(config(&database).max_size(2)).unwrap());
    let (began, first) = (Instant::now(), line!() + 1);
    let tx = db.begin(TransactionOptions::new()).unwrap();
    db.fetch_one("SELECT 1", &[]).unwrap();
    let other = db.clone();
    let (held, is_held) = mpsc::channel();
    let (stop, is_stopped) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        let _session = other.session().unwrap();
        held.send(()).unwrap();
        let _ = is_stopped.recv();
    });
    is_held.recv().unwrap();
    let second = line!() + 1;
    let error = db.fetch_one("SELECT 1", &[]).unwrap_err();
    assert_nested("blocking", began, &error, first, second);
    assert_eq!(error.shortage().unwrap().holders.len(), 2, "{error}");
    // Where a request goes on with its thread, it is still the same one.
    let carried = {
        let db = db.clone();
        guard::carry(move || (line!(), db.fetch_one("SELECT 1", &[]).unwrap_err()))
    };
    let (second, error) = thread::spawn(carried).join().unwrap();
    assert_nested("carried", began, &error, first, second);
    drop(stop);
    other.join().unwrap();
    db.fetch_one("SELECT 1", &[]).unwrap();
    tx.commit().unwrap();

    let db: Arc<dyn DatabaseService> = Arc::new(R2d2Database::new(config(&database)).unwrap());
    let (mut seen, first) = (None, line!() + 1);
    let each = db.fetch_each("SELECT generate_series(1, 3)", &[], &mut |_| {
        seen = Some((line!(), db.fetch_one("SELECT 1", &[]).map(drop)));
        Ok(())
    });
    each.unwrap();
    let (second, result) = seen.unwrap();
    assert_nested("each", began, &result.unwrap_err(), first, second);
}

#[test]
fn a_second_checkout_of_the_other_service_is_found_within_a_budget() {
    let database = database();
    let db = catamaran::connect(config(&database).max_size(4).budget(2)).unwrap();
    let (blocking, nonblocking) = (db.blocking(), db.nonblocking());
    let (kept, is_kept) = mpsc::channel();
    let (stop, is_stopped) = mpsc::channel::<()>();
    let other = blocking.clone();
    let other = thread::spawn(move || {
        let _session = other.session().unwrap();
        kept.send(()).unwrap();
        let _ = is_stopped.recv();
    });
    is_kept.recv().unwrap();
    workers().block_on(async {
        let (began, first) = (Instant::now(), line!() + 1);
        let tx = nonblocking.begin(TransactionOptions::new()).await.unwrap();
        let within = blocking.clone();
        let offloaded = Offloaded::new(blocking.clone());
        let second = line!() + 1;
        let error = offloaded.run(move |db| db.fetch_one("SELECT 1", &[])).await.unwrap_err();
        assert_nested("offloaded", began, &error, first, second);
        let second = line!() + 1;
        let error = guard::allow("a test", || within.fetch_one("SELECT 1", &[])).unwrap_err();
        assert_nested("direct", began, &error, first, second);
        tx.rollback().await.unwrap();
    });
    drop(stop);
    other.join().unwrap();
    blocking.fetch_one("SELECT 1", &[]).unwrap();
}

#[test]
fn whoever_does_not_wait_for_himself_is_not_refused() {
    let database = database();
    workers().block_on(async {
        for (name, db) in services(&config(&database)) {
            // Other requests wait.
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let behind = db.clone();
            let behind = tokio::spawn(async move { behind.fetch_scalar::<i32>("SELECT 1", &[]).await });
            assert!(eventually(LONG, || db.status().waiting == 1), "{name}");
            tx.commit().await.unwrap();
            assert_eq!(behind.await.unwrap().unwrap(), 1, "{name}");
            // So does what goes on at the same time in one task, whose connections are busy …
            let job = async |pause: bool| {
                let tx = db.begin(TransactionOptions::new()).await?;
                tx.fetch_all("SELECT pg_sleep(0.05)", &[]).await?;
                if pause {
                    sleep(Duration::from_millis(50)).await;
                }
                tx.commit().await
            };
            let (one, two, three) = tokio::join!(job(false), job(false), job(false));
            one.and(two).and(three).unwrap_or_else(|error| panic!("{name}: {error}"));
            // … or whose futures have wakers of their own, and then connections may wait too.
            let mut jobs: FuturesUnordered<_> = (0..4).map(|_| job(true)).collect();
            while let Some(done) = jobs.next().await {
                done.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
        // Connections that are taken for one statement come back.
        for (name, db) in services(&config(&database).max_size(2)) {
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            let busy = db.clone();
            let busy = tokio::spawn(async move { busy.fetch_all("SELECT pg_sleep(0.3)", &[]).await });
            assert!(eventually(LONG, || db.holders().len() == 2), "{name}");
            assert_eq!(db.fetch_scalar::<i32>("SELECT 1", &[]).await.unwrap(), 1, "{name}");
            busy.await.unwrap().unwrap();
            tx.commit().await.unwrap();
        }
    });
}

#[test]
fn where_that_is_asked_for_a_second_checkout_waits() {
    let database = database();
    let config = config(&database).checkout_timeout(SHORT).test_timeout(SHORT).nested_checkout_fails(false);
    let blocking = R2d2Database::new(config.clone()).unwrap();
    let session = blocking.session().unwrap();
    assert_eq!(blocking.ping().unwrap_err().kind(), ErrorKind::PoolTimeout);
    drop(session);
    workers().block_on(async {
        let db = DeadpoolDatabase::new(config).unwrap();
        let _session = db.session().await.unwrap();
        assert_eq!(db.ping().await.unwrap_err().kind(), ErrorKind::PoolTimeout);
    });
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
