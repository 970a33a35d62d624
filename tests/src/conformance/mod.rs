//! One set of cases, every executor.
//!
//! A `Case` is data: what is done, and what must come of it. Two small interpreters, one for the blocking traits and
//! one for the async ones, do it and keep what they are given; that is compared with what must come of it, and with
//! what the first executor gave, down to the last field of an error.

mod blocking;
pub mod case;
pub mod cases;
pub mod coverage;
pub mod executors;
pub mod expected;
mod nonblocking;
pub mod outcome;
pub mod report;
mod runner;
mod script;
pub mod typed;
mod verdict;

use std::time::Duration;

pub use self::runner::Runner;
use self::{
    executors::ALL,
    report::{Line, Report},
};

/// Runs all cases whose names contain `part` on all executors, and tells of each when it is done.
pub fn run(part: &str, tell: impl FnMut(&Line, Duration)) -> Report {
    let cases: Vec<_> = cases::all().into_iter().filter(|case| case.name.contains(part)).collect();
    Runner::new().run(&cases, ALL, tell)
}
