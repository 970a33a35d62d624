//! The life of shared connections: testing, ageing, closing and losing them while statements are on them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use catamaran::{Config, ErrorKind};
use catamaran_testkit::{Cluster, eventually};
use catamaran_tests::{
    sharing::{
        BUDGET, LONG, SELECT, SLEEP, Service, ask, beside, config, database, learn, service, sleepy, wire_only, wired,
    },
    wire::{deepest, sent},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const QUICK: Duration = Duration::from_millis(300);
const PID: &str = "SELECT pg_backend_pid()";

async fn pid(db: &Service) -> i32 {
    db.fetch_one(PID, &[]).await.unwrap().get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_idle_one_is_tested_once() {
    let database = database();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(1).test_after_idle(QUICK));
    learn(&db, SELECT, &[&1i64]).await;
    let trips = |mark| {
        let messages = wire.since(mark);
        sent(&messages, b'S') + sent(&messages, b'Q')
    };
    for _ in 0..3 {
        sleep(QUICK + QUICK / 3).await;
        let mark = wire.mark();
        assert_eq!(ask(&db, 1).await.unwrap(), 1);
        assert_eq!(trips(mark), 2, "one trip to test, one to ask");
    }
    // Used again and again, none is tested.
    let (mark, began) = (wire.mark(), Instant::now());
    let (mut asked, mut hurried) = (0, true);
    while began.elapsed() < 2 * QUICK {
        let before = Instant::now();
        assert_eq!(ask(&db, 1).await.unwrap(), 1);
        hurried &= before.elapsed() < QUICK;
        asked += 1;
    }
    assert!(!hurried || trips(mark) <= asked + 1, "{} trips for {asked} statements", trips(mark));
}

/// Zero is permitted: every connection is tested before it is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_that_are_tested_always_serve_too() {
    let database = database();
    for after in [Duration::ZERO, Duration::from_millis(1)] {
        let db = service(config(&database).max_size(2).test_after_idle(after));
        let asking = async {
            for id in 0..50 {
                assert_eq!(ask(&db, id).await.unwrap(), id, "test_after_idle is {after:?}");
            }
            let mut tasks = JoinSet::new();
            for id in 0..100 {
                let db = db.clone();
                tasks.spawn(async move { assert_eq!(ask(&db, id).await.unwrap(), id) });
            }
            tasks.join_all().await;
        };
        timeout(LONG / 2, asking).await.unwrap_or_else(|_| panic!("test_after_idle is {after:?}: it does not end"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_ones_are_closed() {
    let database = Arc::new(database());
    let db = service(config(&database).max_size(2).idle_timeout(QUICK));
    learn(&db, SELECT, &[&1i64]).await;
    let first = pid(&db).await;
    assert!(eventually(LONG, || db.status().size == 0), "{:?}", db.status());
    let pids = database.clone();
    assert!(beside(move || eventually(LONG, || pids.backend_pids().unwrap().is_empty())).await);
    assert_eq!(ask(&db, 1).await.unwrap(), 1);
    assert_ne!(pid(&db).await, first);
    // One that is used is kept.
    let used = pid(&db).await;
    let began = Instant::now();
    let mut pause = Duration::ZERO;
    while began.elapsed() < 3 * QUICK {
        let before = Instant::now();
        sleep(QUICK / 10).await;
        assert_eq!(ask(&db, 1).await.unwrap(), 1);
        pause = pause.max(before.elapsed());
    }
    if pause < QUICK {
        assert_eq!(pid(&db).await, used);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn old_ones_are_replaced_under_load() {
    let database = database();
    let (wire, config) = wire_only(&database);
    for lifetime in [QUICK, Duration::ZERO] {
        let (mark, db) = (wire.mark(), service(config.clone().max_size(2).max_lifetime(lifetime)));
        learn(&db, PID, &[]).await;
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (db, over) = (db.clone(), over.clone());
            tasks.spawn(async move {
                let mut pids = HashSet::new();
                while !over.load(SeqCst) {
                    pids.insert(pid(&db).await);
                }
                pids
            });
        }
        sleep(6 * QUICK).await;
        over.store(true, SeqCst);
        let pids: HashSet<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert!(deepest(&wire.since(mark)) >= 3, "control: they did not share");
        let expected = if lifetime.is_zero() { pids.len() <= 2 } else { pids.len() >= 4 };
        assert!(expected, "max_lifetime is {lifetime:?}: {pids:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_drains_them_and_refuses_who_waits() {
    let database = database();
    let db = service(config(&database).max_size(2).sharing_depth(3));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    let mut tasks = JoinSet::new();
    for id in 0..20 {
        let db = db.clone();
        tasks.spawn(async move { (id, sleepy(&db, id, QUICK).await) });
    }
    assert!(eventually(LONG, || db.status().in_use == 2 && db.status().waiting == 14), "{:?}", db.status());
    db.close(LONG).await.unwrap();
    assert_eq!(db.status().size, 0, "{:?}", db.status());
    let (mut answered, mut refused) = (0, 0);
    for (id, result) in tasks.join_all().await {
        match result {
            Ok(value) => {
                assert_eq!(value, id);
                answered += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PoolClosed, "{error:?}");
                refused += 1;
            }
        }
    }
    assert_eq!((answered, refused), (6, 14));
    assert_eq!(ask(&db, 1).await.unwrap_err().kind(), ErrorKind::PoolClosed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_backend_fails_those_on_it_and_nothing_else() {
    const TASKS: i64 = 16;
    let database = Arc::new(database());
    let (wire, _proxy, config) = wired(&database);
    let db = service(config.max_size(1));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    for _ in 0..5 {
        let mark = wire.mark();
        let mut tasks = JoinSet::new();
        for id in 0..TASKS {
            let db = db.clone();
            tasks.spawn(async move { sleepy(&db, id, LONG).await });
        }
        assert!(eventually(LONG, || deepest(&wire.since(mark)) == TASKS as usize));
        let killed = database.clone();
        beside(move || {
            let asleep = "SELECT count(*)::text FROM pg_stat_activity
                          WHERE wait_event = 'PgSleep' AND datname = current_database()";
            assert!(eventually(LONG, || killed.texts(asleep).unwrap()[0].as_deref() == Some("1")));
            killed.terminate_backends().unwrap();
        })
        .await;
        for result in tasks.join_all().await {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionLost);
        }
        for id in 0..10 {
            assert_eq!(sleepy(&db, id, Duration::ZERO).await.unwrap(), id, "after a backend was killed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_under_load() {
    let cluster = beside(|| Cluster::start().unwrap()).await;
    let cluster = Arc::new(cluster);
    let own = cluster.clone();
    let database = beside(move || own.server().database().unwrap()).await;
    for crash in [false, true] {
        let config = Config::from_url(&database.url()).unwrap().max_size(2).sharing_budget(BUDGET);
        let db = service(config.checkout_timeout(LONG));
        learn(&db, SELECT, &[&1i64]).await;
        let back = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (db, back) = (db.clone(), back.clone());
            tasks.spawn(async move {
                let (mut failed, mut in_a_row) = (0, 0);
                let began = Instant::now();
                while in_a_row < 50 {
                    let was_back = back.load(SeqCst);
                    match ask(&db, 5).await {
                        Ok(value) => {
                            assert_eq!(value, 5);
                            in_a_row += usize::from(was_back);
                        }
                        Err(error) => {
                            assert!(error.is_connection_error(), "{error:?}");
                            (failed, in_a_row) = (failed + 1, 0);
                            sleep(Duration::from_millis(1)).await;
                        }
                    }
                    assert!(began.elapsed() < 2 * LONG, "{failed} failures");
                }
                failed
            });
        }
        let own = cluster.clone();
        beside(move || {
            if crash {
                own.kill().unwrap();
                own.start_again().unwrap();
            } else {
                own.restart().unwrap();
            }
        })
        .await;
        back.store(true, SeqCst);
        let failed: usize = tasks.join_all().await.into_iter().sum();
        assert!(failed > 0, "control: nobody noticed");
        assert!(eventually(LONG, || db.status().in_use == 0 && db.status().waiting == 0), "{:?}", db.status());
    }
    let own = cluster.clone();
    beside(move || drop((database, own))).await;
    beside(move || drop(cluster)).await;
}
