//! Callers that wait for a connection, first come, first served.
//!
//! r2d2 wakes whoever happens to be there, and nobody when a connection is closed. In front of it this queue lets in as
//! many callers as there can be connections, so that inside the pool a caller waits only while one is being made.
//!
//! To wake a thread for every statement costs more than the statement. So a thread that is running may go before those
//! that sleep, until the first of them has waited for [`PATIENCE`]; from then on the order is strict.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// How long a caller waits before nobody passes it any more.
const PATIENCE: Duration = Duration::from_millis(3);

/// Why a caller was not let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TimedOut,
    Closed,
}

pub(crate) struct Queue(Mutex<State>);

struct State {
    free: usize,
    closed: bool,
    waiting: VecDeque<Arc<Waiter>>,
}

struct Waiter {
    since: Instant,
    wake: Condvar,
    let_in: AtomicBool,
    /// It was told that there is a permit. If somebody else has taken that, it is not told again: it looks by itself when
    /// its patience ends, and from then on permits are handed to it.
    called: AtomicBool,
}

impl Waiter {
    fn has_patience(&self) -> bool {
        self.since.elapsed() < PATIENCE
    }

    fn call(&self) {
        if !self.called.swap(true, SeqCst) {
            self.wake.notify_one();
        }
    }
}

/// The right to hold one connection. Dropped, it goes to whoever has waited longest.
pub(crate) struct Permit(Arc<Queue>);

impl Queue {
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: permits, closed: false, waiting: VecDeque::new() })))
    }

    /// Waits for a permit until `end`.
    pub(crate) fn enter(self: &Arc<Self>, end: Instant) -> Result<Permit, Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.free > 0 && state.waiting.front().is_none_or(|first| first.has_patience()) {
            state.free -= 1;
            return Ok(Permit(self.clone()));
        }
        let waiter = Arc::new(Waiter {
            since: Instant::now(),
            wake: Condvar::new(),
            let_in: AtomicBool::new(false),
            called: AtomicBool::new(false),
        });
        state.waiting.push_back(waiter.clone());
        loop {
            let until = if waiter.has_patience() { end.min(waiter.since + PATIENCE) } else { end };
            let left = until.saturating_duration_since(Instant::now());
            state = waiter.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if waiter.let_in.load(SeqCst) {
                return Ok(Permit(self.clone()));
            }
            if !state.closed && state.free > 0 && state.waiting.front().is_some_and(|first| Arc::ptr_eq(first, &waiter))
            {
                state.free -= 1;
                state.waiting.pop_front();
                state.call_next();
                return Ok(Permit(self.clone()));
            }
            let refused = match (state.closed, Instant::now() >= end) {
                (true, _) => Refused::Closed,
                (false, true) => Refused::TimedOut,
                (false, false) => continue,
            };
            state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
            state.call_next();
            return Err(refused);
        }
    }

    /// Refuses everyone who waits and everyone who comes.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for waiter in &state.waiting {
            waiter.wake.notify_one();
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
    /// Tells the first who waits if there is a permit.
    fn call_next(&self) {
        if self.free > 0
            && let Some(first) = self.waiting.front()
        {
            first.call();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let first = state.waiting.front().filter(|first| !first.has_patience()).cloned();
        match first {
            Some(waiter) => {
                state.waiting.pop_front();
                waiter.let_in.store(true, SeqCst);
                waiter.wake.notify_one();
            }
            None => {
                state.free += 1;
                state.call_next();
            }
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
        let permit = queue.enter(soon()).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let callers: Vec<_> = (0..8)
            .map(|n| {
                let (behind, order) = (queue.clone(), order.clone());
                let caller = thread::spawn(move || {
                    let permit = behind.enter(soon()).unwrap();
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
        let permit = queue.enter(soon()).unwrap();
        let late = queue.enter(Instant::now() + Duration::from_millis(10));
        assert_eq!(late.err(), Some(Refused::TimedOut));
        assert_eq!(queue.waiting(), 0);
        drop(permit);
        assert!(queue.enter(soon()).is_ok());
    }

    #[test]
    fn closing_wakes_everyone() {
        let queue = Queue::new(1);
        let _permit = queue.enter(soon()).unwrap();
        let caller = thread::spawn({
            let queue = queue.clone();
            move || queue.enter(soon()).err()
        });
        while queue.waiting() == 0 {
            thread::yield_now();
        }
        queue.close();
        assert_eq!(caller.join().unwrap(), Some(Refused::Closed));
        assert_eq!(queue.enter(soon()).err(), Some(Refused::Closed));
    }
}
