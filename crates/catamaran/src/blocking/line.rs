//! A thread that waits for a permit of the budget.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Instant,
};

use crate::budget::{Budget, Side, Ticket};

/// A place in the line, until it is dropped.
pub(crate) struct Line {
    woken: Arc<(Mutex<bool>, Condvar)>,
    budget: Arc<Budget>,
    _ticket: Ticket,
}

impl Line {
    pub(crate) fn new(budget: &Arc<Budget>, came: Instant) -> Self {
        let woken = Arc::<(Mutex<bool>, Condvar)>::default();
        let waker = woken.clone();
        let ticket = budget.wait(Side::Blocking, came, move || {
            *waker.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            waker.1.notify_one();
        });
        Self { woken, budget: budget.clone(), _ticket: ticket }
    }

    /// Waits until it may be worth to try again. False once `end` has come.
    pub(crate) fn wait(&self, end: Instant) -> bool {
        let now = Instant::now();
        // Asked before the lock is taken, as whoever wakes has that of the budget.
        let until = self.budget.next_free().map_or(end, |free| free.min(end));
        let mut woken = self.woken.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*woken {
            if now >= end {
                return false;
            }
            let rest = until.saturating_duration_since(now);
            woken = self.woken.1.wait_timeout(woken, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        *woken = false;
        true
    }
}
