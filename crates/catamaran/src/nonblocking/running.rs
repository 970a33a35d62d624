//! What goes on on a connection, and what is noted there when it is dropped before its end.

use std::sync::atomic::Ordering::SeqCst;

use super::connection::Connection;
use crate::{Error, Result};

/// What was going on when a call was dropped, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Abandoned {
    Nothing,
    /// May be cancelled on the server.
    Statement,
    /// Leaves nobody knowing whether the next answer is that of the next request.
    Copy,
    /// Must be waited for.
    Commit,
    /// Leaves a statement on the server that nobody knows: the connection is closed.
    Prepare,
}

/// A request on its way. Dropped before it is done, it marks the connection.
pub(super) struct Running<'a> {
    connection: &'a Connection,
    what: Abandoned,
    over: bool,
}

impl<'a> Running<'a> {
    pub(super) fn new(connection: &'a Connection, what: Abandoned) -> Self {
        connection.running.fetch_add(1, SeqCst);
        Self { connection, what, over: false }
    }

    /// Ends it before it has begun.
    #[cold]
    pub(super) fn refused(mut self) -> Result<Self> {
        self.over = true;
        Err(Error::busy())
    }

    pub(super) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        self.over = true;
        self.connection.note_failure(&result);
        result
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.connection.running.fetch_sub(1, SeqCst);
        if !self.over {
            self.connection.abandon(self.what);
        }
    }
}
