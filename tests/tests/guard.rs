//! Blocking calls, and where they are made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    collections::BTreeSet,
    panic,
    sync::{
        Arc, Mutex, Once, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use catamaran::{
    Batch, Bytes, Config, DatabaseService, ErrorKind, Executor, R2d2Database, TransactionOptions,
    guard::{self, BlockingCall, Exception, Policy, Rules},
    mock::MockDatabaseService,
    prelude::*,
};
use catamaran_testkit::{Database, eventually, shared};
use tokio::runtime::{Builder, Runtime};

const LONG: Duration = Duration::from_secs(30);

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

fn service(database: &Database, rules: Rules) -> Arc<dyn DatabaseService> {
    let config = Config::from_url(&database.url()).unwrap().max_size(3).guard(rules);
    Arc::new(R2d2Database::new(config).unwrap())
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Panics of any thread since the first call.
fn panics() -> usize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let old = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, SeqCst);
            old(info);
        }));
    });
    PANICS.load(SeqCst)
}

fn calls(route: Option<&str>) -> Vec<BlockingCall> {
    let here = |call: &BlockingCall| call.route.as_deref() == route && call.site.file.ends_with("guard.rs");
    guard::report().calls.into_iter().filter(here).collect()
}

fn lines(calls: &[BlockingCall]) -> BTreeSet<u32> {
    calls.iter().map(|call| call.site.line).collect()
}

/// Makes a service, calls every method of it and of what it gives out, and drops each thing wherever it can be dropped.
/// Returns the lines of the calls.
#[rustfmt::skip]
fn everything(database: &Database) -> BTreeSet<u32> {
    let mut lines = BTreeSet::new();
    macro_rules! call {
        ($call:expr) => {{ lines.insert(line!()); $call }};
    }
    macro_rules! executor {
        ($db:expr) => {{
            let db = $db;
            assert_eq!(call!(db.execute("INSERT INTO t VALUES ($1)", &[&1i32])).unwrap(), 1);
            call!(db.fetch_all("SELECT x FROM t", &[])).unwrap();
            call!(db.fetch_one("SELECT 1", &[])).unwrap();
            call!(db.fetch_optional("SELECT 1 WHERE false", &[])).unwrap();
            call!(db.fetch_each("SELECT x FROM t", &[], &mut |_| Ok(()))).unwrap();
            call!(db.batch_execute("SELECT 1; SELECT 2")).unwrap();
            assert_eq!(call!(db.fetch_iter("SELECT generate_series(1, 9)", &[])).unwrap().count(), 9);
            drop(call!(db.fetch_iter("SELECT generate_series(1, 1000)", &[])).unwrap().next());
            call!(db.copy_in("COPY t FROM STDIN", &mut [Ok(Bytes::from("7\n"))].into_iter())).unwrap();
            assert!(call!(db.copy_out("COPY t TO STDOUT")).unwrap().count() > 0);
            drop(call!(db.copy_out("COPY t TO STDOUT")).unwrap());
            call!(db.describe("SELECT 1")).unwrap();
            call!(db.execute_many("INSERT INTO t VALUES ($1)", &[&[&1i32], &[&2i32]])).unwrap();
            call!(db.run_batch(&Batch::new().execute("DELETE FROM t", &[]))).unwrap();
        }};
    }
    let service = service(database, Rules::default());
    executor!(&service);
    call!(service.ping()).unwrap();
    let mut session = call!(service.session()).unwrap();
    executor!(&session);
    let mut within = call!(session.begin(TransactionOptions::new())).unwrap();
    let savepoint = call!(within.savepoint()).unwrap();
    drop(savepoint);
    drop(within);
    drop(session);
    let mut transaction = call!(service.begin(TransactionOptions::new())).unwrap();
    executor!(&transaction);
    let savepoint = call!(transaction.savepoint()).unwrap();
    call!(savepoint.rollback()).unwrap();
    let savepoint = call!(transaction.savepoint()).unwrap();
    call!(savepoint.commit()).unwrap();
    call!(transaction.commit()).unwrap();
    let transaction = call!(service.begin(TransactionOptions::new())).unwrap();
    call!(transaction.rollback()).unwrap();
    let dropped = call!(service.begin(TransactionOptions::new())).unwrap();
    call!(dropped.execute("INSERT INTO t VALUES (100)", &[])).unwrap();
    drop(dropped);
    let open = call!(service.fetch_iter("SELECT generate_series(1, 100000)", &[])).unwrap();
    drop(open);
    assert_eq!(call!(service.fetch_scalar::<i64>("SELECT count(*) FROM t WHERE x = 100", &[])).unwrap(), 0);
    call!(service.transaction(TransactionOptions::new(), |tx| tx.execute("SELECT 1", &[]).map(drop))).unwrap();
    call!(service.close(LONG)).unwrap();
    drop(service);
    drop(self::service(database, Rules::default()));
    lines
}

