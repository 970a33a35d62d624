//! Who may take a blocking thread.

use std::{sync::Arc, time::Duration};

use catamaran::{Error, ErrorKind, Result};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// As many permits as the pool has connections. Whoever waits here does so without a thread.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    permits: Arc<Semaphore>,
    size: usize,
    wait: Duration,
}

/// The right to one blocking thread, until it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

impl Admission {
    /// How long a caller waits unless told otherwise.
    pub(crate) const WAIT: Duration = Duration::from_secs(5);

    pub(crate) fn new(size: usize) -> Self {
        // A pool of size 0 has its own error to report, which nobody would hear behind a closed door.
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(size)), size, wait: Self::WAIT }
    }

    pub(crate) fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Waits for a permit, first come, first served. Dropped, it leaves the queue.
    pub(crate) async fn enter(&self) -> Result<Permit> {
        match timeout(self.wait, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::new(ErrorKind::PoolClosed, "the service was closed")),
            Err(_) => Err(Error::new(
                ErrorKind::PoolTimeout,
                format!("no blocking call ended within {:?}: all {} that may run are running", self.wait, self.size),
            )),
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits()
    }
}
