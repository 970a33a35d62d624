//! Work of all kinds on both services at once while connections are cut and backends killed: what was acknowledged is
//! there once, what was reported as failed is not, and every reply is the caller's own.
//!
//! Runs for 5 s, and with `CATAMARAN_LONG=1` for 30 s.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use catamaran::{AsyncDatabaseService, Config, Error, Offloaded, Services, connect, lend};
use catamaran_testkit::{Cluster, Database, Polled, Proxy, drop_after_polls, eventually};
use catamaran_tests::{
    ends::Claim,
    faces::LONG,
    inline::{Inline, InlineService, at_once},
    ledger::{Dice, Entry, HELD, ROWS, SCHEMA, SINGLE, compare, held, ids, single},
};
use tokio::{task::JoinSet, time::timeout};

const BUDGET: u32 = 12;
const TASKS: u64 = 16;

/// What all tasks write into.
#[derive(Default)]
struct Book {
    entries: Mutex<Vec<Entry>>,
    wrong: Mutex<Vec<String>>,
    dropped: AtomicUsize,
    over: AtomicBool,
}

impl Book {
    fn note(&self, label: &str, result: Result<Vec<Entry>, String>) {
        match result {
            Ok(entries) => self.entries.lock().unwrap().extend(entries),
            Err(wrong) => self.wrong.lock().unwrap().push(format!("{label}: {wrong}")),
        }
    }

    /// Nobody was told anything of what was dropped.
    fn note_dropped(&self, first: i64) {
        self.dropped.fetch_add(1, SeqCst);
        self.entries.lock().unwrap().push(Entry { first, rows: ROWS, claim: Claim::Unknown });
    }
}

async fn work(db: &dyn AsyncDatabaseService, dice: &mut Dice, first: i64) -> Result<Vec<Entry>, String> {
    if dice.below(3) == 0 {
        held(db, dice.below(HELD), first).await
    } else {
        single(db, dice.below(SINGLE), first).await
    }
}

/// Works until it is over; drops what it does now and then.
async fn task(db: Arc<dyn AsyncDatabaseService>, book: Arc<Book>, seed: u64) {
    let mut dice = Dice::new(seed);
    while !book.over.load(SeqCst) {
        let (first, how, limit) = (ids(), dice.below(10), dice.below(12));
        let working = work(&*db, &mut dice, first);
        let result = match how {
            0 => drop_after_polls(working, limit as usize).await,
            1 => timeout(Duration::from_micros(300 * limit), working).await.map_or(Polled::Dropped, Polled::Done),
            _ => Polled::Done(timeout(LONG, working).await.unwrap_or_else(|_| Err("it hangs".into()))),
        };
        match result {
            Polled::Done(result) => book.note("async", result),
            Polled::Dropped => book.note_dropped(first),
        }
    }
}

/// The same through [`lend`].
async fn lent(db: Arc<dyn AsyncDatabaseService>, book: Arc<Book>, seed: u64) {
    let mut dice = Dice::new(seed);
    while !book.over.load(SeqCst) {
        let (first, way, is_dropped) = (ids(), dice.below(SINGLE), dice.below(10) == 0);
        let working = lend(&db, move |db| Ok::<_, Error>(at_once(single(&Inline(db), way, first))));
        let limit = if is_dropped { Duration::from_millis(1) } else { LONG };
        match timeout(limit, working).await {
            Ok(result) => book.note("lent", result.unwrap_or_else(|error| Err(format!("{error:?}")))),
            Err(_) if is_dropped => book.note_dropped(first),
            Err(_) => book.note("lent", Err("it hangs".into())),
        }
    }
}

fn blocking(services: &Services, book: &Book, seed: u64) {
    let (db, mut dice) = (InlineService(services.blocking()), Dice::new(seed));
    while !book.over.load(SeqCst) {
        let first = ids();
        book.note("blocking", at_once(work(&db, &mut dice, first)));
    }
}

