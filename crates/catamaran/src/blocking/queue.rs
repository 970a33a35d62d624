//! Callers that wait for a connection, first come, first served.
//!
//! r2d2 wakes whoever happens to be there, and nobody when a connection is closed. In front of it this queue lets in as
//! many callers as there can be connections, so that inside the pool a caller waits only while one is being made.
//!
//! To wake a thread for every statement costs more than the statement. So a permit that comes back is left for threads
//! that are running until the first of those that sleep has waited for [`PATIENCE`]; then it is handed to that one. One
//! of the sleepers, the *watcher*, sleeps in short pieces and looks whether a permit was left that nobody has taken;
//! where there is none, nothing is left.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// How long a caller waits before nobody passes it any more.
const PATIENCE: Duration = Duration::from_millis(4);
/// How long a permit may be left unused while somebody waits.
const WATCH: Duration = Duration::from_micros(500);

/// Why a caller was not let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TimedOut,
    Closed,
}

pub(crate) struct Queue {
    /// The permits that are free, as multiples of [`ONE`], and [`BUSY`], which is set with the lock held and sends
    /// everyone to the lock.
    permits: AtomicUsize,
    line: Mutex<Line>,
}

const ONE: usize = 2;
/// Somebody waits, or the queue is closed.
const BUSY: usize = 1;

/// Those who wait.
struct Line {
    closed: bool,
    waiting: VecDeque<Arc<Waiter>>,
    watched: bool,
}

struct Waiter {
    since: Instant,
    told: Mutex<Option<Told>>,
    wake: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Here is a permit.
    LetIn,
    Closed,
}

/// The right to hold one connection.
pub(crate) struct Permit(Arc<Queue>);

