//! Statements on shared connections: every caller gets his own answer, and nothing that happens to one touches another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use catamaran::ErrorKind;
use catamaran_testkit::{Polled, Proxy, drop_after_polls, eventually};
use catamaran_tests::{
    sharing::{LONG, SELECT, SLEEP, Service, ask, beside, config, database, learn, service, sleepy, wire_only, wired},
    wire::deepest,
};
use futures_util::{FutureExt as _, future::join_all};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_caller_gets_his_own_answer() {
    const TASKS: i64 = 64;
    const EACH: i64 = 100;
    let database = Arc::new(database());
    let table = "CREATE TABLE t (id int8 PRIMARY KEY, note text);
                 INSERT INTO t SELECT n, 'note ' || n FROM generate_series(0, 6399) n";
    database.execute(table).unwrap();
    let by_id = "SELECT note FROM t WHERE id = $1";
    for size in [2, 8] {
        let (wire, config) = wire_only(&database);
        let db = service(config.max_size(size));
        learn(&db, by_id, &[&1i64]).await;
        let over = Arc::new(AtomicBool::new(false));
        let watch = beside({
            let (database, over) = (database.clone(), over.clone());
            move || {
                let mut most = 0;
                while !over.load(SeqCst) {
                    most = most.max(database.backend_pids().unwrap().len());
                }
                most
            }
        });
        let watch = tokio::spawn(watch);
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let db = db.clone();
            tasks.spawn(async move {
                for id in task * EACH..(task + 1) * EACH {
                    let row = db.fetch_one(by_id, &[&id]).await.unwrap();
                    assert_eq!(row.get::<String>(0).unwrap(), format!("note {id}"));
                    let rows = db.fetch_all(SELECT, &[&id]).await.unwrap();
                    assert_eq!(rows[0].get::<i64>(0).unwrap(), id);
                }
            });
        }
        tasks.join_all().await;
        over.store(true, SeqCst);
        // One more may be that of whoever counts.
        let most = watch.await.unwrap();
        assert!(most <= size as usize + 1, "{most} connections where {size} are permitted");
        assert!(db.status().size <= size as usize, "{:?}", db.status());
        let deepest = deepest(&wire.since(0));
        assert!(deepest >= 3, "control: they did not share, but stood {deepest} deep");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_error_touches_no_other_statement() {
    let database = database();
    database.execute("CREATE TABLE t (id int8 PRIMARY KEY); INSERT INTO t VALUES (-1)").unwrap();
    let (wire, config) = wire_only(&database);
    let db = service(config.max_size(1));
    let (divide, insert) = ("SELECT 100 / $1::int8", "INSERT INTO t VALUES ($1)");
    learn(&db, SELECT, &[&1i64]).await;
    learn(&db, divide, &[&1i64]).await;
    for id in -20..-2i64 {
        db.execute(insert, &[&id]).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for task in 0..32i64 {
        let db = db.clone();
        tasks.spawn(async move {
            for round in 0..25 {
                let id = task * 25 + round;
                match id % 5 {
                    0 => assert_eq!(db.fetch_one(divide, &[&0i64]).await.unwrap_err().sqlstate(), Some("22012")),
                    1 => {
                        let error = db.execute(insert, &[&-1i64]).await.unwrap_err();
                        assert!(error.is_unique_violation() && error.constraint() == Some("t_pkey"), "{error:?}");
                    }
                    2 => assert_eq!(db.execute(insert, &[&id]).await.unwrap(), 1),
                    3 => assert_eq!(db.fetch_one(divide, &[&4i64]).await.unwrap().get::<i64>(0).unwrap(), 25),
                    _ => assert_eq!(ask(&db, id).await.unwrap(), id),
                }
            }
        });
    }
    tasks.join_all().await;
    let inserted = database.texts("SELECT count(*)::text FROM t WHERE id >= 0").unwrap();
    assert_eq!(inserted, [Some("160".to_string())]);
    let deepest = deepest(&wire.since(0));
    assert!(deepest >= 3, "control: they did not share, but stood {deepest} deep");
}

/// Some statements are dropped at every poll while others share their connections with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_statements_touch_no_other() {
    let database = database();
    let (wire, proxy, config) = wired(&database);
    let db = service(config.max_size(2));
    learn(&db, SELECT, &[&1i64]).await;
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut droppers = JoinSet::new();
    for task in 0..6 {
        let (db, over) = (db.clone(), over.clone());
        droppers.spawn(async move {
            let mut dropped = 0;
            for round in 0.. {
                if over.load(SeqCst) {
                    break;
                }
                let time = Duration::from_millis(if round % 4 == 0 { 10 } else { 0 });
                match drop_after_polls(sleepy(&db, round, time), (task + round as usize) % 5).await {
                    Polled::Done(value) => assert_eq!(value.unwrap(), round),
                    Polled::Dropped => dropped += 1,
                }
                // Those dropped before their first poll would let nobody else run.
                sleep(Duration::from_millis(1)).await;
            }
            dropped
        });
    }
    let mut tasks = JoinSet::new();
    for task in 0..16i64 {
        let db = db.clone();
        tasks.spawn(async move {
            for id in task * 100..task * 100 + 60 {
                assert_eq!(ask(&db, id).await.unwrap(), id);
            }
        });
    }
    tasks.join_all().await;
    over.store(true, SeqCst);
    let dropped: usize = droppers.join_all().await.into_iter().sum();
    assert!(dropped > 20, "control: only {dropped} were dropped");
    assert_eq!(proxy.traffic().cancels, 0, "a cancellation could have hit the statement of another");
    assert!(deepest(&wire.since(0)) >= 3, "control: they did not share");
    assert!(eventually(LONG, || db.status().in_use == 0), "{:?}", db.status());
}

/// A dropped statement that goes on for longer than any that nobody waits for may, with others behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dropped_statement_is_not_cancelled_while_others_stand_behind_it() {
    let database = database();
    let (wire, proxy, config) = wired(&database);
    let db = service(config.max_size(1));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    let before = wire.mark();
    let mut head = Box::pin(sleepy(&db, 0, Duration::from_millis(700)));
    let behind = {
        // Sent with its first poll, and the others behind it.
        assert!(head.as_mut().now_or_never().is_none());
        let mut behind = Vec::new();
        for id in 1..=8 {
            let mut one = Box::pin(sleepy(&db, id, Duration::ZERO));
            assert!(one.as_mut().now_or_never().is_none());
            behind.push(one);
        }
        drop(head);
        behind
    };
    let answers = join_all(behind).await;
    assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert!(deepest(&wire.since(before)) >= 9, "control: they did not share");
    assert!(eventually(LONG, || db.status().in_use == 0), "{:?}", db.status());
    assert_eq!(proxy.traffic().cancels, 0);
    assert_eq!(ask(&db, 9).await.unwrap(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn control_a_dropped_statement_alone_on_its_connection_is_cancelled() {
    let database = database();
    let (_wire, proxy, config) = wired(&database);
    let db = service(config.max_size(1));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    let mut head = Box::pin(sleepy(&db, 0, LONG));
    assert!(head.as_mut().now_or_never().is_none());
    drop(head);
    assert_eq!(ask(&db, 1).await.unwrap(), 1);
    assert_eq!(proxy.traffic().cancels, 1);
}

/// A reply waits for a caller who looks elsewhere, and those behind it get theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_who_takes_his_time_holds_up_nobody() {
    let database = database();
    let (wire, proxy, config) = wired(&database);
    let db = service(config.max_size(1));
    learn(&db, SELECT, &[&1i64]).await;
    // None is answered at the first poll.
    proxy.set_delay(Duration::ZERO, Duration::from_millis(50));
    let mark = wire.mark();
    let mut slow: Vec<_> = (0..4).map(|id| Box::pin(ask(&db, id))).collect();
    assert!(slow.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));
    let answers = timeout(LONG, join_all((4..36).map(|id| ask(&db, id)))).await.expect("they stand behind him");
    assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), (4..36).collect::<Vec<_>>());
    assert!(deepest(&wire.since(mark)) >= 5, "control: they did not share");
    let answers = join_all(slow).await;
    assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), (0..4).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_status_counts_shared_connections() {
    let database = database();
    let proxy = Proxy::start(database.server()).unwrap();
    let config = config(&database).max_size(2).sharing_depth(3);
    let via = catamaran::Config::from_url(&database.url_via(proxy.address())).unwrap();
    let db = service(via.max_size(2).sharing_depth(3).sharing_budget(config.get_sharing_budget()));
    let counts = |db: &Service| {
        let status = db.status();
        assert_eq!(status.size, status.idle + status.in_use, "{status:?}");
        (status.size, status.idle, status.in_use, status.waiting)
    };
    assert_eq!(counts(&db), (0, 0, 0, 0));
    learn(&db, SELECT, &[&1i64]).await;
    assert_eq!(counts(&db), (1, 1, 0, 0), "a shared connection that nobody uses is idle");
    let held = (db.session().await.unwrap(), db.session().await.unwrap());
    assert_eq!(counts(&db), (2, 0, 2, 0));
    drop(held);
    assert_eq!(counts(&db), (2, 2, 0, 0));
    learn(&db, SELECT, &[&1i64]).await;
    assert_eq!(counts(&db), (2, 2, 0, 0));
    proxy.stall();
    let mut tasks = JoinSet::new();
    for id in 0..10 {
        let db = db.clone();
        tasks.spawn(async move { assert_eq!(ask(&db, id).await.unwrap(), id) });
    }
    // Three on each connection, unless the one that was never shared is tested first, and the rest wait.
    assert!(eventually(LONG, || counts(&db) == (2, 0, 2, 4)), "{:?}", db.status());
    proxy.resume();
    tasks.join_all().await;
    assert_eq!(counts(&db), (2, 2, 0, 0));
    db.close(LONG).await.unwrap();
    assert_eq!(counts(&db), (0, 0, 0, 0));
    assert_eq!(ask(&db, 1).await.unwrap_err().kind(), ErrorKind::PoolClosed);
}
