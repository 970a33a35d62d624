//! One number of connections for both pools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use catamaran::{Config, ErrorKind, Services, prelude::*};
use catamaran_testkit::{Cluster, Database, eventually, shared};
use tokio::runtime::{Builder, Runtime};

const LONG: Duration = Duration::from_secs(30);
const BUDGET: u32 = 10;

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(BUDGET).budget(BUDGET).checkout_timeout(LONG)
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The sessions that the server has of a database, the highest number of them seen, sampled by its superuser.
struct Sampler {
    most: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<usize>>,
}

impl Sampler {
    fn new(database: &Database) -> Self {
        let (most, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let config = Config::from_url(&database.url()).unwrap().application_name("sampler").max_size(1);
        let db = catamaran::R2d2Database::new(config).unwrap();
        let (seen, stopped) = (most.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let sql = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name <> 'sampler' AND backend_type = 'client backend'";
            // A session whose client has gone is counted until its backend has noticed: what counts is seen three times.
            let (mut samples, mut before) = (0, [0; 2]);
            while !stopped.load(SeqCst) {
                let count: i64 = db.fetch_scalar(sql, &[]).unwrap();
                seen.fetch_max(count.min(before[0]).min(before[1]) as usize, SeqCst);
                before = [count, before[0]];
                samples += 1;
                thread::sleep(Duration::from_millis(20));
            }
            samples
        });
        Self { most, stop, thread: Some(thread) }
    }

