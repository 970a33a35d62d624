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

/// A request on its way. Whatever does not end with [`answered`](Self::answered) makes its transaction doubtful. Dropped before it is done, it marks the connection.
pub(super) struct Running<'a> {
    connection: &'a Connection,
    what: Abandoned,
    over: bool,
    answered: bool,
}

impl<'a> Running<'a> {
    pub(super) fn new(connection: &'a Connection, what: Abandoned) -> Self {
        connection.running.fetch_add(1, SeqCst);
        Self { connection, what, over: false, answered: false }
    }

    /// Ends it before it has begun.
    #[cold]
    pub(super) fn refused(mut self) -> Result<Self> {
        self.over = true;
        Err(Error::busy())
    }

    /// The same with a result that is `Ok` only if the server has said that all that was asked for is done.
    pub(super) fn answered<T>(mut self, result: Result<T>) -> Result<T> {
        self.answered = result.is_ok();
        self.done(result)
    }

    pub(super) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        self.over = true;
        self.connection.note_failure(&result);
        result
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.connection.doubted.store(true, SeqCst);
        }
        self.connection.running.fetch_sub(1, SeqCst);
        if !self.over {
            self.connection.abandon(self.what);
        }
    }
}

impl Connection {
    /// Whether a request of the transaction was not answered, or not with success, or is on its way beside the one that
    /// asks.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubted.load(SeqCst) || self.running.load(SeqCst) > 1
    }
}
