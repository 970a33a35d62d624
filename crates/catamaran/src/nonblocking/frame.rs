//! A connection for one call alone, and a transaction of the library's own around a call.

use std::{ops::Deref, sync::atomic::Ordering::SeqCst};

use super::{connection::Connection, running::Abandoned};
use crate::{Error, Result, driver_error::using, traces::Traces, transaction::Level};

/// Has a connection for itself: until it is dropped, other calls fail with `Busy`.
pub(super) struct Alone<'a>(&'a Connection);

impl Connection {
    /// Takes the connection for the call that is running, or fails if there is another.
    pub(super) fn alone(&self) -> Result<Alone<'_>> {
        if self.streaming.swap(true, SeqCst) {
            return Err(Error::busy());
        }
        let alone = Alone(self);
        if self.running.load(SeqCst) > 1 { Err(Error::busy()) } else { Ok(alone) }
    }
}

impl Connection {
    /// Takes the connection for a stream that is about to be opened.
    pub(super) fn for_stream(&self) -> Result<Alone<'_>> {
        if self.streaming.swap(true, SeqCst) { Err(Error::busy()) } else { Ok(Alone(self)) }
    }
}

impl Alone<'_> {
    /// Leaves the connection to a stream, which frees it when it is dropped.
    pub(super) fn leave_to_stream(self) {
        std::mem::forget(self);
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.streaming.store(false, SeqCst);
    }
}

/// How far a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Inside,
    Committing,
    Outside,
}

/// A transaction that the library begins and ends itself. Dropped within it, it is rolled back ahead of whatever comes
/// next.
pub(super) struct Frame<C: Deref<Target = Connection>> {
    connection: C,
    at: At,
}

impl<C: Deref<Target = Connection>> Frame<C> {
    /// `BEGIN` is sent by whoever enters.
    pub(super) fn enter(connection: C) -> Self {
        connection.begins(Level::OUTERMOST);
        Self { connection, at: At::Inside }
    }

    /// Leaves the transaction open, to another frame that is made at once.
    pub(super) fn leave(mut self) {
        self.at = At::Outside;
    }

    /// Notes that the statement that commits is being sent, or says that a statement within has ended the transaction.
    pub(super) fn commits(&mut self) -> bool {
        let commits = !self.has_ended();
        if commits {
            self.at = At::Committing;
        }
        commits
    }

    fn has_ended(&self) -> bool {
        self.connection.left().has(Traces::ENDED)
    }

    /// Sends the commit and ends the frame as [`end`](Self::end) does.
    pub(super) async fn commit(mut self) -> Result<()> {
        if !self.commits() {
            return self.end(Ok(())).await;
        }
        let committed = self.connection.client.batch_execute(&Level::OUTERMOST.commit_sql(true)).await.map_err(using);
        self.end(committed).await
    }

    /// Ends with what came of everything within it, its commit included if that was sent.
    pub(super) async fn end<T>(mut self, result: Result<T>) -> Result<T> {
        // With the commit on its way, a loss leaves it open whichever answer was missed.
        let is_of_commit = |error: &Error| error.index().is_none() || error.is_loss();
        let of_commit = |error: Error| if is_of_commit(&error) { error.of_commit() } else { error };
        let result = match result {
            result if self.at == At::Committing => result.map_err(of_commit),
            Ok(_) if self.has_ended() => Err(Error::transaction_ended()),
            Err(error) if self.has_ended() => Err(error.behind_end()),
            result => result,
        };
        match &result {
            Ok(_) => self.connection.ended(Level::OUTERMOST),
            Err(error) if error.is_loss() => {}
            Err(_) => {
                // The first error says more. Also behind a commit that has failed, which may have been refused before it
                // began; what can't be rolled back now is owed.
                let undoing = self.connection.mark(Abandoned::Commit);
                let rollback = Level::OUTERMOST.rollback_sql();
                let undone = undoing.done(self.connection.client.batch_execute(&rollback).await.map_err(using));
                match undone {
                    Ok(()) => self.connection.undone(),
                    Err(error) if error.is_loss() => {}
                    Err(_) => self.connection.rollback_behind(Level::OUTERMOST),
                }
            }
        }
        self.at = At::Outside;
        result
    }
}

impl<C: Deref<Target = Connection>> Drop for Frame<C> {
    fn drop(&mut self) {
        match self.at {
            At::Outside => return,
            At::Inside => {}
            At::Committing => self.connection.abandon(Abandoned::Commit),
        }
        // Behind a commit that was refused the transaction is open still; behind another this does nothing.
        self.connection.rollback_behind(Level::OUTERMOST);
    }
}
