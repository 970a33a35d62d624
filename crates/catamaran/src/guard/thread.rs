//! Whether the calling thread drives futures at this moment.
//!
//! Two things tell. A guarded future sets a mark around each of its polls, which also names the route. And tokio gives
//! each poll of a task a budget of operations, while code on a thread for blocking work, within `block_in_place`, or
//! outside a runtime has none: <https://docs.rs/tokio/latest/tokio/task/coop/>. So a poll that nobody guards is found
//! too. A future within `tokio::task::unconstrained` has no budget either: on a runtime of one thread, which has no
//! `block_in_place`, the mark finds it.
#![cfg_attr(not(feature = "blocking"), allow(dead_code, reason = "the blocking service alone asks for all of it"))]

use std::{cell::Cell, sync::Arc};

use futures_util::FutureExt as _;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::{self, Id},
};

use super::watchdog::{Current, Slot};
use crate::call::Site;

/// The most operations that tokio lets a task do in one poll.
const BUDGET: usize = 128;

thread_local! {
    /// What is polled here, for the watchdog too.
    static SLOT: Arc<Slot> = Slot::registered();
    /// How many times blocking was allowed around the current code.
    static ALLOWED: Cell<u32> = const { Cell::new(0) };
    /// The task that was last found to have no budget: code on a blocking thread asks again and again.
    static FREE: Cell<Option<Id>> = const { Cell::new(None) };
}

/// What the calling thread does.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// It has nothing to do with a runtime, or is one of its threads for blocking work.
    Free,
    /// As far as is known it may block, and belongs to a runtime of several threads.
    FreeOnRuntime,
    /// It polls a future.
    Polls(Poll),
}

/// The future that is polled.
#[derive(Debug, Clone)]
pub(super) struct Poll {
    /// Its route, if it is guarded.
    pub(super) route: Option<Arc<str>>,
    /// Other threads can take over the tasks of this one.
    pub(super) hands_over: bool,
    pub(super) is_allowed: bool,
}

pub(super) fn standing() -> Standing {
    let Ok(handle) = Handle::try_current() else { return Standing::Free };
    let is_multi = handle.runtime_flavor() == RuntimeFlavor::MultiThread;
    let (free, task) = (if is_multi { Standing::FreeOnRuntime } else { Standing::Free }, task::try_id());
    // What a runtime was entered with is no task: tokio would take its budget away for good.
    let (hands_over, is_allowed) = (is_multi && task.is_some(), ALLOWED.get() > 0);
    if is_allowed && hands_over {
        return free;
    }
    let route = current_route();
    if route.is_none() && task.is_some() && FREE.get() == task {
        return free;
    }
    if has_budget() || (route.is_some() && !is_multi) {
        return Standing::Polls(Poll { route, hands_over, is_allowed });
    }
    if route.is_none() {
        FREE.set(task);
    }
    free
}

/// The route of the guarded future that is polled here.
pub(super) fn current_route() -> Option<Arc<str>> {
    SLOT.with(|slot| slot.route())
}

/// Notes the last call of the future that is polled here.
pub(super) fn note_call(site: Site) {
    SLOT.with(|slot| slot.note_call(site));
}

/// Whether tokio would stop the current task at some time. Uses the budget up where there is one, so that the task goes
/// to the end of the queue at its next await: it is about to block, and others have waited.
fn has_budget() -> bool {
    (0..=BUDGET).any(|_| task::coop::consume_budget().now_or_never().is_none())
}

/// Blocking is allowed until this is dropped.
pub(super) struct Allowed(());

impl Allowed {
    pub(super) fn begin() -> Self {
        ALLOWED.set(ALLOWED.get() + 1);
        Self(())
    }
}

impl Drop for Allowed {
    fn drop(&mut self) {
        ALLOWED.set(ALLOWED.get().saturating_sub(1));
    }
}

/// A guarded future is polled until this is dropped.
pub(super) struct Polling {
    slot: Arc<Slot>,
    outer: Option<Current>,
}

impl Polling {
    pub(super) fn begin(route: &Arc<str>) -> Self {
        let slot = SLOT.with(Arc::clone);
        let outer = slot.begin(route);
        Self { slot, outer }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.slot.end(self.outer.take());
    }
}
