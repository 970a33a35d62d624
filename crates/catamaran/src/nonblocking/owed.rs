//! What a dropped call leaves to be done before anything else is run.

use std::sync::{MutexGuard, PoisonError, atomic::Ordering::SeqCst};

use super::connection::Connection;
use crate::{
    Error, Result,
    driver_error::using,
    many::{NO_SAVEPOINT, NO_TRANSACTION},
    traces::Traces,
    transaction::Level,
};

/// What has to be settled before anything else is run.
#[derive(Default)]
pub(super) struct Owed {
    /// The connection was given up, or the server has closed it.
    pub(super) gone: bool,
    /// A COPY in did not come to its end: the next answer may be that of another request.
    pub(super) proof: bool,
    /// A transaction was rolled back without waiting for the answer.
    pub(super) rollback: bool,
    /// Savepoints that were dropped.
    pub(super) levels: Vec<Level>,
}

impl Owed {
    fn is_nothing(&self) -> bool {
        !self.gone && !self.proof && !self.rollback && self.levels.is_empty()
    }

    fn next_level(&mut self) -> Option<Level> {
        if self.levels.is_empty() { None } else { Some(self.levels.remove(0)) }
    }
}

impl Connection {
    /// Does what is owed, in its order. Dropped or failing midway, the rest is owed still.
    pub(super) async fn settle(&self) -> Result<()> {
        if self.owed().gone {
            return Err(Error::lost());
        }
        let _one_at_a_time = self.settles.lock().await;
        while !self.is_settled() {
            self.settle_owed().await?;
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        let owed = self.owed();
        if owed.is_nothing() {
            self.unsettled.store(false, SeqCst);
        }
        owed.is_nothing()
    }

    async fn settle_owed(&self) -> Result<()> {
        if self.owed().gone {
            return Err(Error::lost());
        }
        if self.owed().proof {
            self.prove().await?;
            self.owed().proof = false;
        }
        if self.owed().rollback {
            if self.is_transaction_open().await? {
                self.client.batch_execute(&Level::OUTERMOST.rollback_sql()).await.map_err(using)?;
            }
            self.ended(Level::OUTERMOST);
            self.owed().rollback = false;
        }
        loop {
            if self.left().has(Traces::ENDED) {
                // They went with the transaction.
                self.owed().levels.clear();
            }
            let Some(level) = self.owed().next_level() else { break };
            let rollback = level.rollback_sql();
            // Sent at the first poll. Dropped from then on, it is done all the same, or has failed the transaction.
            match self.client.batch_execute(&rollback).await.map_err(using) {
                // The server has refused to begin it, which nobody waited for. Asking for it has failed the transaction if
                // nothing else had.
                Err(error) if error.sqlstate() == Some(NO_SAVEPOINT) => self.doubted.store(true, SeqCst),
                Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => self.note(Traces::ENDED),
                Err(error) => {
                    self.owed().levels.insert(0, level);
                    return Err(error);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Notes something that has to be settled before anything else is run.
    pub(super) fn owe(&self, note: impl FnOnce(&mut Owed)) {
        // With the lock held, so that whoever settles what was owed before does not take this for done.
        let mut owed = self.owed();
        note(&mut owed);
        self.unsettled.store(true, SeqCst);
    }

    pub(super) fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