fn with_table() -> Database {
    let database = database();
    service(&database, Rules::default()).batch_execute("CREATE TABLE t (x int)").unwrap();
    database
}

#[test]
fn everything_works_on_a_runtime_of_one_thread() {
    let (before, database) = (panics(), with_table());
    let made = one_thread().block_on(guard::scope("one thread", async { everything(&database) }));
    assert_eq!(lines(&calls(Some("one thread"))), made);
    assert_eq!(panics(), before);
}

#[test]
fn everything_works_on_a_worker() {
    let (before, database) = (panics(), Arc::new(with_table()));
    let behind = database.clone();
    let runtime = workers();
    let task = runtime.spawn(guard::scope("worker", async move { everything(&behind) }));
    let made = runtime.block_on(task).unwrap();
    assert_eq!(lines(&calls(Some("worker"))), made);
    assert_eq!(panics(), before);
}

#[test]
fn everything_works_where_a_runtime_is_entered_by_its_own_thread() {
    let (before, database) = (panics(), with_table());
    let made = workers().block_on(guard::scope("root", async { everything(&database) }));
    assert_eq!(lines(&calls(Some("root"))), made);
    assert_eq!(panics(), before);
}

#[test]
fn where_blocking_is_in_order_nothing_is_reported() {
    let (before, database) = (panics(), Arc::new(with_table()));
    everything(&database);
    let runtime = workers();
    let here = |database: &Arc<Database>| {
        let database = database.clone();
        move || everything(&database)
    };
    runtime.block_on(async {
        tokio::task::spawn_blocking(here(&database)).await.unwrap();
        let in_place = here(&database);
        guard::spawn(async move { tokio::task::block_in_place(in_place) }).await.unwrap();
        let allowed = here(&database);
        guard::spawn(async move { guard::allow("a test", allowed) }).await.unwrap();
    });
    one_thread().block_on(async {
        tokio::task::spawn_blocking(here(&database)).await.unwrap();
        guard::scope("allowed", async { guard::allow("a test", here(&database)) }).await;
    });
    drop(runtime.enter());
    let reported: Vec<_> = guard::report()
        .calls
        .into_iter()
        .filter(|call| call.route.as_deref().is_none_or(|route| route == "allowed" || route.starts_with("spawned at")))
        .collect();
    assert_eq!(reported, []);
    assert_eq!(panics(), before);
}

#[test]
fn ten_thousand_calls_where_blocking_is_in_order_are_not_reported() {
    const EACH: usize = 2_500;
    let database = database();
    let db = service(&database, Rules::new(Policy::Error));
    let many =
        |db: Arc<dyn DatabaseService>| move || (0..EACH).for_each(|_| drop(db.fetch_one("SELECT 1", &[]).unwrap()));
    many(db.clone())();
    workers().block_on(async {
        tokio::task::spawn_blocking(many(db.clone())).await.unwrap();
        let in_place = many(db.clone());
        guard::spawn(async move { tokio::task::block_in_place(in_place) }).await.unwrap();
        let allowed = many(db.clone());
        guard::spawn(async move { guard::allow("a test", allowed) }).await.unwrap();
    });
    let here = guard::report().calls.into_iter().filter(|call| call.statement.as_deref() == Some("SELECT ?"));
    assert_eq!(here.count(), 0);
}

fn helper(db: &dyn Executor) -> u32 {
    db.fetch_one("SELECT 'secret', 42", &[]).unwrap();
    line!() - 1
}

