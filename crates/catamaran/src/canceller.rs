//! Cancelling a statement from another thread.

use std::{fmt, sync::Arc};

use crate::Result;

/// Cancels whatever runs on a [`Session`](crate::Session), from any thread.
///
/// Its connection is closed when the session ends: nothing tells when the cancellation has arrived, and it must not hit
/// someone else's statement.
#[derive(Clone)]
pub struct Canceller {
    give_up: Arc<dyn Fn() + Send + Sync>,
    cancel: Arc<dyn Fn() -> Result<()> + Send + Sync>,
}

impl Canceller {
    /// One that calls closures, for implementations of [`Session`](crate::Session): the first has the connection closed
    /// when the session ends, and returns at once; the second asks the server to cancel.
    pub fn new(
        give_up: impl Fn() + Send + Sync + 'static,
        cancel: impl Fn() -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { give_up: Arc::new(give_up), cancel: Arc::new(cancel) }
    }

    /// One that does nothing, for a session on which nothing runs that could be cancelled.
    pub fn none() -> Self {
        Self::new(|| {}, || Ok(()))
    }

    /// Has the session's connection closed when the session ends, so that a cancellation that is still to come hits
    /// nobody else. Returns at once.
    pub fn give_up(&self) {
        (self.give_up)();
    }

    /// Asks the server to cancel the statement, which fails with SQLSTATE 57014 if it still runs.
    ///
    /// # Errors
    ///
    /// `Connect` if the server can't be reached for it.
    ///
    /// # Blocking
    ///
    /// For a connection of its own to the server.
    pub fn cancel(&self) -> Result<()> {
        self.give_up();
        (self.cancel)()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}
