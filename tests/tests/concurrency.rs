//! Ten slow statements at once take about as long as one on the async service, and the runtime stays awake meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use catamaran::{AsyncDatabaseService, AsyncExecutor, Config, DeadpoolDatabase, R2d2Database};
use catamaran_testkit::shared;
use futures_util::future::join_all;

const AT_ONCE: usize = 10;
const ROUNDS: usize = 15;

/// The middle of several measurements: machines are noisy.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn slow(db: &dyn AsyncExecutor) {
    db.fetch_one("SELECT pg_sleep(0.01)", &[]).await.unwrap();
}

/// The time for one statement, for ten at once and for ten one after the other.
async fn measure(db: &dyn AsyncExecutor) -> (Duration, Duration, Duration) {
    join_all((0..AT_ONCE).map(|_| slow(db))).await;
    let (mut one, mut ten, mut serial) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        slow(db).await;
        one.push(began.elapsed());
        let began = Instant::now();
        join_all((0..AT_ONCE).map(|_| slow(db))).await;
        ten.push(began.elapsed());
        let began = Instant::now();
        for _ in 0..AT_ONCE {
            slow(db).await;
        }
        serial.push(began.elapsed());
    }
    (median(one), median(ten), median(serial))
}

/// Ticks until told to stop, and gives the longest time between two ticks.
async fn heartbeat(stop: Arc<AtomicBool>) -> Duration {
    let (mut worst, mut last) = (Duration::ZERO, Instant::now());
    while !stop.load(SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        worst = worst.max(last.elapsed());
        last = Instant::now();
    }
    worst
}

#[tokio::test]
async fn ten_at_once_take_as_long_as_one() {
    let database = shared().unwrap().database().unwrap();
    let config = Config::from_url(&database.url()).unwrap();
    let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config.clone()).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let heart = tokio::spawn(heartbeat(stop.clone()));
    let (one, ten, serial) = measure(&*db).await;
    stop.store(true, SeqCst);
    let gap = heart.await.unwrap();
    let ratio = |time: Duration| time.as_secs_f64() / one.as_secs_f64();
    println!("one {one:?}, ten at once {:.2} x, control {:.2} x, worst gap {gap:?}", ratio(ten), ratio(serial));
    assert!(ratio(serial) >= 8.0, "the control must take ten times as long: {:.2}", ratio(serial));
    assert!(ratio(ten) <= 3.0, "ten at once took {:.2} times as long as one", ratio(ten));

    // What the heartbeat is there to notice: a blocking statement on the runtime's thread.
    let blocking = R2d2Database::new(config).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let heart = tokio::spawn(heartbeat(stop.clone()));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let blocked =
        std::thread::spawn(move || catamaran::Executor::fetch_one(&blocking, "SELECT pg_sleep(0.3)", &[]).map(drop));
    blocked.join().unwrap().unwrap();
    stop.store(true, SeqCst);
    let control = heart.await.unwrap();
    println!("worst gap with a blocking statement on the runtime: {control:?}");
    assert!(control > Duration::from_millis(250) && control > 2 * gap, "{control:?} beside {gap:?}");
}
