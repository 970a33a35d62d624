//! What shared connections keep apart: transactions, sessions, streams, limits, changed tables, and who no longer waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use catamaran::{ErrorKind, TransactionOptions, prelude::*};
use catamaran_testkit::eventually;
use catamaran_tests::{
    sharing::{LONG, SELECT, SLEEP, Service, ask, config, database, learn, service, sleepy, wire_only, wired},
    wire::deepest,
};
use tokio::{task::JoinSet, time::sleep};

/// Runs a check in many tasks until told to stop, and comes back when they are at it.
fn while_others<F: Future<Output = ()> + Send + 'static>(
    db: &Service,
    tasks: usize,
    check: impl Fn(Service) -> F + Send + Clone + 'static,
) -> (Arc<AtomicBool>, JoinSet<()>) {
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut set = JoinSet::new();
    for _ in 0..tasks {
        let (db, over, count, check) = (db.clone(), over.clone(), count.clone(), check.clone());
        set.spawn(async move {
            while !over.load(SeqCst) {
                check(db.clone()).await;
                count.fetch_add(1, SeqCst);
            }
        });
    }
    assert!(eventually(LONG, || count.load(SeqCst) > 5 * tasks));
    (over, set)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_joins_a_transaction_a_session_or_a_stream() {
    const SEEN: &str = "SELECT (SELECT count(*) FROM t) || current_setting('application_name')";
    let database = database();
    database.execute("CREATE TABLE t (x int)").unwrap();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(2));
    learn(&db, SEEN, &[]).await;
    let (over, others) = while_others(&db, 16, |db| async move {
        let seen: String = db.fetch_one(SEEN, &[]).await.unwrap().get(0).unwrap();
        assert_eq!(seen, "0", "it ran where something else was going on");
    });
    for round in 0..30 {
        let tx = db.begin(TransactionOptions::new()).await.unwrap();
        tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        let seen: String = tx.fetch_one(SEEN, &[]).await.unwrap().get(0).unwrap();
        assert_eq!(seen, "1", "control: round {round}");
        if round % 2 == 0 {
            tx.rollback().await.unwrap()
        } else {
            drop(tx)
        }
        let session = db.session().await.unwrap();
        session.execute("SET application_name = 'mine'", &[]).await.unwrap();
        let seen: String = session.fetch_one(SEEN, &[]).await.unwrap().get(0).unwrap();
        assert_eq!(seen, "0mine", "control: round {round}");
        drop(session);
        let mut rows = db.fetch_stream("SELECT n FROM generate_series(0, 999) n", &[]).await.unwrap();
        for n in 0..if round % 2 == 0 { 1000 } else { 10 } {
            assert_eq!(rows.next().await.unwrap().unwrap().get::<i32>(0).unwrap(), n);
        }
    }
    over.store(true, SeqCst);
    others.join_all().await;
    assert!(deepest(&wire.since(0)) >= 3, "control: they did not share");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tables_change_under_shared_statements() {
    const ALL: &str = "SELECT * FROM t WHERE id = $1";
    let database = database();
    database.execute("CREATE TABLE t (id int8); INSERT INTO t VALUES (1)").unwrap();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(2));
    learn(&db, ALL, &[&1i64]).await;
    let (over, others) = while_others(&db, 16, |db| async move {
        let row = db.fetch_one(ALL, &[&1i64]).await.unwrap();
        assert_eq!(row.get::<i64>("id").unwrap(), 1);
    });
    for column in 0..8 {
        sleep(Duration::from_millis(100)).await;
        db.execute(&format!("ALTER TABLE t ADD COLUMN c{column} int DEFAULT {column}"), &[]).await.unwrap();
    }
    let row = db.fetch_one(ALL, &[&1i64]).await.unwrap();
    assert_eq!(row.get::<i32>("c7").unwrap(), 7);
    over.store(true, SeqCst);
    others.join_all().await;
    assert!(deepest(&wire.since(0)) >= 3, "control: they did not share");
}

/// The server's limit on a statement ends that one, and counts from where its turn comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_statement_that_reaches_its_limit_ends_alone() {
    let database = database();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(1).statement_timeout(Duration::from_millis(1500)));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    let mark = wire.mark();
    let mut tasks = JoinSet::new();
    for id in 0..12i64 {
        let db = db.clone();
        // One that is ended, and behind it some that together take longer than one may.
        let time = if id == 0 { LONG } else { Duration::from_millis(150) };
        tasks.spawn(async move { (id, sleepy(&db, id, time).await) });
    }
    for (id, result) in tasks.join_all().await {
        match result {
            Ok(value) => assert!(id != 0 && value == id),
            Err(error) => assert!(id == 0 && error.is_query_canceled(), "{id}: {error:?}"),
        }
    }
    assert!(deepest(&wire.since(mark)) >= 10, "control: they did not share");
    assert_eq!(ask(&db, 1).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_no_longer_waits_is_passed_over() {
    let database = database();
    let (_wire, proxy, config) = wired(&database);
    let db = service(config.max_size(1).sharing_depth(1));
    learn(&db, SELECT, &[&1i64]).await;
    for _ in 0..10 {
        proxy.stall();
        let (mut stay, mut leave) = (JoinSet::new(), JoinSet::new());
        for id in 0..40 {
            let db = db.clone();
            let set = if id % 3 == 0 { &mut stay } else { &mut leave };
            set.spawn(async move { assert_eq!(ask(&db, id).await.unwrap(), id) });
        }
        assert!(eventually(LONG, || db.status().waiting == 39), "{:?}", db.status());
        // Some leave before there is room, and some just then.
        leave.abort_all();
        proxy.resume();
        stay.join_all().await;
        while let Some(left) = leave.join_next().await {
            assert!(left.is_ok() || left.unwrap_err().is_cancelled());
        }
        assert!(eventually(LONG, || db.status().waiting == 0 && db.status().in_use == 0), "{:?}", db.status());
    }
}

/// Waiting for a place, and for a connection if there is none, together end in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waiting_has_one_end() {
    let patience = Duration::from_secs(1);
    let database = database();
    let db = service(config(&database).max_size(2).checkout_timeout(patience).test_timeout(patience));
    learn(&db, SELECT, &[&1i64]).await;
    let held = (db.session().await.unwrap(), db.session().await.unwrap());
    let began = std::time::Instant::now();
    let mut tasks = JoinSet::new();
    for id in 0..16 {
        let db = db.clone();
        tasks.spawn(async move { ask(&db, id).await });
    }
    while let Some(result) = tasks.join_next().await {
        assert_eq!(result.unwrap().unwrap_err().kind(), ErrorKind::PoolTimeout);
    }
    let took = began.elapsed();
    assert!(took >= patience && took < 10 * patience, "{took:?} where {patience:?} are permitted");
    drop(held);
    assert_eq!(ask(&db, 1).await.unwrap(), 1);
}
