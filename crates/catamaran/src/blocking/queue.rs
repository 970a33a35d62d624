//! Callers that wait for a connection, first come, first served.
//!
//! r2d2 wakes whoever happens to be there, and nobody when a connection is closed. In front of it this queue lets in as
//! many callers as there can be connections, so that inside the pool a caller waits only while one is being made.
//!
//! To wake a thread for every statement costs more than the statement. So a permit that comes back within its *turn* is
//! left for threads that are running, in the order in which they come, and only when the turn is over it is handed to
//! the first of those that sleep. One of these, the *watcher*, sleeps in short pieces and looks whether a permit that
//! was left was taken by nobody; without one, nothing is left.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// For how long a permit stays with running threads while others sleep.
const TURN: Duration = Duration::from_micros(500);
/// How often the watcher looks.
const WATCH: Duration = Duration::from_micros(250);

/// Why a caller was not let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TimedOut,
    Closed,
}

pub(crate) struct Queue(Mutex<State>);

struct State {
    /// The permits that nobody holds, each as the end of its turn.
    free: Vec<Instant>,
    closed: bool,
    waiting: VecDeque<Arc<Waiter>>,
    watched: bool,
}

#[derive(Default)]
struct Waiter {
    told: Mutex<Option<Told>>,
    wake: Condvar,
}

enum Told {
    /// Here is a permit, with the end of its turn.
    LetIn(Instant),
    Closed,
}

/// The right to hold one connection.
pub(crate) struct Permit {
    queue: Arc<Queue>,
    turn: Instant,
}

impl Queue {
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        let (free, waiting) = (vec![Instant::now(); permits], VecDeque::new());
        Arc::new(Self(Mutex::new(State { free, closed: false, waiting, watched: false })))
    }

    /// Waits for a permit from `now` until `end`.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant, end: Instant) -> Result<Permit, Refused> {
        let permit = |turn| Permit { queue: self.clone(), turn };
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if let Some(turn) = state.take(now) {
            return Ok(permit(turn));
        }
        let waiter = Arc::new(Waiter::default());
        state.waiting.push_back(waiter.clone());
        let watches = !state.watched;
        state.watched = true;
        drop(state);
        let result = if watches { self.watch(&waiter, end) } else { waiter.wait(end) };
        let result = match result {
            Some(told) => Some(told),
            // Too late, unless it was let in a moment ago.
            None => self.state().leave(&waiter),
        };
        if watches {
            self.state().unwatch();
        }
        match result {
            Some(Told::LetIn(turn)) => Ok(permit(turn)),
            Some(Told::Closed) => Err(Refused::Closed),
            None => Err(Refused::TimedOut),
        }
    }

    /// Waits as the watcher.
    fn watch(&self, waiter: &Waiter, end: Instant) -> Option<Told> {
        loop {
            let now = Instant::now();
            if let Some(told) = waiter.wait(end.min(now + WATCH)) {
                return Some(told);
            }
            let now = Instant::now();
            if now >= end {
                return None;
            }
            self.state().hand_over(now);
        }
    }

    /// Refuses everyone who waits and everyone who comes.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for waiter in state.waiting.drain(..) {
            waiter.tell(Told::Closed);
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A permit for whoever comes now: any if nobody waits, or else one whose turn goes on.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        if self.waiting.is_empty() {
            return self.free.pop().map(|_| now + TURN);
        }
        self.hand_over(now);
        self.free.pop()
    }

    /// Hands permits whose turn is over to those who have waited longest.
    fn hand_over(&mut self, now: Instant) {
        let mut at = 0;
        while let Some(turn) = self.free.get(at) {
            if *turn > now {
                at += 1;
            } else if let Some(first) = self.waiting.pop_front() {
                self.free.swap_remove(at);
                first.tell(Told::LetIn(now + TURN));
            } else {
                return;
            }
        }
    }

    /// The watcher is gone: nothing that is free is left any more.
    fn unwatch(&mut self) {
        self.watched = false;
        let now = Instant::now();
        while !self.free.is_empty()
            && let Some(first) = self.waiting.pop_front()
        {
            self.free.pop();
            first.tell(Told::LetIn(now + TURN));
        }
    }

    /// Takes who waits no longer out of the queue.
    fn leave(&mut self, waiter: &Arc<Waiter>) -> Option<Told> {
        self.waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        waiter.told().take()
    }
}

impl Waiter {
    /// What it is told until `end`.
    fn wait(&self, end: Instant) -> Option<Told> {
        let mut told = self.told();
        while told.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            told = self.wake.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        told.take()
    }

    fn tell(&self, what: Told) {
        *self.told() = Some(what);
        self.wake.notify_one();
    }

    fn told(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        if state.waiting.is_empty() {
            return state.free.push(self.turn);
        }
        let now = Instant::now();
        if state.watched && now < self.turn {
            return state.free.push(self.turn);
        }
        if let Some(first) = state.waiting.pop_front() {
            first.tell(Told::LetIn(now + TURN));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn first_come_first_served() {
        let queue = Queue::new(1);
        let permit = queue.enter(Instant::now(), soon()).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let callers: Vec<_> = (0..8)
            .map(|n| {
                let (behind, order) = (queue.clone(), order.clone());
                let caller = thread::spawn(move || {
                    let permit = behind.enter(Instant::now(), soon()).unwrap();
                    order.lock().unwrap().push(n);
                    drop(permit);
                });
                while queue.waiting() <= n {
                    thread::yield_now();
                }
                caller
            })
            .collect();
        drop(permit);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn whoever_leaves_takes_no_permit_along() {
        let queue = Queue::new(1);
        let permit = queue.enter(Instant::now(), soon()).unwrap();
        let late = queue.enter(Instant::now(), Instant::now() + Duration::from_millis(10));
        assert_eq!(late.err(), Some(Refused::TimedOut));
        assert_eq!(queue.waiting(), 0);
        drop(permit);
        assert!(queue.enter(Instant::now(), soon()).is_ok());
    }

    #[test]
    fn closing_wakes_everyone() {
        let queue = Queue::new(1);
        let _permit = queue.enter(Instant::now(), soon()).unwrap();
        let caller = thread::spawn({
            let queue = queue.clone();
            move || queue.enter(Instant::now(), soon()).err()
        });
        while queue.waiting() == 0 {
            thread::yield_now();
        }
        queue.close();
        assert_eq!(caller.join().unwrap(), Some(Refused::Closed));
        assert_eq!(queue.enter(Instant::now(), soon()).err(), Some(Refused::Closed));
    }
}
