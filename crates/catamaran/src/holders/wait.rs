//! What goes on while a caller waits for a connection.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Cause, Holders, Shortage};
use crate::{Error, PoolStatus, Result, guard};

/// A wait for a connection, from when the caller came.
pub(crate) struct Wait {
    pub(crate) came: Instant,
    limit: Duration,
    /// How much later than it should the task was run, altogether.
    late: Duration,
}

impl Wait {
    pub(crate) fn new(came: Instant, limit: Duration) -> Self {
        Self { came, limit, late: Duration::ZERO }
    }

    pub(crate) fn end(&self) -> Instant {
        self.came + self.limit
    }

    #[cfg(feature = "async")]
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end()
    }

    /// Notes that the waiting task runs again, which it should have at `expected`.
    #[cfg(feature = "async")]
    pub(crate) fn woke(&mut self, expected: Instant) {
        self.late += Instant::now().saturating_duration_since(expected);
    }

    /// What the caller is told in the end.
    pub(crate) fn error(&self, status: PoolStatus, connects: &Connects, holders: &Holders) -> Error {
        let blocked = self.late.max(guard::stuck_since(self.came));
        let (hangs, failing) = connects.trouble(self.limit / 2);
        let cause = if blocked >= self.limit / 2 {
            Cause::RuntimeBlocked(blocked)
        } else if hangs || failing.is_some() {
            Cause::ConnectFailing
        } else {
            Cause::Saturated
        };
        Error::checkout_timeout(self.limit, status, Shortage { cause, holders: holders.list() }, failing)
    }
}

/// How connecting goes.
#[derive(Debug, Default)]
pub(crate) struct Connects(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the attempts began that are under way.
    under_way: Vec<Instant>,
    /// The last error, unless a connection was made since.
    failed: Option<Error>,
}

impl Connects {
    pub(crate) fn begin(&self) -> Connecting<'_> {
        let began = Instant::now();
        self.state().under_way.push(began);
        Connecting { connects: self, began }
    }

    /// Whether an attempt has been under way for `long`, and what the last one failed with.
    fn trouble(&self, long: Duration) -> (bool, Option<Error>) {
        let state = self.state();
        (state.under_way.iter().any(|began| began.elapsed() >= long), state.failed.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt to connect, until it is dropped.
pub(crate) struct Connecting<'a> {
    connects: &'a Connects,
    began: Instant,
}

impl Connecting<'_> {
    pub(crate) fn ended<T>(self, result: Result<T>) -> Result<T> {
        self.connects.state().failed = result.as_ref().err().cloned();
        result
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        let mut state = self.connects.state();
        if let Some(at) = state.under_way.iter().position(|began| *began == self.began) {
            state.under_way.swap_remove(at);
        }
    }
}
