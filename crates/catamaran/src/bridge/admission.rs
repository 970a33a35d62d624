//! Who may take a blocking thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    Cause, Error, ErrorKind, Holder, Result, Shortage,
    call::Call,
    holders::{Hold, Holders, Origin, Work},
};

/// What holders of permits are reported as.
const SERVICE: &str = "offloaded";

/// As many permits as the pool has connections. Whoever waits here does so without a thread.
pub(super) struct Admission {
    permits: Arc<Semaphore>,
    size: usize,
    wait: Duration,
    waiting: AtomicUsize,
    holders: Arc<Holders>,
}

/// The right to one blocking thread, until it is dropped.
pub(super) type Permit = OwnedSemaphorePermit;

/// Who asks for a permit.
pub(super) struct Applicant {
    pub(super) call: Call,
    pub(super) origin: Origin,
    /// What the permit is kept for, if that is more than one call.
    pub(super) keeps: Option<Arc<dyn Work>>,
}

impl Admission {
    /// How long a caller waits unless told otherwise.
    pub(super) const WAIT: Duration = Duration::from_secs(5);

    pub(super) fn new(size: usize, wait: Duration) -> Self {
        // A pool of size 0 has its own error to report, which nobody would hear behind a closed door.
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        let (permits, holders) = (Arc::new(Semaphore::new(size)), Holders::new(size, Duration::ZERO, true));
        Self { permits, size, wait, waiting: AtomicUsize::new(0), holders }
    }

    /// Waits for a permit, first come, first served. Dropped, it leaves the queue.
    ///
    /// With what notes that it is kept, for the caller: it may be given up before the thread is free. `holders` tells who
    /// has the connections, for an error.
    pub(super) async fn enter(
        &self,
        applicant: Applicant,
        holders: impl FnOnce() -> Vec<Holder> + Send,
    ) -> Result<(Permit, Option<Hold>)> {
        let Applicant { call, origin, keeps } = applicant;
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.holders.check(SERVICE, self.size, call, &origin)?;
                self.wait(holders).await?
            }
        };
        let hold = keeps.map(|work| self.holders.enlist(SERVICE, Arc::downgrade(&work)).hold(call, origin));
        Ok((permit, hold))
    }

    async fn wait(&self, holders: impl FnOnce() -> Vec<Holder> + Send) -> Result<Permit> {
        let _waits = Waits::begin(&self.waiting);
        match timeout(self.wait, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::new(ErrorKind::PoolClosed, "the service was closed")),
            Err(_) => Err(Error::admission_timeout(
                self.wait,
                self.size,
                Shortage { cause: Cause::Saturated, holders: holders() },
            )),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Refuses everyone who waits and everyone who comes.
    pub(super) fn close(&self) {
        self.permits.close();
    }
}

/// One who waits, until this is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, SeqCst);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
