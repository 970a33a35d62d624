//! Who waits for whom on shared connections: transactions among selects, what is dear, what is slow only this time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    future::Future as _,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use catamaran::{Result, TransactionOptions};
use catamaran_testkit::{Database, eventually};
use catamaran_tests::{
    sharing::{LONG, SELECT, SLEEP, Service, ask, asleep, config, database, learn, service, sleepy, wired},
    wire::deepest,
};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// What is slow here; cheap statements take a small part of it even on a busy machine.
const SLOW: Duration = Duration::from_millis(1500);
/// A budget with which a connection is late long before that.
const SMALL: Duration = Duration::from_millis(5);

/// Tasks that ask until they are told to stop.
struct Load {
    over: Arc<AtomicBool>,
    ended: Arc<AtomicUsize>,
    tasks: JoinSet<Duration>,
}

impl Load {
    fn of(db: &Service, tasks: usize) -> Self {
        let (over, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut set = JoinSet::new();
        for task in 0..tasks {
            let (db, over, ended) = (db.clone(), over.clone(), ended.clone());
            set.spawn(async move {
                let mut longest = Duration::ZERO;
                while !over.load(SeqCst) {
                    let began = Instant::now();
                    assert_eq!(ask(&db, task as i64).await.unwrap(), task as i64);
                    longest = longest.max(began.elapsed());
                    ended.fetch_add(1, Relaxed);
                }
                longest
            });
        }
        Self { over, ended, tasks: set }
    }

    fn ended(&self) -> usize {
        self.ended.load(Relaxed)
    }

    /// The longest time that any of them took.
    async fn stop(self) -> Duration {
        self.over.store(true, SeqCst);
        self.tasks.join_all().await.into_iter().max().unwrap()
    }
}

async fn transact(db: &Service) -> Result<()> {
    let tx = db.begin(TransactionOptions::new()).await?;
    tx.fetch_one(SELECT, &[&1i64]).await?;
    tx.commit().await
}

/// How many selects end while a transaction waits for its connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_among_selects_does_not_wait_longer_than_without_sharing() {
    let database = database();
    let mut waits = Vec::new();
    for sharing in [true, false] {
        let db = service(config(&database).max_size(2).sharing(sharing));
        learn(&db, SELECT, &[&1i64]).await;
        let load = Load::of(&db, 64);
        assert!(eventually(LONG, || load.ended() > 200));
        let mut counts = Vec::new();
        for _ in 0..200 {
            let before = load.ended();
            let tx = db.begin(TransactionOptions::new()).await.unwrap();
            counts.push(load.ended() - before);
            tx.rollback().await.unwrap();
        }
        load.stop().await;
        counts.sort_unstable();
        waits.push(counts[counts.len() / 2]);
    }
    assert!(waits[1] > 0, "control: without sharing a transaction stands in the queue");
    assert!(waits[0] <= 4 * waits[1] + 64, "{} selects ended meanwhile, and {} without sharing", waits[0], waits[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_and_selects_both_go_on() {
    const WINDOW: Duration = Duration::from_millis(500);
    let database = database();
    let db = service(config(&database).max_size(2));
    learn(&db, SELECT, &[&1i64]).await;
    let selects = Load::of(&db, 32);
    let (over, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (db, over, begun) = (db.clone(), over.clone(), begun.clone());
        tasks.spawn(async move {
            let mut own = 0;
            while !over.load(SeqCst) {
                transact(&db).await.unwrap();
                begun.fetch_add(1, Relaxed);
                own += 1;
            }
            own
        });
    }
    let mut last = (0, 0);
    for window in 0..4 {
        sleep(WINDOW).await;
        let now = (selects.ended(), begun.load(Relaxed));
        let (selected, transacted) = (now.0 - last.0, now.1 - last.1);
        // Where nothing at all goes on, the machine is to blame.
        assert!(selected > 0 || transacted < 20, "window {window}: {transacted} transactions and no select");
        assert!(transacted > 0 || selected < 200, "window {window}: {selected} selects and no transaction");
        last = now;
    }
    over.store(true, SeqCst);
    selects.stop().await;
    let each = tasks.join_all().await;
    assert!(each.iter().all(|own| *own > 0), "some transactions starved: {each:?}");
}

/// A statement that is known to take long, and cheap ones beside it.
async fn beside_a_dear_one(database: &Database, size: u32) -> (Duration, Duration) {
    let db = service(config(database).max_size(size).sharing_budget(SMALL));
    let dear = format!("SELECT pg_sleep({})", SLOW.as_secs_f64());
    db.fetch_one(&dear, &[]).await.unwrap();
    learn(&db, SELECT, &[&1i64]).await;
    let load = Load::of(&db, 16);
    let began = Instant::now();
    db.fetch_one(&dear, &[]).await.unwrap();
    let took = began.elapsed();
    (load.stop().await, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cheap_statements_do_not_stand_behind_a_dear_one() {
    let database = database();
    let (longest, took) = beside_a_dear_one(&database, 2).await;
    assert!(longest < took / 2, "a cheap statement took {longest:?}, and the dear one {took:?}");
    let (longest, took) = beside_a_dear_one(&database, 1).await;
    assert!(longest >= SLOW / 2, "control: with one connection they can't have overtaken: {longest:?} of {took:?}");
}

/// A statement that is slow only this time, and cheap ones that come once it is late: the longest of these, and how
/// long it still took.
async fn beside_a_late_one(database: &Arc<Database>, size: u32) -> (Duration, Duration) {
    let db = service(config(database).max_size(size).sharing_budget(SMALL));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    learn(&db, SELECT, &[&1i64]).await;
    let slow = tokio::spawn({
        let db = db.clone();
        async move { sleepy(&db, 7, SLOW).await }
    });
    asleep(database, "PgSleep", 1).await;
    sleep(40 * SMALL).await;
    let (load, began) = (Load::of(&db, 16), Instant::now());
    assert_eq!(slow.await.unwrap().unwrap(), 7);
    let took = began.elapsed();
    (load.stop().await, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_joins_a_connection_that_is_late() {
    let database = Arc::new(database());
    let (longest, took) = beside_a_late_one(&database, 2).await;
    assert!(longest < took / 2, "a cheap statement took {longest:?}, and the slow one {took:?} more");
    let (longest, took) = beside_a_late_one(&database, 1).await;
    assert!(longest >= took / 2, "control: with one connection they must wait: {longest:?} of {took:?}");
}

/// Those that wait for a late connection share it again once it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_late_statement_they_share_again() {
    const TASKS: usize = 16;
    let database = Arc::new(database());
    let (wire, proxy, config) = wired(&database);
    // The more of them are under way at once, the more this counts and the less the machine does.
    proxy.set_delay(Duration::from_millis(10), Duration::ZERO);
    let db = service(config.max_size(1).sharing_budget(SMALL));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    learn(&db, SELECT, &[&1i64]).await;
    let before = wire.mark();
    let load = Load::of(&db, TASKS);
    assert!(eventually(LONG, || load.ended() > 10 * TASKS));
    load.stop().await;
    let control = deepest(&wire.since(before));
    assert!(control >= TASKS / 2, "control: they stood only {control} deep before");
    let slow = tokio::spawn({
        let db = db.clone();
        async move { sleepy(&db, 7, SLOW).await }
    });
    asleep(&database, "PgSleep", 1).await;
    sleep(40 * SMALL).await;
    assert!(!slow.is_finished(), "control: it is not slow enough for this machine");
    let load = Load::of(&db, TASKS);
    assert!(eventually(LONG, || db.status().waiting == TASKS), "{:?}, {} have ended", db.status(), load.ended());
    assert_eq!(slow.await.unwrap().unwrap(), 7);
    let (after, ended) = (wire.mark(), load.ended());
    assert!(eventually(LONG, || load.ended() > ended + 20 * TASKS));
    let messages = wire.since(after);
    load.stop().await;
    // The last ones, so that what had piled up does not count.
    let again = deepest(&messages[messages.len() / 2..]);
    assert!(again >= TASKS / 4, "{again} deep after a late statement, and {control} before");
}

/// One connection is late and the other one lent: who waits gets the lent one as soon as it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_behind_a_late_one_gets_what_comes_back() {
    let database = Arc::new(database());
    let db = service(config(&database).max_size(2).sharing_budget(SMALL));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    learn(&db, SELECT, &[&1i64]).await;
    let slow = tokio::spawn({
        let db = db.clone();
        async move { sleepy(&db, 7, 2 * SLOW).await }
    });
    asleep(&database, "PgSleep", 1).await;
    let held = db.session().await.unwrap();
    sleep(40 * SMALL).await;
    let tasks: Vec<JoinHandle<_>> = (0..8)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move { ask(&db, id).await })
        })
        .collect();
    assert!(eventually(LONG, || db.status().waiting == 8), "{:?}", db.status());
    drop(held);
    for (id, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap().unwrap(), id);
    }
    assert!(!slow.is_finished(), "a connection was idle, and they waited for the other one");
    assert_eq!(slow.await.unwrap().unwrap(), 7);
}

/// Whoever waits behind a late connection, alone and on a runtime of one thread, does not keep that thread busy.
#[tokio::test]
async fn who_waits_alone_leaves_the_thread_to_others() {
    let database = Arc::new(database());
    let db = service(config(&database).max_size(2).sharing_budget(SMALL));
    learn(&db, SLEEP, &[&1i64, &0f64]).await;
    learn(&db, SELECT, &[&1i64]).await;
    let held = db.session().await.unwrap();
    let slow = tokio::spawn({
        let db = db.clone();
        async move { sleepy(&db, 7, SLOW).await }
    });
    sleep(40 * SMALL).await;
    // In a task of its own: that of the session would not share.
    let asking = tokio::spawn({
        let db = db.clone();
        async move {
            let mut polls = 0;
            let mut asking = std::pin::pin!(ask(&db, 8));
            let answer = std::future::poll_fn(|cx| {
                polls += 1;
                asking.as_mut().poll(cx)
            });
            (answer.await, polls)
        }
    });
    let (answer, polls) = asking.await.unwrap();
    assert_eq!(answer.unwrap(), 8);
    assert_eq!(slow.await.unwrap().unwrap(), 7);
    assert!(polls < 100, "it was polled {polls} times");
    drop(held);
}

/// Those that wait for room do not wake each other for ever: on a runtime of one thread nothing else would run.
#[test]
fn a_runtime_of_one_thread_goes_on_while_many_wait() {
    const LASTS: Duration = Duration::from_secs(6);

    let database = database();
    let config = config(&database).max_size(2).checkout_timeout(LONG);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (db, began) = (service(config), Instant::now());
        learn(&db, SELECT, &[&1i64]).await;
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            let db = db.clone();
            tasks.spawn(async move {
                while began.elapsed() < LASTS {
                    db.execute("SELECT pg_sleep(0.02)", &[]).await.unwrap();
                    transact(&db).await.unwrap();
                }
            });
        }
        for _ in 0..6 {
            let db = db.clone();
            tasks.spawn(async move {
                while began.elapsed() < LASTS {
                    db.fetch_one(SELECT, &[&1i64]).await.unwrap();
                    sleep(Duration::from_millis(3)).await;
                }
            });
        }
        let mut longest = Duration::ZERO;
        while began.elapsed() < LASTS {
            let slept = Instant::now();
            sleep(Duration::from_millis(10)).await;
            longest = longest.max(slept.elapsed());
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        // It would be as long as a caller may wait.
        assert!(longest < LONG / 4, "the runtime stood still for {longest:?}");
    });
}
