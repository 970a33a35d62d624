//! The threads that blocking calls run on.
//!
//! tokio's own would be one more for each call that begins before the thread of one that has just ended is idle again.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot};

use crate::{Error, ErrorKind, Result};

/// How long a thread that has nothing to do is kept.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// What a call panicked with.
pub type Panic = Box<dyn Any + Send>;

/// Up to so many threads, started when they are needed.
pub(super) struct Threads(Arc<Shared>);

struct Shared {
    most: usize,
    state: Mutex<State>,
    /// There is a job, or nobody can come any more.
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Threads {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, state: Mutex::default(), wake: Condvar::new() }))
    }

    /// Runs a call on the first thread that is free, as one of the current runtime's threads for blocking work.
    ///
    /// Dropped, it runs all the same.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Panic>> {
        let (reply, answer) = oneshot::channel();
        self.start(move || drop(reply.send(catch_unwind(AssertUnwindSafe(call)))))?;
        answer.await.map_err(|_| Error::new(ErrorKind::PoolClosed, "the service was closed"))
    }

    /// The same, without waiting for it.
    pub(super) fn start(&self, call: impl FnOnce() + Send + 'static) -> Result<()> {
        let (runtime, span) = (Handle::try_current().ok(), tracing::Span::current());
        let job = move || {
            let _entered = runtime.as_ref().map(Handle::enter);
            span.in_scope(call);
        };
        let mut state = self.0.state();
        state.jobs.push_back(Box::new(job));
        if state.idle >= state.jobs.len() || state.threads == self.0.most {
            drop(state);
            self.0.wake.notify_one();
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let shared = self.0.clone();
        match thread::Builder::new().name("catamaran-blocking".into()).spawn(move || shared.work()) {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut state = self.0.state();
                state.threads -= 1;
                // Others take it from here, if there are any.
                if state.threads > 0 || state.jobs.pop_back().is_none() {
                    return Ok(());
                }
                Err(Error::with_source(ErrorKind::PoolTimeout, "no thread could be started for a blocking call", error))
            }
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // What a job sends back says whether it panicked.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, waited) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.wake.notify_all();
    }
}