#[test]
fn planted_calls_are_reported_once_with_their_line() {
    let database = database();
    let db = service(&database, Rules::default());
    let (direct, by_helper) = one_thread().block_on(guard::scope("planted", async {
        let mut direct = 0;
        for _ in 0..3 {
            direct = line!() + 1;
            db.execute("SELECT $1::int8", &[&1i64]).unwrap();
        }
        (direct, helper(&db))
    }));
    let found = calls(Some("planted"));
    assert_eq!(lines(&found), BTreeSet::from([direct, by_helper]));
    let of = |line: u32| found.iter().find(|call| call.site.line == line).unwrap();
    assert_eq!((of(direct).operation, of(direct).times), ("execute", 3));
    assert_eq!(of(direct).statement.as_deref(), Some("SELECT $1::int8"));
    assert!(of(direct).longest <= of(direct).total && of(direct).longest > Duration::ZERO);
    assert_eq!(of(by_helper).statement.as_deref(), Some("SELECT ?, ?"), "no value is shown");
}

#[test]
fn a_call_of_a_mock_is_reported_too() {
    let mut mock = MockDatabaseService::new();
    mock.expect_execute().returning(|_, _| Ok(1));
    let db: Arc<dyn DatabaseService> = Arc::new(mock);
    let line = one_thread().block_on(guard::scope("mocked", async {
        db.execute("DELETE FROM t", &[]).unwrap();
        line!() - 1
    }));
    let found = calls(Some("mocked"));
    assert_eq!((found.len(), found[0].site.line, found[0].times), (1, line, 1));
    db.execute("DELETE FROM t", &[]).unwrap();
    assert_eq!(calls(Some("mocked")), found);
}

#[test]
fn a_call_in_a_future_that_nobody_guards_is_reported_without_a_route() {
    let database = database();
    let db = service(&database, Rules::default());
    let (before, runtime) = (panics(), workers());
    let behind = db.clone();
    let line = runtime.block_on(runtime.spawn(async move {
        behind.ping().unwrap();
        line!() - 1
    }));
    let alone = one_thread().block_on(async {
        db.ping().unwrap();
        line!() - 1
    });
    let found = lines(&calls(None));
    assert!(found.contains(&line.unwrap()) && found.contains(&alone), "{found:?}");
    assert_eq!(panics(), before);
}

#[test]
fn a_refused_call_takes_no_connection() {
    let database = database();
    let db = service(&database, Rules::new(Policy::Error));
    let error = one_thread().block_on(guard::scope("refused", async { db.ping().unwrap_err() }));
    assert_eq!(error.kind(), ErrorKind::OnRuntime);
    let text = error.to_string();
    assert!(text.starts_with("ping at ") && text.contains("guard.rs:") && text.contains("refused"), "{text}");
    assert_eq!(db.status().size, 0);
    assert_eq!(calls(Some("refused")).len(), 1);
    db.ping().unwrap();
}

#[test]
fn a_refused_commit_rolls_back() {
    let database = with_table();
    let db = service(&database, Rules::new(Policy::Error));
    let transaction = db.begin(TransactionOptions::new()).unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    let error = one_thread().block_on(async { transaction.commit().unwrap_err() });
    assert_eq!(error.kind(), ErrorKind::OnRuntime);
    assert_eq!(db.fetch_scalar::<i64>("SELECT count(*) FROM t", &[]).unwrap(), 0);
}

#[test]
fn a_policy_may_panic() {
    let database = database();
    let db = service(&database, Rules::new(Policy::Panic));
    let call = || one_thread().block_on(guard::scope("panics", async { db.ping() }));
    let panicked = panic::catch_unwind(panic::AssertUnwindSafe(call)).unwrap_err();
    assert!(panicked.downcast_ref::<String>().unwrap().contains("ping at "));
    assert_eq!(db.status().size, 0);
    db.ping().unwrap();
    one_thread().block_on(guard::scope("after a panic", async { assert!(guard::self_test().await.is_ok()) }));
}

#[test]
fn exceptions_hold_until_they_end() {
    let database = database();
    let exception = |policy, until| Exception::new(policy, until, "moved later").unwrap();
    let rules = Rules::new(Policy::Error)
        .except(exception(Policy::Off, "9999-12-31").route("silent"))
        .except(exception(Policy::Off, "2020-02-29").route("ended"));
    let db = service(&database, rules);
    let on = |route: &str| one_thread().block_on(guard::scope(route, async { db.ping() }));
    on("silent").unwrap();
    assert_eq!(calls(Some("silent")), []);
    assert_eq!(on("ended").unwrap_err().kind(), ErrorKind::OnRuntime);
    let found = calls(Some("ended"));
    assert_eq!(found[0].ended_exception, Some(("2020-02-29".to_owned(), "moved later".to_owned())));
}

