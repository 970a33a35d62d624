//! The connections of one pool, or of those that share a budget, and who holds them.
#![cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "a bridge without a service looks for no leaks")
)]

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
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
    entries: Mutex<Vec<Weak<Entry>>>,
    shared: Mutex<Option<Weak<dyn Shared>>>,
    /// The most connections of all services together.
    total: usize,
    /// How long a connection may be held before that is reported; zero is for ever.
    pub(super) leak_after: Duration,
    refuses_nested: bool,
}

/// A connection in the list. Taking and giving back the connection locks nothing that others use.
pub(crate) struct Entry {
    service: &'static str,
    work: Weak<dyn Work>,
    held: Mutex<Option<Held>>,
}

struct Held {
    call: Call,
    origin: Origin,
    since: Instant,
    is_told: bool,
}

/// What a connection knows of its entry, which it has once anybody holds it.
#[derive(Default)]
pub(crate) struct Listed(OnceLock<Arc<Entry>>);

impl Listed {
    /// Notes that the connection is held from now on.
    pub(crate) fn hold<W: Work + 'static>(
        &self,
        holders: &Holders,
        service: &'static str,
        connection: &Arc<W>,
        call: Call,
        origin: Origin,
    ) -> Hold {
        let work = || Arc::downgrade(connection) as Weak<dyn Work>;
        self.0.get_or_init(|| holders.enlist(service, work())).hold(call, origin)
    }
}

/// A connection is held until this is dropped.
pub(crate) struct Hold(Arc<Entry>);

impl Holders {
    pub(crate) fn new(total: usize, leak_after: Duration, refuses_nested: bool) -> Arc<Self> {
        Arc::new(Self { entries: Mutex::default(), shared: Mutex::default(), total, leak_after, refuses_nested })
    }

    /// Adds what tells of connections that are shared.
    #[cfg(feature = "async")]
    pub(crate) fn set_shared(&self, shared: Weak<dyn Shared>) {
        *locked(&self.shared) = Some(shared);
    }

    /// An entry for a new connection of a service, as long as it is kept.
    pub(crate) fn enlist(&self, service: &'static str, work: Weak<dyn Work>) -> Arc<Entry> {
        let entry = Arc::new(Entry { service, work, held: Mutex::default() });
        let mut entries = locked(&self.entries);
        entries.retain(|entry| entry.strong_count() > 0);
        entries.push(Arc::downgrade(&entry));
        entry
    }

    /// Fails if the caller has to wait for itself: it keeps a connection and does nothing with it meanwhile, and all the
    /// others that there may be, `most` of this service, are kept as well.
    ///
    /// Connections taken for one statement are not counted: they come back by themselves. Nobody is refused where that
    /// was not asked for.
    pub(crate) fn check(&self, service: &'static str, most: usize, call: Call, origin: &Origin) -> Result<()> {
        if !self.refuses_nested {
            return Ok(());
        }
        let (mut kept, mut of_service, mut own) = (0, 0, None);
        for entry in self.entries() {
            let held = locked(&entry.held);
            let Some(held) = held.as_ref().filter(|held| held.call.keeps()) else { continue };
            kept += 1;
            of_service += usize::from(entry.service == service);
            if own.is_none() && held.origin.is_flow_of(origin) && !entry.is_running() {
                own = Some(entry.clone());
            }
        }
        match own {
            Some(own) if of_service >= most || kept >= self.total => {
                let mut holders = self.known();
                holders.sort_by_key(|(entry, _)| !Arc::ptr_eq(entry, &own));
                let holders = holders.into_iter().map(|(_, holder)| holder).collect();
                Err(Error::nested_checkout(service, call, Shortage { cause: Cause::Nested, holders }))
            }
            _ => Ok(()),
        }
    }

    /// Who holds connections, for the longest time first.
    pub(crate) fn list(&self) -> Vec<Holder> {
        let mut holders: Vec<_> = self.known().into_iter().map(|(_, holder)| holder).collect();
        let shared = locked(&self.shared).as_ref().and_then(Weak::upgrade);
        holders.extend(shared.map(|shared| shared.holders()).unwrap_or_default());
        holders.sort_by_key(|holder| Reverse(holder.held));
        holders
    }

    /// Those that have held a connection for too long, each told once.
    pub(super) fn leaks(&self) -> Vec<Holder> {
        let now = Instant::now();
        let told = |entry: Arc<Entry>| {
            let mut held = locked(&entry.held);
            let late = |held: &&mut Held| !held.is_told && now.saturating_duration_since(held.since) >= self.leak_after;
            let held = held.as_mut().filter(late)?;
            held.is_told = true;
            Some(entry.holder(held, now))
        };
        self.entries().into_iter().filter_map(told).collect()
    }

    /// Those that are held, for the longest time first.
    fn known(&self) -> Vec<(Arc<Entry>, Holder)> {
        let now = Instant::now();
        let holder = |entry: Arc<Entry>| {
            let holder = locked(&entry.held).as_ref().map(|held| entry.holder(held, now))?;
            Some((entry, holder))
        };
        let mut holders: Vec<_> = self.entries().into_iter().filter_map(holder).collect();
        holders.sort_by_key(|(_, holder)| Reverse(holder.held));
        holders
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        locked(&self.entries).iter().filter_map(Weak::upgrade).collect()
    }
}

impl Entry {
    /// Notes that the connection is held from now on.
    pub(crate) fn hold(self: &Arc<Self>, call: Call, origin: Origin) -> Hold {
        *locked(&self.held) = Some(Held { call, origin, since: Instant::now(), is_told: false });
        Hold(self.clone())
    }

    fn is_running(&self) -> bool {
        self.work.upgrade().is_some_and(|work| work.is_running())
    }

    fn holder(&self, held: &Held, now: Instant) -> Holder {
        Holder {
            service: self.service,
            route: held.origin.route().cloned(),
            operation: held.call.operation,
            site: held.call.site(),
            statement: self.work.upgrade().and_then(|work| work.statement()),
            held: now.saturating_duration_since(held.since),
            sharers: 1,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held = locked(&self.0.held).take();
        // Without the lock: to drop a task's waker may free the task.
        drop(held);
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