impl Queue {
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        let line = Line { closed: false, waiting: VecDeque::new(), watched: false };
        Arc::new(Self { permits: AtomicUsize::new(permits * ONE), line: Mutex::new(line) })
    }

    /// A permit that is free while nobody waits.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        let take = |permits| (permits >= ONE && permits & BUSY == 0).then(|| permits - ONE);
        self.permits.fetch_update(SeqCst, SeqCst, take).is_ok().then(|| Permit(self.clone()))
    }

    /// Waits for a permit from `now` until `end`.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant, end: Instant) -> Result<Permit, Refused> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        match self.stand_in_line(now, end)? {
            Told::LetIn => Ok(Permit(self.clone())),
            Told::Closed => Err(Refused::Closed),
        }
    }

    fn stand_in_line(&self, now: Instant, end: Instant) -> Result<Told, Refused> {
        let mut line = self.line();
        if line.closed {
            return Ok(Told::Closed);
        }
        self.permits.fetch_or(BUSY, SeqCst);
        if !line.first_is_impatient(now) && self.take() {
            self.settle(&line);
            return Ok(Told::LetIn);
        }
        let waiter = Arc::new(Waiter { since: now, told: Mutex::new(None), wake: Condvar::new() });
        line.waiting.push_back(waiter.clone());
        let watches = !line.watched;
        line.watched = true;
        let first = self.let_in(&mut line);
        drop(line);
        wake(first);
        let told = if watches { self.watch(&waiter, end) } else { waiter.wait(end) };
        // Too late, unless it was let in a moment ago.
        let told = told.or_else(|| self.leave(&waiter));
        if watches {
            self.line().watched = false;
            self.let_all_in();
        }
        told.ok_or(Refused::TimedOut)
    }

    /// Waits as the watcher.
    fn watch(&self, waiter: &Waiter, end: Instant) -> Option<Told> {
        loop {
            let told = waiter.wait(end.min(Instant::now() + WATCH));
            if told.is_some() || Instant::now() >= end {
                return told;
            }
            self.let_all_in();
        }
    }

    /// Refuses everyone who waits and everyone who comes.
    pub(crate) fn close(&self) {
        let mut line = self.line();
        line.closed = true;
        self.permits.fetch_or(BUSY, SeqCst);
        for waiter in line.waiting.drain(..) {
            *waiter.told() = Some(Told::Closed);
            waiter.wake.notify_one();
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }

    /// Takes a permit if there is one, with the lock held.
    fn take(&self) -> bool {
        self.permits.fetch_update(SeqCst, SeqCst, |permits| permits.checked_sub(ONE)).is_ok()
    }

    /// Hands a permit that is free to whoever has waited longest, and must be woken without the lock: a thread that is
    /// woken often runs at once, instead of the one that woke it.
    fn let_in(&self, line: &mut Line) -> Option<Arc<Waiter>> {
        if line.waiting.is_empty() || !self.take() {
            return None;
        }
        let first = line.waiting.pop_front()?;
        *first.told() = Some(Told::LetIn);
        self.settle(line);
        Some(first)
    }

    /// Hands what is free to those who have waited longest.
    fn let_all_in(&self) {
        loop {
            let first = self.let_in(&mut self.line());
            if first.is_none() {
                return;
            }
            wake(first);
        }
    }

    /// Takes who waits no longer out of the line.
    fn leave(&self, waiter: &Arc<Waiter>) -> Option<Told> {
        let mut line = self.line();
        line.waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        self.settle(&line);
        waiter.told().take()
    }

    /// Sends nobody to the lock any more if nobody waits.
    fn settle(&self, line: &Line) {
        if line.waiting.is_empty() && !line.closed {
            self.permits.fetch_and(!BUSY, SeqCst);
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn first_is_impatient(&self, now: Instant) -> bool {
        self.waiting.front().is_some_and(|first| now.saturating_duration_since(first.since) >= PATIENCE)
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

    fn told(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let queue = &self.0;
        let give = |permits| (permits & BUSY == 0).then(|| permits + ONE);
        if queue.permits.fetch_update(SeqCst, SeqCst, give).is_ok() {
            return;
        }
        let mut line = queue.line();
        queue.permits.fetch_add(ONE, SeqCst);
        let strict = !line.watched || line.first_is_impatient(Instant::now());
        let first = if strict { queue.let_in(&mut line) } else { None };
        drop(line);
        wake(first);
    }
}

fn wake(waiter: Option<Arc<Waiter>>) {
    if let Some(waiter) = waiter {
        waiter.wake.notify_one();
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

    /// A permit, and a caller that waits for it from now on.
    fn one_waits() -> (Arc<Queue>, Permit, thread::JoinHandle<()>) {
        let queue = Queue::new(1);
        let permit = queue.enter(Instant::now(), soon()).unwrap();
        let behind = queue.clone();
        let caller = thread::spawn(move || drop(behind.enter(Instant::now(), soon()).unwrap()));
        while queue.waiting() == 0 {
            thread::yield_now();
        }
        (queue, permit, caller)
    }

    #[test]
    fn nobody_is_passed_for_long() {
        let (queue, permit, caller) = one_waits();
        thread::sleep(PATIENCE);
        drop(permit);
        assert_eq!(queue.waiting(), 0, "it was let in before anyone else could come");
        caller.join().unwrap();
    }

    #[test]
    fn whoever_is_running_may_pass() {
        let end = soon();
        loop {
            let (queue, permit, caller) = one_waits();
            drop(permit);
            let passed = queue.enter(Instant::now(), Instant::now());
            let waiting = queue.waiting();
            let done = passed.is_ok() && waiting == 1;
            drop(passed);
            caller.join().unwrap();
            if done {
                break;
            }
            assert!(Instant::now() < end, "nobody ever passes");
        }
    }

    #[test]
    fn no_permit_is_lost_or_made() {
        const PERMITS: usize = 3;
        let queue = Queue::new(PERMITS);
        let held = AtomicUsize::new(0);
        let (let_in, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for caller in 0..16 {
                let (queue, held, let_in, refused) = (&queue, &held, &let_in, &refused);
                scope.spawn(move || {
                    for call in 0..400 {
                        // From none at all to more than anyone has to wait here.
                        let patience = Duration::from_micros(if (caller + call) % 3 == 0 { call } else { 30_000_000 });
                        let now = Instant::now();
                        match queue.enter(now, now + patience) {
                            Ok(_permit) => {
                                assert!(held.fetch_add(1, SeqCst) < PERMITS);
                                if call % 5 == 0 {
                                    thread::sleep(Duration::from_micros(20));
                                }
                                held.fetch_sub(1, SeqCst);
                                let_in.fetch_add(1, SeqCst);
                            }
                            Err(error) => {
                                assert_eq!(error, Refused::TimedOut);
                                refused.fetch_add(1, SeqCst);
                            }
                        }
                    }
                });
            }
        });
        assert!(refused.into_inner() > 0 && let_in.into_inner() > 0, "both have to be seen");
        assert_eq!(queue.waiting(), 0);
        let at_once = |_| queue.enter(Instant::now(), Instant::now());
        let all: Vec<_> = (0..PERMITS).map(at_once).collect::<Result<_, _>>().unwrap();
        assert_eq!(at_once(0).err(), Some(Refused::TimedOut));
        drop(all);
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
