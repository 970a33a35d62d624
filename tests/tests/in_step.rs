//! No reply ever belongs to another statement: each operation, failing in each way and dropped at each poll, and then
//! many reads on the same connection.
//!
//! `CATAMARAN_LONG=1` has every SQLSTATE tried with every operation, and 1,000 reads after each. Otherwise these are
//! dealt out among the operations, or one of each kind is tried, with some reads after each and 1,000 after all of an
//! operation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{env, sync::Arc};

use catamaran::{
    AsyncExecutor, Config, Error, ErrorKind, Result, TransactionOptions,
    mock::{MockAsyncDatabaseService, fails, reply},
    row,
};
use catamaran_testkit::{Polled, drop_after_polls, shared};
use catamaran_tests::{
    faces::{Face, LONG, Opened},
    faults::{Fault, OPERATIONS, Operation, When, ask, clear, faults, prepare},
};
use futures_util::future::join_all;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

/// What an operation runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Service,
    Session,
    Transaction,
    Savepoint,
}

const ALL: [On; 4] = [On::Service, On::Session, On::Transaction, On::Savepoint];
/// How many connections are used at once.
const AT_ONCE: usize = 6;
const FEW: usize = 8;
const MANY: usize = 1_000;
/// More polls than any operation here needs.
const ENOUGH: usize = 300;

fn is_long() -> bool {
    env::var_os("CATAMARAN_LONG").is_some_and(|value| value == "1")
}

/// One case, and whether the operation ended before it was dropped.
#[derive(Clone, Copy)]
struct Case {
    on: On,
    operation: Operation,
    fault: usize,
    polls: usize,
    reads: usize,
}

/// Runs a case, and tells whether the operation came to its end, and what is wrong.
async fn run(opened: Opened, case: Case) -> (bool, Result<(), String>) {
    let mut ended = false;
    let result = steps(&opened, case, &mut ended).await;
    (ended, result)
}

async fn steps(opened: &Opened, case: Case, ended: &mut bool) -> Result<(), String> {
    let fault = faults()[case.fault];
    let db = &*opened.db;
    let failed = |error: Error| format!("could not begin: {error:?}");
    let options = TransactionOptions::new();
    let running = async |on: &dyn AsyncExecutor| {
        if case.polls == usize::MAX {
            return Polled::Done(opened.work(on, case.operation.work, case.fault).await);
        }
        drop_after_polls(opened.work(on, case.operation.work, case.fault), case.polls).await
    };
    let outcome = match case.on {
        On::Service => running(db).await,
        On::Session => {
            let session = db.session().await.map_err(failed)?;
            let outcome = running(&*session).await;
            reads(&*session, case.reads, |error| error.kind() == ErrorKind::ConnectionLost).await?;
            outcome
        }
        On::Transaction | On::Savepoint => {
            let mut tx = db.begin(options).await.map_err(failed)?;
            let outcome = if case.on == On::Savepoint {
                let savepoint = tx.savepoint().await.map_err(failed)?;
                let outcome = running(&*savepoint).await;
                reads(&*savepoint, FEW, is_of_failed_transaction).await?;
                outcome
            } else {
                running(&*tx).await
            };
            reads(&*tx, FEW, is_of_failed_transaction).await?;
            let _ = tx.rollback().await;
            outcome
        }
    };
    *ended = matches!(outcome, Polled::Done(_));
    if let Polled::Done(outcome) = &outcome
        && (case.on == On::Service || case.on == On::Session || fault.when != When::Deferred)
    {
        told(case.operation, fault, outcome)?;
    }
    reads(db, case.reads, |_| false).await
}

fn is_of_failed_transaction(error: &Error) -> bool {
    error.kind() == ErrorKind::ConnectionLost || error.sqlstate() == Some("25P02")
}

/// Whether the operation has reported what the server did.
fn told(operation: Operation, fault: Fault, outcome: &Result<()>) -> Result<(), String> {
    let is_right = match outcome {
        // What a failed transaction is known by.
        Err(error) if fault.code == "25P02" && error.kind() == ErrorKind::TransactionAborted => true,
        Err(error) if operation.is_told => error.kind() == ErrorKind::Server && error.sqlstate() == Some(fault.code),
        Ok(()) if operation.is_told => false,
        _ => true,
    };
    if is_right { Ok(()) } else { Err(format!("reported as {outcome:?}")) }
}

/// Reads numbers at once; each must come back, or fail as it may.
async fn reads(db: &dyn AsyncExecutor, count: usize, may_fail: impl Fn(&Error) -> bool) -> Result<(), String> {
    let mut number = fresh();
    for chunk in (0..count).collect::<Vec<_>>().chunks(100) {
        let asked = chunk.iter().map(|_| {
            number += 1;
            let number = number;
            async move { (number, ask(db, number).await) }
        });
        for (number, answer) in join_all(asked.collect::<Vec<_>>()).await {
            match answer {
                Ok(answer) if answer == number => {}
                Ok(answer) => return Err(format!("WRONG ROW: asked {number} and read {answer}")),
                Err(error) if may_fail(&error) => {}
                Err(error) => return Err(format!("a read fails: {error:?}")),
            }
        }
    }
    Ok(())
}

/// Numbers that no two callers share.
fn fresh() -> i64 {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(10_000, SeqCst)
}

/// Runs cases one after the other on one connection, and tells which are wrong.
struct Bench {
    face: Face,
    config: Config,
    opened: Opened,
    tried: usize,
    wrong: Vec<String>,
}

