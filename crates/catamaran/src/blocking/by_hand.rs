//! Transactions that statements of the caller's own begin and end.

use super::connection::Open;
use crate::{
    Error, ErrorKind, Result, begun,
    driver_error::using,
    many::{ASK, NO_TRANSACTION},
    traces::{Traces, commits},
    transaction::Level,
};

impl Open {
    /// Whether a transaction is open. The server is asked only if a statement may have left one.
    pub(super) fn is_in_transaction(&mut self) -> Result<bool> {
        if !self.left().has(Traces::TRANSACTION) {
            return Ok(false);
        }
        match self.client.batch_execute(ASK).map_err(using) {
            Ok(()) => Ok(true),
            // Nothing is forgotten for it: the statement to come may begin one, and was noted.
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs a text of several statements.
    pub(super) fn run_text(&mut self, sql: &str) -> Result<()> {
        let traces = Traces::of_batch(sql);
        // A mark says nothing of what came before it.
        let is_asked = begun::may_end(self.left(), sql)
            && begun::unless_failed(self.was_ended().map(|was_ended| !was_ended))?
            && begun::unless_failed(self.mark_begun().map(|()| true))?;
        if commits(sql) {
            self.may_commit()?;
        }
        self.note(if is_asked { traces.without(Traces::ENDED) } else { traces });
        self.statements().runs(sql);
        if !is_asked {
            return self.client.batch_execute(sql).map_err(using);
        }
        self.begun.sends(sql, traces);
        let result = self.client.batch_execute(sql).map_err(using);
        // What the text came to says more than why the question has failed.
        let _ = self.look_behind(1);
        result
    }

    fn mark_begun(&mut self) -> Result<()> {
        let mark = self.begun.mark_sql();
        self.client.batch_execute(&mark).map_err(using)
    }

    /// Asks whether so many texts have ended the transaction.
    fn look_behind(&mut self, texts: u32) -> Result<()> {
        let answer = self.client.simple_query(begun::ASK).map_err(using);
        if self.begun.has_ended(texts, answer)? {
            self.note(Traces::ENDED);
        }
        Ok(())
    }

    /// Whether a text has ended the transaction that was begun. The server is asked if that is not known.
    pub(super) fn was_ended(&mut self) -> Result<bool> {
        if self.left().has(Traces::ENDED) {
            return Ok(true);
        }
        let unproved = self.begun.unproved();
        let looked = if unproved > 0 { self.look_behind(unproved) } else { Ok(()) };
        match looked {
            // In a transaction that has failed, a text counts for what it looks like.
            Err(error) if error.is_loss() || !self.begun.is_suspected() => Err(error),
            _ => Ok(self.may_be_ended()),
        }
    }

    /// The same as far as it is known.
    pub(super) fn may_be_ended(&self) -> bool {
        self.left().has(Traces::ENDED) || self.begun.is_suspected()
    }

    /// Fails within a transaction that was begun by hand, which one begun in it would end.
    pub(super) fn check_no_transaction(&mut self) -> Result<()> {
        if self.is_in_transaction()? { Err(Error::within_another()) } else { Ok(()) }
    }

    /// Fails where a `COMMIT` written by hand would roll back and report success, and rolls back instead.
    pub(super) fn may_commit(&mut self) -> Result<()> {
        match self.is_in_transaction().map_err(Error::of_commit) {
            Err(error) if error.kind() == ErrorKind::TransactionAborted => {
                self.rolls_back(Level::OUTERMOST)?;
                // For whoever has begun it by other means than by hand.
                self.note(Traces::ENDED);
                Err(error)
            }
            result => result.map(drop),
        }
    }
}
