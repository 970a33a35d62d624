//! What one task or thread is to do, and what it did.

use std::time::{Duration, Instant};

use crate::sql;

/// The same for all tasks of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub tasks: usize,
    pub duration: Duration,
    pub until: Instant,
}

impl Load {
    pub fn new(tasks: usize, duration: Duration) -> Self {
        Self { tasks, duration, until: Instant::now() + duration }
    }
}

/// The operations of one task. An operation begins where the one before it ended.
#[derive(Debug)]
pub struct Record {
    random: fastrand::Rng,
    until: Instant,
    last: Instant,
    left_out: bool,
    /// How many operations were done.
    pub count: u64,
    /// How long each took that was not left out, in nanoseconds.
    pub latencies: Vec<u32>,
}

impl Record {
    pub fn new(load: &Load, task: usize) -> Self {
        Self {
            random: fastrand::Rng::with_seed(task as u64),
            until: load.until,
            last: Instant::now(),
            left_out: false,
            count: 0,
            latencies: Vec::with_capacity(1024),
        }
    }

    pub fn is_open(&self) -> bool {
        self.last < self.until
    }

    pub fn account(&mut self) -> i64 {
        self.random.i64(1..=sql::ACCOUNTS)
    }

    pub fn agent(&mut self) -> i64 {
        self.random.i64(1..=sql::AGENTS)
    }

    /// One of these, of which there must be some.
    pub fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.random.usize(0..list.len())]
    }

    pub fn one_in(&mut self, many: u32) -> bool {
        self.random.u32(0..many) == 0
    }

    /// Counts the current operation, but not its latency.
    pub fn leave_out(&mut self) {
        self.left_out = true;
    }

    /// Lets the current operation begin only now.
    pub fn begin(&mut self) {
        self.last = Instant::now();
    }

    /// Ends an operation.
    pub fn done(&mut self) {
        let now = Instant::now();
        if !std::mem::take(&mut self.left_out) {
            self.latencies.push(u32::try_from((now - self.last).as_nanos()).unwrap_or(u32::MAX));
        }
        self.count += 1;
        self.last = now;
    }

    /// Notes a latency that was measured in another way, as an operation.
    pub fn note(&mut self, latency: Duration) {
        self.latencies.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
        self.count += 1;
        self.last = Instant::now();
    }
}