impl Bench {
    fn new(face: Face, config: &Config) -> Self {
        let config = config.clone();
        Self { face, opened: face.open(&config), config, tried: 0, wrong: Vec::new() }
    }

    /// Whether the operation came to its end.
    async fn run(&mut self, case: Case) -> bool {
        self.tried += 1;
        let running = run(self.opened.clone(), case);
        let face = self.face;
        let limited = async move {
            // A thread that blocks has no timer; nextest ends what hangs there.
            if face == Face::Blocking { Ok(running.await) } else { timeout(2 * LONG, running).await }
        };
        let (ended, result) = match self.face.host(limited).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => (false, Err("it hangs".into())),
            Err(panic) => (false, Err(panic)),
        };
        if let Err(wrong) = result {
            let Case { on, operation, fault, polls, .. } = case;
            let Fault { code, when } = faults()[fault];
            let polls = if polls == usize::MAX { String::new() } else { format!(", dropped after {polls}") };
            let face = self.face;
            self.wrong.push(format!("{face}: {} on {on:?}, {code} {when:?}{polls}: {wrong}", operation.name));
            // The next one is not to suffer for it.
            self.opened = face.open(&self.config);
        }
        ended
    }
}

/// Each operation with each fault.
async fn failing(face: Face) {
    let database = shared().unwrap().database().unwrap();
    let config = prepare(&database).unwrap().max_size(1).checkout_timeout(LONG);
    let (permits, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (index, &operation) in OPERATIONS.iter().enumerate() {
        let (config, permits) = (config.clone(), permits.clone());
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let mut bench = Bench::new(face, &config);
            for (at, on) in ALL.into_iter().enumerate() {
                for (fault, what) in faults().iter().enumerate() {
                    // Each code comes with each moment and each executor, and with some of the operations.
                    let is_its_turn = (fault / 4 + index + at) % 5 == 0;
                    if what.when != When::Refused && !is_long() && !is_its_turn {
                        continue;
                    }
                    let reads = if is_long() { MANY } else { FEW };
                    bench.run(Case { on, operation, fault, polls: usize::MAX, reads }).await;
                }
                bench.run(Case { on, operation, fault: index % 5, polls: usize::MAX, reads: MANY }).await;
            }
            (bench.tried, bench.wrong)
        });
    }
    report(face, tasks).await;
    clear(&database).unwrap();
}

/// One fault of each kind.
fn is_typical(fault: Fault) -> bool {
    match fault.when {
        When::Refused => matches!(fault.code, "42P01" | "42701"),
        When::Row(at) => (fault.code, at) == ("22012", 50) || (fault.code, at) == ("57P01", 100),
        When::Deferred => fault.code == "22012",
    }
}

/// Each operation, dropped after each number of polls.
async fn dropped(face: Face) {
    let database = shared().unwrap().database().unwrap();
    let config = prepare(&database).unwrap().max_size(1).checkout_timeout(LONG);
    let (permits, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for &operation in OPERATIONS {
        let (config, permits) = (config.clone(), permits.clone());
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let mut bench = Bench::new(face, &config);
            // Only single statements are shared.
            for on in ALL.into_iter().filter(|on| face != Face::Sharing || *on == On::Service) {
                for (fault, what) in faults().iter().enumerate() {
                    let is_typical = is_typical(*what);
                    if !is_typical && !is_long() {
                        continue;
                    }
                    let reads = if is_long() && is_typical { MANY } else { FEW };
                    for polls in 0..ENOUGH {
                        if bench.run(Case { on, operation, fault, polls, reads }).await {
                            break;
                        }
                        assert!(polls + 1 < ENOUGH, "{} never ends", operation.name);
                    }
                }
            }
            bench.run(Case { on: On::Service, operation, fault: 1, polls: 3, reads: MANY }).await;
            (bench.tried, bench.wrong)
        });
    }
    report(face, tasks).await;
    clear(&database).unwrap();
}

async fn report(face: Face, tasks: JoinSet<(usize, Vec<String>)>) {
    let (mut tried, mut wrong) = (0, Vec::new());
    for (of_one, wrong_of_one) in tasks.join_all().await {
        tried += of_one;
        wrong.extend(wrong_of_one);
    }
    println!("{face}: {tried} cases, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {tried} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! faces {
    ($($name:ident: $run:ident $face:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $run(Face::$face).await;
        }
    )*};
}

faces! {
    failing_blocking: failing Blocking
    failing_sharing: failing Sharing
    failing_apart: failing Apart
    failing_offloaded: failing Offloaded
    failing_lent: failing Lent
    dropped_sharing: dropped Sharing
    dropped_apart: dropped Apart
    dropped_offloaded: dropped Offloaded
    dropped_lent: dropped Lent
}

/// The reads notice a reply that belongs to somebody else, and an error that must not be.
#[tokio::test]
async fn control_a_wrong_reply_is_noticed() {
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_one().returning(|_, _| reply(row! { "number" => 5i64 }));
    assert!(reads(&db, FEW, |_| true).await.unwrap_err().contains("WRONG ROW"));
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_one().returning(|_, _| fails(Error::new(ErrorKind::ConnectionLost, "lost")));
    assert!(reads(&db, FEW, |_| false).await.unwrap_err().contains("ConnectionLost"));
    assert!(reads(&db, FEW, |error| error.kind() == ErrorKind::ConnectionLost).await.is_ok());
}