/// When each event came, and its text.
fn events() -> &'static Mutex<Vec<(Instant, String)>> {
    static EVENTS: OnceLock<Mutex<Vec<(Instant, String)>>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        struct Writer;
        impl std::io::Write for Writer {
            fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
                events().lock().unwrap().push((Instant::now(), String::from_utf8_lossy(text).into_owned()));
                Ok(text.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Writer).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        Mutex::default()
    })
}

fn events_of(route: &str) -> Vec<(Instant, String)> {
    let events = events().lock().unwrap();
    events.iter().filter(|(_, text)| text.contains(&format!("route=\"{route}\""))).cloned().collect()
}

#[test]
fn a_long_call_is_told_while_it_blocks_and_timed() {
    events();
    let database = database();
    let db = service(&database, Rules::default());
    let runtime = workers();
    let task = guard::scope("long", async move {
        let line = line!() + 1;
        db.fetch_one("SELECT pg_sleep(0.25)", &[]).unwrap();
        (line, Instant::now())
    });
    let (line, ended) = runtime.block_on(runtime.spawn(task)).unwrap();
    let found = calls(Some("long"));
    let longest = found[0].longest;
    assert!(longest >= Duration::from_millis(250) && longest < Duration::from_secs(3), "{longest:?}");
    let told = events_of("long");
    let (at, text) = told.iter().find(|(_, text)| text.contains("does not come to its end")).unwrap();
    assert!(*at < ended, "the watchdog says so while it lasts");
    assert!(text.contains(&format!("guard.rs:{line}:")), "{text}");
    assert!(told.iter().any(|(_, text)| text.contains("a blocking call") && text.contains("SELECT pg_sleep(?)")));
    let stalls = guard::report().of_route("long").stalls;
    assert_eq!((stalls.len(), stalls[0].times, stalls[0].call.unwrap().line), (1, 1, line));
}

#[test]
fn what_is_no_call_stalls_too() {
    events();
    one_thread().block_on(guard::scope("sleeps", async { thread::sleep(Duration::from_millis(250)) }));
    let stalls = guard::report().of_route("sleeps").stalls;
    assert_eq!((stalls.len(), stalls[0].call), (1, None));
    // The watchdog sees its beginning only when it looks.
    assert!(stalls[0].longest >= Duration::from_millis(150));
    assert!(eventually(LONG, || events_of("sleeps").len() == 1));
    one_thread().block_on(async {
        guard::scope("waits", tokio::time::sleep(Duration::from_millis(250))).await;
    });
    assert_eq!(guard::report().of_route("waits").stalls, [], "whoever awaits stalls nobody");
}

#[test]
fn without_a_budget_calls_work_where_they_are_guarded() {
    let (before, database) = (panics(), database());
    let db = service(&database, Rules::default());
    let unlimited = |route: &str| guard::scope(route, tokio::task::unconstrained(async { db.ping().unwrap() }));
    one_thread().block_on(unlimited("unlimited"));
    assert_eq!(calls(Some("unlimited")).len(), 1);
    workers().block_on(unlimited("unlimited on several"));
    assert_eq!(panics(), before);
}

#[test]
fn within_a_local_set_calls_work() {
    let database = database();
    let db = service(&database, Rules::default());
    for runtime in [one_thread(), workers()] {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, guard::scope("local", async { db.ping().unwrap() }));
        let behind = db.clone();
        let task = async { tokio::task::spawn_local(async move { behind.ping().unwrap() }).await.unwrap() };
        local.block_on(&runtime, task);
    }
    assert_eq!(calls(Some("local"))[0].times, 2);
}

#[test]
fn the_last_handle_may_be_dropped_on_a_runtime() {
    let (before, database) = (panics(), database());
    for runtime in [one_thread(), workers()] {
        let db = service(&database, Rules::default());
        let transaction = db.begin(TransactionOptions::new()).unwrap();
        let rows = db.fetch_iter("SELECT generate_series(1, 1000000)", &[]).unwrap();
        runtime.block_on(async {
            let began = Instant::now();
            drop(rows);
            drop(transaction);
            assert!(began.elapsed() < Duration::from_secs(2));
        });
        runtime.block_on(async move { drop(db) });
    }
    assert_eq!(panics(), before);
}
