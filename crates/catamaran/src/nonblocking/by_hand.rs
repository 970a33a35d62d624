//! Transactions that statements of the caller's own begin and end.

use std::sync::{MutexGuard, PoisonError};

use super::{connection::Connection, frame::Alone, running::Abandoned};
use crate::{
    Error, ErrorKind, Result,
    begun::{self, Begun},
    driver_error::using,
    many::{ASK, FAILED_TRANSACTION, NO_TRANSACTION},
    traces::{Traces, commits},
    transaction::Level,
};

impl Connection {
    /// Whether a transaction is open. The server is asked only if a statement may have left one.
    pub(super) async fn is_in_transaction(&self) -> Result<bool> {
        if !self.left().has(Traces::TRANSACTION) {
            return Ok(false);
        }
        match self.client.batch_execute(ASK).await.map_err(using) {
            Ok(()) => Ok(true),
            // Nothing is forgotten for it: by now there may be another.
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs a text of several statements.
    pub(super) async fn run_text(&self, sql: &str) -> Result<()> {
        let traces = Traces::of_batch(sql);
        // A mark says nothing of what came before it.
        let one_at_a_time = if begun::may_end(self.left(), sql) { Some(self.marks.lock().await) } else { None };
        let is_asked = one_at_a_time.is_some()
            && begun::unless_failed(self.was_ended().await.map(|was_ended| !was_ended))?
            && begun::unless_failed(self.mark_begun().await.map(|()| true))?;
        let _alone = if commits(sql) { Some(Box::pin(self.alone_to_commit()).await?) } else { None };
        self.note(if is_asked { traces.without(Traces::ENDED) } else { traces });
        self.statements().runs(sql);
        if !is_asked {
            return self.client.batch_execute(sql).await.map_err(using);
        }
        self.begun().sends(sql, traces);
        let result = self.client.batch_execute(sql).await.map_err(using);
        // What the text came to says more than why the question has failed.
        let _ = self.look_behind(1).await;
        result
    }

    async fn mark_begun(&self) -> Result<()> {
        let mark = self.begun().mark_sql();
        self.client.batch_execute(&mark).await.map_err(using)
    }

    /// Asks whether so many texts have ended the transaction.
    async fn look_behind(&self, texts: u32) -> Result<()> {
        let answer = self.client.simple_query(begun::ASK).await.map_err(using);
        if self.begun().has_ended(texts, answer)? {
            self.note(Traces::ENDED);
        }
        Ok(())
    }

    /// Whether a text has ended the transaction that was begun. The server is asked if that is not known.
    pub(super) async fn was_ended(&self) -> Result<bool> {
        if self.left().has(Traces::ENDED) {
            return Ok(true);
        }
        let unproved = self.begun().unproved();
        let looked = if unproved > 0 { self.look_behind(unproved).await } else { Ok(()) };
        match looked {
            // In a transaction that has failed, a text counts for what it looks like.
            Err(error) if error.is_loss() || !self.begun().is_suspected() => Err(error),
            _ => Ok(self.may_be_ended()),
        }
    }

    /// The same as far as it is known.
    pub(super) fn may_be_ended(&self) -> bool {
        self.left().has(Traces::ENDED) || self.begun().is_suspected()
    }

    pub(super) fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails within a transaction that was begun by hand, which one begun in it would end.
    pub(super) async fn check_no_transaction(&self) -> Result<()> {
        let running = self.ready(Abandoned::Statement).await?;
        if running.done(self.is_in_transaction().await)? { Err(Error::within_another()) } else { Ok(()) }
    }

    /// The same of one that may have failed, whatever was noted.
    pub(super) async fn is_transaction_open(&self) -> Result<bool> {
        match self.client.batch_execute(ASK).await.map_err(using) {
            Ok(()) => Ok(true),
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => Ok(false),
            Err(error) if error.sqlstate() == Some(FAILED_TRANSACTION) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes the connection for a `COMMIT` written by hand, so that what others send does not come between the question
    /// and the commit.
    pub(super) async fn alone_to_commit(&self) -> Result<Alone<'_>> {
        let alone = self.alone()?;
        self.may_commit().await?;
        Ok(alone)
    }

    /// Fails where a `COMMIT` written by hand would roll back and report success, and rolls back instead. Asked by whoever
    /// has the connection alone.
    pub(super) async fn may_commit(&self) -> Result<()> {
        match self.is_in_transaction().await.map_err(Error::of_commit) {
            Err(error) if error.kind() == ErrorKind::TransactionAborted => {
                // For whoever has begun it by other means than by hand. Noted first: dropped from here on, it is rolled
                // back all the same.
                self.note(Traces::ENDED);
                self.client.batch_execute(&Level::OUTERMOST.rollback_sql()).await.map_err(using)?;
                self.undone();
                self.note(Traces::ENDED);
                Err(error)
            }
            result => result.map(drop),
        }
    }
}
