//! One set of cases, every executor.
//!
//! A [`Case`] is data: what is done, and what must come of it. Two small interpreters, one for the blocking traits and
//! one for the async ones, do it and keep what they are given; that is compared with what must come of it, and with
//! what the first executor gave, down to the last field of an error.

mod blocking;
mod case;
pub mod cases;
mod executors;
mod expected;
mod nonblocking;
mod outcome;
mod report;
mod runner;
mod script;
mod typed;
mod verdict;

use std::time::Duration;

pub use self::{
    case::{Action, Case, End, Param, Read, Step, case},
    executors::{ALL, Context, Executor, Open},
    expected::{Expected, FailureExpected, RowsExpected},
    outcome::{Failure, Outcome, Reply, Rows},
    report::{Line, Report, Verdict},
    runner::Runner,
    typed::{Pair, Typed},
};

/// Runs all cases whose names contain `part` on all executors, and tells of each when it is done.
pub fn run(part: &str, tell: impl FnMut(&Line, Duration)) -> Report {
    let cases: Vec<_> = cases::all().into_iter().filter(|case| case.name.contains(part)).collect();
    Runner::new().run(&cases, ALL, tell)
}
