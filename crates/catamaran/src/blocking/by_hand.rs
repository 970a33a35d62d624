//! Transactions that statements of the caller's own begin and end.

use super::connection::Open;
use crate::{
    Error, ErrorKind, Result,
    driver_error::using,
    many::{ASK, NO_TRANSACTION},
    strings,
    traces::Traces,
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

    /// What a text of several statements may leave. The server is asked how it reads strings if it hinges on that whether
    /// the text ends the transaction.
    pub(super) fn traces_of(&mut self, sql: &str) -> Result<Traces> {
        if !strings::have_to_be_known(self.left(), sql) {
            return Ok(Traces::of_batch(sql));
        }
        strings::traces(sql, self.client.simple_query(strings::ASK).map_err(using))
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
