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

/// How a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody has waited for it.
    Dropped,
    Over,
    /// The server has said that all that was asked for is done.
    Answered,
}

/// A request on its way. Dropped before it is done, it marks the connection; whatever does not end with
/// [`answered`](Self::answered) makes the transaction doubtful that it is in.
pub(super) struct Running<'a> {
    connection: &'a Connection,
    what: Abandoned,
    end: End,
}

impl<'a> Running<'a> {
    pub(super) fn new(connection: &'a Connection, what: Abandoned) -> Self {
        connection.running.fetch_add(1, SeqCst);
        Self { connection, what, end: End::Dropped }
    }

    /// Ends it before it has begun.
    #[cold]
    pub(super) fn refused(mut self) -> Result<Self> {
        self.end = End::Over;
        Err(Error::busy())
    }

    pub(super) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        self.end = End::Over;
        self.connection.note_failure(&result);
        result
    }

    /// The same with a result that is `Ok` only if the server has said that all that was asked for is done.
    #[inline]
    pub(super) fn answered<T>(mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            return self.done(result);
        }
        self.end = End::Answered;
        result
    }

    #[cold]
    fn mark(&self) {
        self.connection.doubted.store(true, SeqCst);
        if self.end == End::Dropped {
            self.connection.abandon(self.what);
        }
    }
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.end != End::Answered {
            self.mark();
        }
        self.connection.running.fetch_sub(1, SeqCst);
    }
}

impl Connection {
    /// Whether a request of the transaction was not answered, or not with success, or is on its way beside the one that
    /// asks.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubted.load(SeqCst) || self.running.load(SeqCst) > 1
    }
}
