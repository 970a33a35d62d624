//! Runs each case on each executor.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use catamaran::Result;
use catamaran_testkit::Database;
use futures_util::FutureExt as _;
use tokio::runtime::Runtime;

use super::{
    blocking,
    case::Case,
    executors::{Context, Executor, Open},
    nonblocking,
    outcome::Reply,
    report::{Line, Report, Verdict},
    verdict::{Judged, differences, judge},
};

/// How long one case may take on one executor.
const LIMIT: Duration = Duration::from_secs(30);
/// How long an executor may take to close after a case.
const CLOSE: Duration = Duration::from_secs(5);

/// Where the cases are run.
#[derive(Debug)]
pub struct Runner {
    database: Database,
    runtime: Runtime,
}

impl Runner {
    /// A runner with a database of its own on the shared test server.
    ///
    /// # Panics
    ///
    /// Without a server.
    pub fn new() -> Self {
        let database = catamaran_testkit::shared().expect("a test server").database().expect("a test database");
        let name = database.name();
        database.execute(&format!("ALTER DATABASE {name} SET timezone TO 'UTC'")).expect("a test database in UTC");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { database, runtime: runtime.expect("a runtime") }
    }

    /// Runs the cases on the executors, and tells of each when it is done and how long it took.
    pub fn run(&self, cases: &[Case], executors: &[Executor], mut tell: impl FnMut(&Line, Duration)) -> Report {
        let mut lines = Vec::new();
        for case in cases {
            let begun = Instant::now();
            let line = self.case(case, executors);
            tell(&line, begun.elapsed());
            lines.push(line);
        }
        Report { executors: executors.iter().map(|executor| executor.name).collect(), lines }
    }

    fn case(&self, case: &Case, executors: &[Executor]) -> Line {
        let mut verdicts = Vec::new();
        let mut reference: Option<(Vec<Reply>, Vec<Judged>)> = None;
        for executor in executors {
            let tape = reference.as_ref().map(|(tape, _)| tape.as_slice());
            if tape.is_none() && !executor.real {
                verdicts.push(Verdict::Skipped("there is nothing to repeat".into()));
                continue;
            }
            let ended = self.on(executor, case, tape.unwrap_or_default());
            if ended.is_err() {
                // What still runs would be in the way of the next case.
                self.database.terminate_backends().expect("the test server answers");
            }
            verdicts.push(match ended {
                Ok(tape) => {
                    let judged = judge(case, &tape);
                    let unmet = |judged: &Judged| Some(format!("{}: {}", judged.what, judged.unmet.as_ref()?));
                    let mut wrong: Vec<_> = judged.iter().filter_map(unmet).collect();
                    match &reference {
                        Some((_, reference)) => wrong.extend(differences(reference, &judged)),
                        None => reference = Some((tape, judged)),
                    }
                    if wrong.is_empty() { Verdict::Ok } else { Verdict::Diff(wrong) }
                }
                Err(stopped) => Verdict::Diff(vec![stopped]),
            });
        }
        Line { case: case.name.clone(), verdicts }
    }

    fn on(&self, executor: &Executor, case: &Case, tape: &[Reply]) -> std::result::Result<Vec<Reply>, String> {
        if executor.real {
            let setup = format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {}", case.setup);
            self.database.execute(&setup).map_err(|error| format!("setup: {error}"))?;
        }
        let url = self.database.url();
        let close = executor.real;
        match &executor.open {
            Open::Blocking(open) => {
                let (open, case, tape) = (*open, case.clone(), tape.to_vec());
                limited(move || {
                    let service = open(&Context { url: &url, case: &case, tape: &tape })?;
                    let tape = blocking::run(&*service, &case.steps);
                    if close { service.close(CLOSE).map(|()| tape) } else { Ok(tape) }
                })
            }
            Open::Async(open) | Open::Lent(open) => {
                let lent = matches!(executor.open, Open::Lent(_));
                let run = async {
                    let service = open(&Context { url: &url, case, tape })?;
                    let tape = nonblocking::run(&*service, &case.steps, lent).await;
                    if close { service.close(CLOSE).await.map(|()| tape) } else { Ok(tape) }
                };
                let run = async { tokio::time::timeout(LIMIT, AssertUnwindSafe(run).catch_unwind()).await };
                finished(self.runtime.block_on(run).map_err(|_| too_long()))
            }
        }
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs on a thread of its own, which is left behind if it takes too long.
fn limited(run: impl FnOnce() -> Result<Vec<Reply>> + Send + 'static) -> std::result::Result<Vec<Reply>, String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(catch_unwind(AssertUnwindSafe(run))));
    finished(receiver.recv_timeout(LIMIT).map_err(|_| too_long()))
}

type Panicked = Box<dyn Any + Send>;

fn finished(
    run: std::result::Result<std::result::Result<Result<Vec<Reply>>, Panicked>, String>,
) -> std::result::Result<Vec<Reply>, String> {
    match run? {
        Ok(Ok(tape)) => Ok(tape),
        Ok(Err(error)) => Err(format!("opening or closing: {error}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        }
    }
}

fn too_long() -> String {
    format!("did not end within {LIMIT:?}")
}
