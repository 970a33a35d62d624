//! Statements on shared connections, seen on the wire: how many are under way at once, and what each of them costs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use catamaran::ErrorKind;
use catamaran_testkit::eventually;
use catamaran_tests::{
    sharing::{LONG, SELECT, Service, ask, database, learn, service, wire_only, wired},
    wire::{deepest, parsed, sent},
};
use futures_util::future::{join_all, try_join_all};
use tokio::{task::JoinSet, time::sleep};

const DELAY: Duration = Duration::from_millis(10);

/// So many tasks, each of which asks so often.
async fn load(db: &Service, tasks: i64, each: i64) {
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let db = db.clone();
        set.spawn(async move {
            for id in task * each..(task + 1) * each {
                assert_eq!(ask(&db, id).await.unwrap(), id);
            }
        });
    }
    set.join_all().await;
}

/// The middle of three.
async fn median(mut measure: impl AsyncFnMut() -> Duration) -> Duration {
    let mut times = [measure().await, measure().await, measure().await];
    times.sort();
    times[1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_sent_together_takes_about_one_round_trip() {
    const AT_ONCE: i64 = 32;
    let database = database();
    for size in [1, 2] {
        let (_wire, proxy, config) = wired(&database);
        proxy.set_delay(DELAY, DELAY);
        let mut times = Vec::new();
        for sharing in [true, false] {
            let db = service(config.clone().max_size(size).sharing(sharing));
            learn(&db, SELECT, &[&1i64]).await;
            let together = async || {
                let began = Instant::now();
                try_join_all((0..AT_ONCE).map(|id| ask(&db, id))).await.unwrap();
                began.elapsed()
            };
            times.push(median(together).await);
        }
        let trips = 2 * DELAY * (AT_ONCE as u32 / size);
        assert!(times[1] >= trips, "control: one at a time can't take {:?}", times[1]);
        assert!(4 * times[0] < times[1], "{size} connections: {:?} shared and {:?} alone", times[0], times[1]);
    }
}

/// A round trip takes longer here than a connection may be late, and than a cheap statement may cost: neither counts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_comes_while_another_is_under_way_to_a_far_server_joins_it() {
    const TRIP: Duration = Duration::from_millis(60);
    const EACH: i64 = 20;
    let database = database();
    let (_wire, proxy, config) = wired(&database);
    proxy.set_delay(TRIP / 2, TRIP / 2);
    let mut times = Vec::new();
    for sharing in [true, false] {
        let db = service(config.clone().sharing_budget(TRIP / 20).max_size(1).sharing(sharing));
        learn(&db, SELECT, &[&1i64]).await;
        let began = Instant::now();
        let later = async {
            sleep(TRIP / 2).await;
            load(&db, 1, EACH).await;
        };
        tokio::join!(load(&db, 1, EACH), later);
        times.push(began.elapsed());
    }
    assert!(times[1] >= 2 * TRIP * EACH as u32, "control: one at a time can't take {:?}", times[1]);
    assert!(4 * times[0] < 3 * times[1], "{:?} shared and {:?} alone", times[0], times[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_statement_is_prepared_once_and_takes_one_trip() {
    let database = database();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(1));
    learn(&db, SELECT, &[&1i64]).await;
    let before = wire.mark();
    load(&db, 16, 25).await;
    let messages = wire.since(before);
    let kinds = [b'P', b'B', b'E', b'S', b'Q'];
    assert_eq!(kinds.map(|kind| sent(&messages, kind)), [0, 400, 400, 400, 0], "Parse, Bind, Execute, Sync, Query");
    assert!(deepest(&messages) >= 3, "control: they did not share");
    assert_eq!(parsed(&wire.since(0), SELECT), 1);
}

/// Many ask for a text at once, on a connection that does not know it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_uses_at_once_prepare_once() {
    let database = database();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(1));
    // A text of unknown cost.
    load(&db, 16, 1).await;
    assert_eq!(parsed(&wire.since(0), SELECT), 1);
    // One that is known to be cheap, on a new connection.
    learn(&db, SELECT, &[&1i64]).await;
    database.terminate_backends().unwrap();
    assert!(eventually(LONG, || database.backend_pids().unwrap().is_empty()));
    // Whoever finds the connection dead has it closed.
    let _ = ask(&db, 1).await;
    database.terminate_backends().unwrap();
    assert!(eventually(LONG, || database.backend_pids().unwrap().is_empty()));
    sleep(Duration::from_millis(100)).await;
    let before = wire.mark();
    load(&db, 16, 3).await;
    let messages = wire.since(before);
    assert_eq!((parsed(&messages, SELECT), sent(&messages, b'B')), (1, 48));
    assert!(deepest(&messages) >= 2, "control: they did not share");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_than_the_permitted_depth_is_under_way() {
    let database = database();
    for depth in [1, 4] {
        let (wire, proxy, config) = wired(&database);
        let db = service(config.max_size(1).sharing_depth(depth));
        learn(&db, SELECT, &[&1i64]).await;
        proxy.set_delay(Duration::from_millis(2), Duration::ZERO);
        load(&db, 20, 10).await;
        assert_eq!(deepest(&wire.since(0)), depth as usize);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_finds_no_room_in_time_is_told() {
    let database = database();
    let (_wire, proxy, config) = wired(&database);
    let patience = Duration::from_millis(400);
    let config = config.max_size(1).sharing_depth(4).checkout_timeout(patience).test_timeout(patience);
    let db = service(config);
    learn(&db, SELECT, &[&1i64]).await;
    proxy.stall();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for id in 0..24 {
        let db = db.clone();
        tasks.spawn(async move { (id, ask(&db, id).await) });
    }
    for _ in 0..20 {
        let (_, result) = tasks.join_next().await.unwrap().unwrap();
        assert_eq!(result.unwrap_err().kind(), ErrorKind::PoolTimeout);
    }
    assert!(began.elapsed() >= patience);
    assert_eq!(db.status().waiting, 0, "{:?}", db.status());
    proxy.resume();
    for (id, result) in tasks.join_all().await {
        assert_eq!(result.unwrap(), id);
    }
    assert_eq!(ask(&db, 1).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn switched_off_each_connection_has_one_statement_at_a_time() {
    let database = database();
    for sharing in [true, false] {
        let (wire, proxy, config) = wired(&database);
        let db = service(config.max_size(2).sharing(sharing));
        learn(&db, SELECT, &[&1i64]).await;
        proxy.set_delay(Duration::from_millis(1), Duration::ZERO);
        load(&db, 32, 10).await;
        let deepest = deepest(&wire.since(0));
        assert!(if sharing { deepest >= 4 } else { deepest == 1 }, "sharing {sharing}: {deepest} deep");
    }
}

/// Statements of unknown cost run alone, even on a connection that was shared before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_unknown_runs_alone() {
    let database = database();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(3));
    learn(&db, SELECT, &[&1i64]).await;
    let before = wire.mark();
    join_all((0..40).map(|n| {
        let db = db.clone();
        async move {
            let row = db.fetch_one(&format!("SELECT {n}::int8"), &[]).await.unwrap();
            assert_eq!(row.get::<i64>(0).unwrap(), n);
        }
    }))
    .await;
    assert_eq!(deepest(&wire.since(before)), 1);
}
