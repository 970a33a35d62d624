//! Transactions that statements of the caller's own begin and end.

use std::sync::atomic::Ordering::SeqCst;

use super::{connection::Connection, frame::Alone, running::Abandoned};
use crate::{
    Error, ErrorKind, Result,
    driver_error::using,
    many::{ASK, FAILED_TRANSACTION, NO_TRANSACTION},
    strings,
    traces::Traces,
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

    /// What a text of several statements may leave. The server is asked how it reads strings if it hinges on that whether
    /// the text ends the transaction.
    pub(super) async fn traces_of(&self, sql: &str) -> Result<Traces> {
        if !strings::have_to_be_known(self.left(), sql) {
            return Ok(Traces::of_batch(sql));
        }
        strings::traces(sql, self.client.simple_query(strings::ASK).await.map_err(using))
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
    /// and the commit. A stream has it already.
    pub(super) async fn alone_to_commit(&self) -> Result<Option<Alone<'_>>> {
        let alone = if self.streaming.load(SeqCst) { None } else { Some(self.alone()?) };
        self.may_commit().await?;
        Ok(alone)
    }

    /// Fails where a `COMMIT` written by hand would roll back and report success, and rolls back instead.
    pub(super) async fn may_commit(&self) -> Result<()> {
        match self.is_in_transaction().await.map_err(Error::of_commit) {
            Err(error) if error.kind() == ErrorKind::TransactionAborted => {
                self.client.batch_execute(&Level::OUTERMOST.rollback_sql()).await.map_err(using)?;
                self.undone();
                // For whoever has begun it by other means than by hand.
                self.note(Traces::ENDED);
                Err(error)
            }
            result => result.map(drop),
        }
    }
}
