//! What has to be looked at from time to time, by tasks of the runtime on which the service is used.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use deadpool::managed::WeakPool;
use tokio::time::sleep;

use super::{manager::Manager, sharing::Sharing};
use crate::{aging::Limits, holders::Holders};

/// The longest and the shortest time between two looks for idle connections to close.
const SELDOM: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_millis(50);
/// How long after the server's limit a statement must have ended, or its connection is closed.
const STUCK: Duration = Duration::from_secs(5);

/// Whether the tasks run.
#[derive(Debug, Default)]
pub(crate) struct Upkeep(Arc<AtomicBool>);

/// What they look at, as long as it is there.
pub(crate) struct Kept {
    pub(crate) pool: WeakPool<Manager>,
    pub(crate) sharing: Weak<Sharing>,
    pub(crate) holders: Weak<Holders>,
    pub(crate) limits: Limits,
    pub(crate) statement_timeout: Duration,
}

impl Upkeep {
    /// Starts the tasks, unless they run.
    pub(crate) fn start(&self, kept: impl FnOnce() -> Kept) {
        if self.0.load(Relaxed) || self.0.swap(true, Relaxed) {
            return;
        }
        let (kept, ended) = (kept(), Ended(self.0.clone()));
        tokio::spawn(tell_leaks(kept.holders.clone()));
        tokio::spawn(async move {
            let _ended = ended;
            kept.close_idle().await;
        });
    }
}

impl Kept {
    /// Closes connections that nobody used for long, which deadpool does not do by itself.
    async fn close_idle(&self) {
        let (limits, limit) = (self.limits, self.statement_timeout);
        let period = (limits.idle_timeout.min(limits.max_lifetime) / 4).clamp(OFTEN, SELDOM);
        loop {
            sleep(period).await;
            let (Some(pool), Some(sharing)) = (self.pool.upgrade(), self.sharing.upgrade()) else { return };
            sharing.give_back_idle();
            if !limit.is_zero() {
                sharing.cut(limit + STUCK);
            }
            let now = Instant::now();
            pool.retain(|pooled, _| !pooled.connection.is_closed() && !pooled.aging.is_too_old(now, &limits));
        }
    }
}

/// Tells of connections that are held for too long.
async fn tell_leaks(holders: Weak<Holders>) {
    while let Some(period) = holders.upgrade().and_then(|holders| holders.tell_leaks()) {
        sleep(period).await;
    }
}

/// Lets the next caller start the tasks, when these ended with their runtime.
struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}
