//! One number of connections for both pools.
//!
//! A permit belongs to a connection: it is taken before connecting, and given back when the connection is closed. Whoever
//! finds none has the other pool close a connection that nobody uses there. If all are in use, it waits, and the next
//! connection that comes back in the other pool is closed for it, unless somebody has waited there for longer. Each side
//! keeps a reserve, which the other can't take.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use crate::holders::Holders;

/// The server counts a connection for some time after it was closed.
const COOLING: Duration = Duration::from_millis(25);
/// A connection goes to the other side when someone there has waited for so much longer than anyone here: to connect
/// takes longer than most statements do.
const MARGIN: Duration = Duration::from_millis(30);

/// The two pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    #[cfg(feature = "blocking")]
    Blocking,
    #[cfg(feature = "async")]
    Nonblocking,
}

impl Side {
    fn index(self) -> usize {
        match self {
            #[cfg(feature = "blocking")]
            Self::Blocking => 0,
            #[cfg(feature = "async")]
            Self::Nonblocking => 1,
        }
    }
}

/// A pool that can close a connection which nobody uses.
pub(crate) trait Evict: Send + Sync {
    /// Closes one, if there is any.
    fn evict_idle(&self);
}

pub(crate) struct Budget {
    total: usize,
    reserve: usize,
    holders: Arc<Holders>,
    state: Mutex<State>,
    /// Whether someone waits on the other side, which can be asked without the lock.
    wanted: [AtomicBool; 2],
}

#[derive(Default)]
struct State {
    sides: [Half; 2],
    /// When the server will have noticed that connections are closed.
    cooling: VecDeque<Instant>,
    tickets: u64,
}

/// What one pool has and wants.
#[derive(Default)]
struct Half {
    held: usize,
    /// Those who wait, by when they came.
    waiting: BTreeMap<(Instant, u64), Box<dyn Fn() + Send>>,
    evict: Option<Weak<dyn Evict>>,
}

impl Budget {
    pub(crate) fn new(total: usize, reserve: usize, holders: Arc<Holders>) -> Arc<Self> {
        Arc::new(Self { total, reserve, holders, state: Mutex::default(), wanted: Default::default() })
    }

    /// Who holds connections of either side.
    pub(crate) fn holders(&self) -> &Arc<Holders> {
        &self.holders
    }

    /// How many connections one side can have.
    pub(crate) fn most(&self) -> usize {
        self.total.saturating_sub(self.reserve)
    }

    /// Sets what closes the idle connections of a side.
    pub(crate) fn set_evict(&self, side: Side, evict: Weak<dyn Evict>) {
        self.state().sides[side.index()].evict = Some(evict);
    }

    /// A permit, if there is one now. If not, the other side is asked to close what it does not use.
    pub(crate) fn take(self: &Arc<Self>, side: Side) -> Option<Permit> {
        let (own, other) = (side.index(), 1 - side.index());
        let mut state = self.state();
        let now = Instant::now();
        if state.free(self.total, now) > self.reserve.saturating_sub(state.sides[other].held) {
            state.sides[own].held += 1;
            return Some(Permit { budget: self.clone(), side });
        }
        let evict = state.sides[other].evict.clone().filter(|_| state.sides[other].held > self.reserve);
        drop(state);
        if let Some(evict) = evict.and_then(|evict| evict.upgrade()) {
            evict.evict_idle();
        }
        None
    }

    /// Waits in the line of a side, since `came`. `wake` is called when it may be worth to try again.
    pub(crate) fn wait(self: &Arc<Self>, side: Side, came: Instant, wake: impl Fn() + Send + 'static) -> Ticket {
        let mut state = self.state();
        state.tickets += 1;
        let place = (came, state.tickets);
        state.sides[side.index()].waiting.insert(place, Box::new(wake));
        self.wanted[1 - side.index()].store(true, SeqCst);
        Ticket { budget: self.clone(), side, place }
    }

    /// Whether someone of this side waits already.
    pub(crate) fn has_line(&self, side: Side) -> bool {
        self.wanted[1 - side.index()].load(SeqCst)
    }

    /// When a permit may be free that is not yet, whoever else gets it.
    pub(crate) fn next_free(&self) -> Option<Instant> {
        self.state().cooling.front().copied()
    }

    /// Whether a connection that nobody uses any more on this side should be closed for the other one.
    pub(crate) fn is_wanted(&self, side: Side) -> bool {
        self.wanted[side.index()].load(SeqCst) && self.state().goes_over(side.index(), self.reserve)
    }

    /// A connection is idle again on this side: it goes to who waits there for longest.
    pub(crate) fn came_back(&self, side: Side) {
        if let Some((_, wake)) = self.state().sides[side.index()].waiting.first_key_value() {
            wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn free(&mut self, total: usize, now: Instant) -> usize {
        while self.cooling.front().is_some_and(|end| *end <= now) {
            self.cooling.pop_front();
        }
        total.saturating_sub(self.sides.iter().map(|half| half.held).sum::<usize>() + self.cooling.len())
    }

    fn goes_over(&self, own: usize, reserve: usize) -> bool {
        let since = |half: &Half| half.waiting.first_key_value().map(|((came, _), _)| *came);
        let (own, other) = (&self.sides[own], &self.sides[1 - own]);
        let Some(theirs) = since(other) else { return false };
        own.held > reserve && since(own).is_none_or(|ours| theirs + MARGIN < ours)
    }

    /// Wakes those for whom there may be a permit: the ones who have waited longest.
    fn wake(&self) {
        let mut fronts: Vec<_> = self.sides.iter().filter_map(|half| half.waiting.first_key_value()).collect();
        fronts.sort_by_key(|(place, _)| Reverse(**place));
        fronts.into_iter().rev().for_each(|(_, wake)| wake());
    }
}

/// The right to one connection, until that is closed.
pub(crate) struct Permit {
    budget: Arc<Budget>,
    side: Side,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.sides[self.side.index()].held -= 1;
        state.cooling.push_back(Instant::now() + COOLING);
        state.wake();
    }
}

/// A place in the line of a side, until it is dropped.
pub(crate) struct Ticket {
    budget: Arc<Budget>,
    side: Side,
    place: (Instant, u64),
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        let waiting = &mut state.sides[self.side.index()].waiting;
        waiting.remove(&self.place);
        if waiting.is_empty() {
            self.budget.wanted[1 - self.side.index()].store(false, SeqCst);
        }
        // Whoever is first now may find what was left over.
        state.wake();
    }
}
