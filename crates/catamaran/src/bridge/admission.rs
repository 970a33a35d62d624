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

use crate::{Error, ErrorKind, Result};

/// As many permits as the pool has connections. Whoever waits here does so without a thread.
#[derive(Debug)]
pub(super) struct Admission {
    permits: Arc<Semaphore>,
    size: usize,
    wait: Duration,
    waiting: AtomicUsize,
}

/// The right to one blocking thread, until it is dropped.
pub(super) type Permit = OwnedSemaphorePermit;

impl Admission {
    /// How long a caller waits unless told otherwise.
    pub(super) const WAIT: Duration = Duration::from_secs(5);

    pub(super) fn new(size: usize, wait: Duration) -> Self {
        // A pool of size 0 has its own error to report, which nobody would hear behind a closed door.
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(size)), size, wait, waiting: AtomicUsize::new(0) }
    }

    /// Waits for a permit, first come, first served. Dropped, it leaves the queue.
    pub(super) async fn enter(&self) -> Result<Permit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _waits = Waits::begin(&self.waiting);
        match timeout(self.wait, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::new(ErrorKind::PoolClosed, "the service was closed")),
            Err(_) => Err(Error::new(
                ErrorKind::PoolTimeout,
                format!("no blocking call ended within {:?}: all {} that may run are running", self.wait, self.size),
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