/// Cuts connections and kills backends until it is over, and returns how many.
fn disturb(database: &Database, proxy: &Proxy, book: &Book) -> (usize, usize) {
    let (mut cut, mut killed, mut dice) = (0, 0, Dice::new(99));
    while !book.over.load(SeqCst) {
        thread::sleep(Duration::from_millis(50 + dice.below(300)));
        match dice.below(4) {
            0 => cut += proxy.cut(),
            1 => killed += database.terminate_backends().unwrap(),
            _ => {
                let one = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                           WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2";
                killed += database.texts(one).unwrap().len();
            }
        }
    }
    (cut, killed)
}

fn there(database: &Database) -> BTreeMap<i64, i64> {
    let rows = database.texts("SELECT id || ' ' || count(*) FROM written GROUP BY id").unwrap();
    let pair = |text: String| {
        let (id, count) = text.split_once(' ').unwrap();
        (id.parse().unwrap(), count.parse().unwrap())
    };
    rows.into_iter().flatten().map(pair).collect()
}

#[test]
fn what_was_acknowledged_is_there_once_and_what_failed_is_not() {
    let time =
        Duration::from_secs(if env::var_os("CATAMARAN_LONG").is_some_and(|value| value == "1") { 30 } else { 5 });
    let cluster = Cluster::builder().setting("synchronous_commit", "on").start().unwrap();
    let database = cluster.server().database().unwrap();
    database.execute(SCHEMA).unwrap();
    let proxy = Proxy::start(database.server()).unwrap();
    let config = Config::from_url(&database.url_via(proxy.address())).unwrap();
    let config = config.max_size(BUDGET).budget(BUDGET).checkout_timeout(Duration::from_secs(5));
    let services = Arc::new(connect(config).unwrap());
    let book = Arc::new(Book::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut tasks = JoinSet::new();
    let offloaded: Arc<dyn AsyncDatabaseService> = Arc::new(Offloaded::new(services.blocking()));
    for seed in 0..TASKS {
        let _runtime = runtime.enter();
        tasks.spawn(task(services.nonblocking(), book.clone(), seed));
        tasks.spawn(task(offloaded.clone(), book.clone(), 100 + seed));
        tasks.spawn(lent(services.nonblocking(), book.clone(), 200 + seed));
    }
    let (cut, killed) = thread::scope(|scope| {
        for seed in 0..TASKS {
            let (services, book) = (&services, &book);
            scope.spawn(move || blocking(services, book, 300 + seed));
        }
        let disturbing = scope.spawn(|| disturb(&database, &proxy, &book));
        let end = Instant::now() + time;
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
        }
        book.over.store(true, SeqCst);
        disturbing.join().unwrap()
    });
    runtime.block_on(tasks.join_all());
    // What nobody waits for may still be on its way.
    let nobody = || services.blocking().status().in_use + services.nonblocking().status().in_use == 0;
    assert!(eventually(LONG, nobody), "{:?}", services.nonblocking().status());
    let (entries, mut wrong) = (book.entries.lock().unwrap(), book.wrong.lock().unwrap().clone());
    wrong.extend(compare(&entries, &there(&database)));
    let count = |claim| entries.iter().filter(|entry| entry.claim == claim).count();
    let (kept, gone, unknown) = (count(Claim::Kept), count(Claim::Gone), count(Claim::Unknown));
    let dropped = book.dropped.load(SeqCst);
    println!("{kept} kept, {gone} failed, {unknown} unknown, {dropped} dropped, {cut} cut, {killed} killed");
    assert!(kept > 100 && gone > 10 && unknown > dropped && dropped > 10, "control: too little was tried");
    assert!(cut > 0 && killed > 0, "control: nothing was disturbed");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The comparison sees what it is there to see.
#[test]
fn control_a_false_ledger_is_noticed() {
    let entry = |first, rows, claim| Entry { first, rows, claim };
    let there = BTreeMap::from([(1, 1), (2, 2), (3, 1), (5, 1), (9, 1)]);
    let ledger = [
        entry(1, 1, Claim::Kept),
        entry(2, 1, Claim::Kept),
        entry(3, 1, Claim::Gone),
        entry(4, 2, Claim::Kept),
        entry(6, 2, Claim::Unknown),
    ];
    assert_eq!(compare(&ledger, &there).len(), 4, "twice, though failed, one of two, and in no entry");
}
