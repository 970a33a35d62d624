//! Polls that take too long, noticed while they do.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use super::report;
use crate::call::Site;

/// A poll that takes longer stalls others.
pub(super) const LONG: Duration = Duration::from_millis(100);
/// How often the watchdog looks, and so how exactly it knows when a poll began.
const LOOK: Duration = Duration::from_millis(20);

/// The slots of all threads that poll guarded futures.
static SLOTS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());
static WATCHDOG: Once = Once::new();

/// What one thread polls, and how often it has begun and ended to: odd while it does.
#[derive(Debug, Default)]
pub(super) struct Slot {
    turns: AtomicU64,
    current: Mutex<Current>,
    /// What the watchdog last saw.
    seen: Mutex<Seen>,
    /// The turn that was last told of.
    told: AtomicU64,
}

/// The guarded future that was polled last.
#[derive(Debug, Default)]
pub(super) struct Current {
    route: Option<Arc<str>>,
    /// The last blocking call in it.
    call: Option<Site>,
}

#[derive(Debug, Default)]
struct Seen {
    turns: u64,
    since: Option<Instant>,
    /// The last poll that took long and is over: when it began and ended.
    stall: Option<(Instant, Instant)>,
}

impl Slot {
    /// A slot that the watchdog looks at.
    pub(super) fn registered() -> Arc<Self> {
        WATCHDOG.call_once(|| {
            if let Err(error) = thread::Builder::new().name("catamaran-watchdog".into()).spawn(watch) {
                tracing::error!(%error, "no thread could be started to watch for blocked runtimes");
            }
        });
        let slot = Arc::<Self>::default();
        let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    /// Begins a poll, within another or not. The clock is left to the watchdog, since there are many polls.
    pub(super) fn begin(&self, route: &Arc<str>) -> Option<Current> {
        let is_polling = self.is_polling();
        let new = Current { route: Some(route.clone()), call: None };
        let old = mem::replace(&mut *self.current(), new);
        if is_polling {
            return Some(old);
        }
        self.turns.fetch_add(1, SeqCst);
        None
    }

    /// Ends a poll, and goes on with the one that it was in.
    pub(super) fn end(&self, outer: Option<Current>) {
        if let Some(outer) = outer {
            *self.current() = outer;
            return;
        }
        let turn = self.turns.fetch_add(1, SeqCst);
        if self.told.load(SeqCst) == turn {
            let mut seen = self.seen();
            let (since, now) = (seen.since, Instant::now());
            seen.stall = since.map(|since| (since, now));
            drop(seen);
            let took = since.map_or(LONG, |since| now.saturating_duration_since(since));
            let (route, call) = self.current().last();
            report::note_stall(route, call, took);
        }
    }

    pub(super) fn route(&self) -> Option<Arc<str>> {
        if self.is_polling() { self.current().route.clone() } else { None }
    }

    pub(super) fn note_call(&self, site: Site) {
        self.current().call = Some(site);
    }

    fn is_polling(&self) -> bool {
        self.turns.load(SeqCst) % 2 == 1
    }

    /// Says that the poll under way takes long, once.
    fn look(&self, now: Instant) {
        let turns = self.turns.load(SeqCst);
        let mut seen = self.seen();
        if turns.is_multiple_of(2) || seen.turns != turns {
            (seen.turns, seen.since) = (turns, Some(now));
            return;
        }
        let Some(took) = seen.since.map(|since| now.saturating_duration_since(since)) else { return };
        drop(seen);
        if took >= LONG && self.told.swap(turns, SeqCst) != turns {
            let (route, call) = self.current().last();
            report::tell_stuck(route.as_deref(), call, took);
        }
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    /// How long of the time since `came` was spent in one poll that took long.
    fn stuck_since(&self, came: Instant, now: Instant) -> Duration {
        let (turns, seen) = (self.turns.load(SeqCst), self.seen());
        let is_stuck = !turns.is_multiple_of(2) && seen.turns == turns;
        let under_way = seen.since.filter(|since| is_stuck && now.saturating_duration_since(*since) >= LONG);
        let of = |(since, until): (Instant, Instant)| until.saturating_duration_since(since.max(came));
        let longest = [under_way.map(|since| (since, now)), seen.stall].into_iter().flatten().map(of).max();
        longest.unwrap_or_default()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn last(&self) -> (Option<Arc<str>>, Option<Site>) {
        (self.route.clone(), self.call)
    }
}

fn watch() {
    loop {
        thread::sleep(LOOK);
        let now = Instant::now();
        slots().iter().for_each(|slot| slot.look(now));
    }
}

/// How long of the time since `came` a thread that polls guarded futures was stuck in one of them.
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) fn stuck_since(came: Instant) -> Duration {
    let now = Instant::now();
    slots().iter().map(|slot| slot.stuck_since(came, now)).max().unwrap_or_default()
}

fn slots() -> Vec<Arc<Slot>> {
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
}
