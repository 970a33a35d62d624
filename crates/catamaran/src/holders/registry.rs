//! The connections that are held, of one pool or of those that share a budget.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::{Cause, Holder, Origin, Shortage};
use crate::{Error, Result, call::Call};

/// What a connection does for who holds it.
pub(crate) trait Work: Send + Sync {
    /// The statement that was run last since the connection was taken, without the values in its text.
    fn statement(&self) -> Option<String>;

    /// Whether a statement is under way.
    fn is_running(&self) -> bool;
}

/// Connections that nobody holds, and that several use at once.
pub(crate) trait Shared: Send + Sync {
    fn holders(&self) -> Vec<Holder>;
}

pub(crate) struct Holders {
    state: Mutex<State>,
    /// The most connections of all services together.
    total: usize,
    /// How long a connection may be held before that is reported; zero is for ever.
    pub(super) leak_after: Duration,
}

#[derive(Default)]
struct State {
    keys: u64,
    entries: Vec<Entry>,
    shared: Option<Weak<dyn Shared>>,
}

struct Entry {
    key: u64,
    service: &'static str,
    call: Call,
    origin: Origin,
    since: Instant,
    work: Arc<dyn Work>,
    is_told: bool,
}

/// A connection is held until this is dropped.
pub(crate) struct Hold {
    holders: Arc<Holders>,
    key: u64,
}

impl Holders {
    pub(crate) fn new(total: usize, leak_after: Duration) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), total, leak_after })
    }

    /// Adds what tells of connections that are shared.
    #[cfg(feature = "async")]
    pub(crate) fn set_shared(&self, shared: Weak<dyn Shared>) {
        self.state().shared = Some(shared);
    }

    /// Notes that a connection is held from now on.
    pub(crate) fn hold(
        self: &Arc<Self>,
        service: &'static str,
        call: Call,
        origin: Origin,
        work: Arc<dyn Work>,
    ) -> Hold {
        let mut state = self.state();
        state.keys += 1;
        let key = state.keys;
        state.entries.push(Entry { key, service, call, origin, since: Instant::now(), work, is_told: false });
        drop(state);
        Hold { holders: self.clone(), key }
    }

    /// Fails if the caller has to wait for itself: it keeps a connection and does nothing with it meanwhile, and all the
    /// others that there may be, `most` of this service, are kept as well.
    ///
    /// Connections taken for one statement are not counted. They come back by themselves.
    pub(crate) fn check(&self, service: &'static str, most: usize, call: Call, origin: &Origin) -> Result<()> {
        let state = self.state();
        let kept = || state.entries.iter().filter(|entry| entry.call.keeps());
        let of_service = kept().filter(|entry| entry.service == service).count();
        if of_service < most && kept().count() < self.total {
            return Ok(());
        }
        let is_own = |entry: &&Entry| entry.origin.is_flow_of(origin) && !entry.work.is_running();
        let Some(own) = kept().find(is_own).map(|entry| entry.key) else { return Ok(()) };
        let mut holders = state.holders();
        // The sort is stable.
        holders.sort_by_key(|(key, _)| *key != own);
        drop(state);
        let holders = holders.into_iter().map(|(_, holder)| holder).collect();
        Err(Error::nested_checkout(service, call, Shortage { cause: Cause::Nested, holders }))
    }

    /// Who holds connections, for the longest time first.
    pub(crate) fn list(&self) -> Vec<Holder> {
        let state = self.state();
        let mut holders: Vec<_> = state.holders().into_iter().map(|(_, holder)| holder).collect();
        let shared = state.shared.as_ref().and_then(Weak::upgrade);
        drop(state);
        holders.extend(shared.map(|shared| shared.holders()).unwrap_or_default());
        holders.sort_by_key(|holder| Reverse(holder.held));
        holders
    }

    /// Those that have held a connection for too long, each told once.
    pub(super) fn leaks(&self) -> Vec<Holder> {
        let now = Instant::now();
        let mut state = self.state();
        let late = |entry: &&mut Entry| !entry.is_told && now.saturating_duration_since(entry.since) >= self.leak_after;
        let tell = |entry: &mut Entry| {
            entry.is_told = true;
            entry.holder(now)
        };
        state.entries.iter_mut().filter(late).map(tell).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Those of the entries, by their keys, for the longest time first.
    fn holders(&self) -> Vec<(u64, Holder)> {
        let now = Instant::now();
        let mut holders: Vec<_> = self.entries.iter().map(|entry| (entry.key, entry.holder(now))).collect();
        holders.sort_by_key(|(key, _)| *key);
        holders
    }
}

impl Entry {
    fn holder(&self, now: Instant) -> Holder {
        Holder {
            service: self.service,
            route: self.origin.route().cloned(),
            operation: self.call.operation,
            site: self.call.site(),
            statement: self.work.statement(),
            held: now.saturating_duration_since(self.since),
            sharers: 1,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.holders.state();
        if let Some(at) = state.entries.iter().position(|entry| entry.key == self.key) {
            // Kept until the lock is let go, since it may be the last to have the connection.
            let gone = state.entries.swap_remove(at);
            drop(state);
            drop(gone);
        }
    }
}
