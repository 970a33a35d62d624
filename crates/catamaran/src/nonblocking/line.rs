//! A task that waits for a permit of the budget.

use std::{sync::Arc, time::Instant};

use tokio::{sync::Notify, time::timeout_at};

use crate::budget::{Budget, Side, Ticket};

/// A place in the line, until it is dropped.
pub(crate) struct Line {
    woken: Arc<Notify>,
    budget: Arc<Budget>,
    _ticket: Ticket,
}

impl Line {
    pub(crate) fn new(budget: &Arc<Budget>, came: Instant) -> Self {
        let woken = Arc::<Notify>::default();
        let waker = woken.clone();
        let ticket = budget.wait(Side::Nonblocking, came, move || waker.notify_one());
        Self { woken, budget: budget.clone(), _ticket: ticket }
    }

    /// Waits until it may be worth to try again. False once `end` has come.
    pub(crate) async fn until(&self, end: Instant) -> bool {
        let until = self.budget.next_free().map_or(end, |free| free.min(end));
        timeout_at(until.into(), self.woken.notified()).await.is_ok() || Instant::now() < end
    }
}