    /// The most sessions that there were, and how often was looked.
    fn stop(mut self) -> (usize, usize) {
        self.stop.store(true, SeqCst);
        let samples = self.thread.take().unwrap().join().unwrap();
        (self.most.load(SeqCst), samples)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

#[test]
fn what_one_does_not_use_the_other_gets() {
    let database = database();
    let db = catamaran::connect(config(&database)).unwrap();
    let (blocking, nonblocking) = (db.blocking(), db.nonblocking());
    let runtime = runtime();
    for _ in 0..3 {
        // All but the reserve of the other side.
        let held: Vec<_> = (1..BUDGET).map(|_| blocking.session().unwrap()).collect();
        assert_eq!(blocking.status().size, BUDGET as usize - 1);
        drop(held);
        runtime.block_on(async {
            let mut held = Vec::new();
            for _ in 1..BUDGET {
                held.push(nonblocking.session().await.unwrap());
            }
            assert_eq!(nonblocking.status().size, BUDGET as usize - 1);
        });
        assert!(blocking.status().size <= 1);
    }
}

#[test]
fn whoever_has_waited_longest_gets_what_comes_back() {
    let database = database();
    let db = catamaran::connect(config(&database).budget(4)).unwrap();
    let (blocking, nonblocking) = (db.blocking(), db.nonblocking());
    let runtime = runtime();
    let held: Vec<_> = (0..3).map(|_| blocking.session().unwrap()).collect();
    let own = runtime.block_on(nonblocking.session()).unwrap();
    let behind = nonblocking.clone();
    let waiting =
        runtime.spawn(async move { behind.session().await.unwrap().fetch_scalar::<i32>("SELECT 7", &[]).await });
    thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished(), "all four are in use");
    let late = thread::spawn(move || blocking.session().unwrap().fetch_scalar::<i32>("SELECT 8", &[]));
    thread::sleep(Duration::from_millis(200));
    let mut held = held.into_iter();
    drop(held.next());
    assert_eq!(runtime.block_on(waiting).unwrap().unwrap(), 7);
    drop(held);
    assert_eq!(late.join().unwrap().unwrap(), 8);
    drop(own);
}

#[test]
fn a_budget_that_is_too_small_is_refused() {
    let database = database();
    for (budget, reserve) in [(0, 0), (1, 1), (5, 3)] {
        let error = catamaran::connect(config(&database).budget(budget).budget_reserve(reserve)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{budget} {reserve}: {error}");
    }
    catamaran::connect(config(&database).budget(2)).unwrap();
}

/// Clients of both services, a share of whose calls is blocking.
struct Clients {
    db: Services,
    share: AtomicU64,
    stop: AtomicBool,
    longest: AtomicU64,
    calls: [AtomicU64; 2],
}

impl Clients {
    fn note(&self, began: Instant, side: usize) {
        self.longest.fetch_max(began.elapsed().as_millis() as u64, SeqCst);
        self.calls[side].fetch_add(1, SeqCst);
    }
}

const SQL: &str = "SELECT pg_sleep(0.005)";

#[test]
fn under_a_sweeping_load_there_are_never_more_and_nobody_waits_for_long() {
    let database = database();
    let clients = Arc::new(Clients {
        db: catamaran::connect(config(&database)).unwrap(),
        share: AtomicU64::new(100),
        stop: AtomicBool::new(false),
        longest: AtomicU64::new(0),
        calls: Default::default(),
    });
    let (runtime, sampler) = (runtime(), Sampler::new(&database));
    let callers: Vec<_> = (0..64u64)
        .map(|caller| {
            let (clients, handle) = (clients.clone(), runtime.handle().clone());
            thread::spawn(move || {
                let (blocking, nonblocking) = (clients.db.blocking(), clients.db.nonblocking());
                let mut turn = caller;
                while !clients.stop.load(SeqCst) {
                    turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let began = Instant::now();
                    if (turn >> 33) % 100 < clients.share.load(SeqCst) {
                        blocking.fetch_one(SQL, &[]).unwrap();
                        clients.note(began, 0);
                    } else {
                        handle.block_on(async { nonblocking.fetch_one(SQL, &[]).await.unwrap() });
                        clients.note(began, 1);
                    }
                }
            })
        })
        .collect();
    let sizes = || (clients.db.blocking().status().size, clients.db.nonblocking().status().size);
    // A full swing there and back, and a slow one.
    for (share, wanted) in [(0, (1, 9)), (100, (9, 1)), (0, (1, 9))] {
        thread::sleep(Duration::from_secs(1));
        clients.share.store(share, SeqCst);
        let began = Instant::now();
        let moved = || if wanted.0 > wanted.1 { sizes().0 >= wanted.0 } else { sizes().1 >= wanted.1 };
        assert!(eventually(LONG, moved), "{:?} instead of {wanted:?}", sizes());
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    for share in (0..=100).step_by(10).chain((0..100).rev().step_by(10)) {
        clients.share.store(share, SeqCst);
        thread::sleep(Duration::from_millis(150));
    }
    clients.stop.store(true, SeqCst);
    for caller in callers {
        caller.join().unwrap();
    }
    let (most, samples) = sampler.stop();
    let longest = clients.longest.load(SeqCst);
    assert!(most <= BUDGET as usize, "{most} sessions");
    assert!(samples > 50, "{samples} samples");
    assert!(longest < 3_000, "{longest} ms, calls {:?}", clients.calls);
}

#[test]
fn backends_that_are_killed_lose_no_permit() {
    let cluster = Cluster::start().unwrap();
    let database = cluster.database().unwrap();
    let db = catamaran::connect(config(&database)).unwrap();
    let runtime = runtime();
    for round in 0..3 {
        let kill = Config::from_url(&database.url()).unwrap().application_name("killer").max_size(1);
        let killer = catamaran::R2d2Database::new(kill).unwrap();
        let held: Vec<_> = (0..5).map(|_| db.blocking().session().unwrap()).collect();
        let mut others = Vec::new();
        runtime.block_on(async {
            for _ in 0..5 {
                others.push(db.nonblocking().session().await.unwrap());
            }
        });
        let sql = "SELECT pid::text FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name <> 'killer'";
        let pids: Vec<(String,)> = killer.fetch_all_as(sql, &[]).unwrap();
        assert_eq!(pids.len(), BUDGET as usize, "round {round}");
        // The server ends all others when one has died so.
        let killed = Command::new("kill").args(["-9", &pids[0].0]).status().unwrap();
        assert!(killed.success());
        for session in &held {
            assert!(eventually(LONG, || session.execute("SELECT 1", &[]).is_err()));
        }
        drop(held);
        runtime.block_on(async {
            for session in &others {
                while session.execute("SELECT 1", &[]).await.is_ok() {}
            }
            drop(others);
        });
        // The server starts again by itself.
        assert!(eventually(LONG, || db.blocking().ping().is_ok()));
        let all: Vec<_> = (1..BUDGET).map(|_| db.blocking().session().unwrap()).collect();
        assert_eq!(all.len(), BUDGET as usize - 1, "round {round}");
    }
}
