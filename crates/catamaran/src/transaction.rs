//! Transactions: the twins, their options, and the SQL of `BEGIN` and `SAVEPOINT`.

use async_trait::async_trait;

use crate::{AsyncExecutor, Executor, Result};

/// A transaction. Ends with [`commit`](Self::commit) or [`rollback`](Self::rollback); dropped, it is rolled back.
pub trait Transaction: Executor {
    #[doc = include_str!("../docs/savepoint.md")]
    #[track_caller]
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>>;

    #[doc = include_str!("../docs/commit.md")]
    #[track_caller]
    fn commit(self: Box<Self>) -> Result<()>;

    #[doc = include_str!("../docs/rollback.md")]
    #[track_caller]
    fn rollback(self: Box<Self>) -> Result<()>;
}

/// A transaction. Ends with [`commit`](Self::commit) or [`rollback`](Self::rollback); dropped, it is rolled back.
///
/// # Cancel safety
///
/// A `commit` dropped after its first poll has an unknown outcome. The connection is drained or closed either way.
#[async_trait]
pub trait AsyncTransaction: AsyncExecutor {
    #[doc = include_str!("../docs/savepoint.md")]
    #[track_caller]
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>>;

    #[doc = include_str!("../docs/commit.md")]
    #[track_caller]
    async fn commit(self: Box<Self>) -> Result<()>;

    #[doc = include_str!("../docs/rollback.md")]
    #[track_caller]
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// How much a transaction sees of others. The server's default is its `default_transaction_isolation`.
///
/// <https://www.postgresql.org/docs/current/transaction-iso.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// Each statement sees what was committed before the transaction's first one.
    RepeatableRead,
    /// As if transactions ran one after the other; may fail with SQLSTATE 40001 and be run again.
    Serializable,
}

/// How to begin a transaction, and how often to run its closure again.
///
/// ```
/// use catamaran::{Isolation, TransactionOptions};
/// let report = TransactionOptions::new().isolation(Isolation::Serializable).read_only(true).deferrable(true);
/// let transfer = TransactionOptions::new().isolation(Isolation::Serializable).retries(10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionOptions {
    isolation: Option<Isolation>,
    read_only: Option<bool>,
    deferrable: Option<bool>,
    retries: u32,
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self { isolation: None, read_only: None, deferrable: None, retries: Self::DEFAULT_RETRIES }
    }
}

impl TransactionOptions {
    /// How often `transaction(options, closure)` runs the closure again unless told otherwise.
    pub const DEFAULT_RETRIES: u32 = 5;

    /// The server's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the isolation level. Default: the server's.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// Sets whether the transaction may write. Default: the server's.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = Some(read_only);
        self
    }

    /// Sets whether a serializable read-only transaction waits for a snapshot that can't fail. Default: the server's.
    #[must_use]
    pub fn deferrable(mut self, deferrable: bool) -> Self {
        self.deferrable = Some(deferrable);
        self
    }

    /// Sets how often a closure is run again after SQLSTATE 40001 or 40P01. Default: 5.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    pub(crate) fn get_retries(&self) -> u32 {
        self.retries
    }

    /// The statement that begins such a transaction.
    pub fn begin_sql(&self) -> String {
        let mut sql = String::from("BEGIN");
        match self.isolation {
            Some(Isolation::ReadCommitted) => sql.push_str(" ISOLATION LEVEL READ COMMITTED"),
            Some(Isolation::RepeatableRead) => sql.push_str(" ISOLATION LEVEL REPEATABLE READ"),
            Some(Isolation::Serializable) => sql.push_str(" ISOLATION LEVEL SERIALIZABLE"),
            None => {}
        }
        match self.read_only {
            Some(true) => sql.push_str(" READ ONLY"),
            Some(false) => sql.push_str(" READ WRITE"),
            None => {}
        }
        match self.deferrable {
            Some(true) => sql.push_str(" DEFERRABLE"),
            Some(false) => sql.push_str(" NOT DEFERRABLE"),
            None => {}
        }
        sql
    }
}

/// One level of a transaction: 0 is the transaction itself, each savepoint one more.
#[cfg(feature = "driver")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level(u32);

#[cfg(feature = "driver")]
impl Level {
    pub(crate) const OUTERMOST: Self = Self(0);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(crate) fn is_outermost(self) -> bool {
        self.0 == 0
    }

    /// The statement that begins this level, a savepoint.
    pub(crate) fn savepoint_sql(self) -> String {
        format!("SAVEPOINT catamaran_{}", self.0)
    }

    /// The statement that keeps what was done on this level, or fails.
    ///
    /// `COMMIT` alone succeeds in a transaction that has failed, which it rolls back, and outside of one. A savepoint is
    /// refused in both, and then the `COMMIT` behind it in the same message is not run. It is not needed, and spared,
    /// where the transaction is not `doubtful`: the server has said of all that was sent in it that it is done, and none of
    /// it can have ended the transaction.
    pub(crate) fn commit_sql(self, doubtful: bool) -> String {
        match self.0 {
            0 if doubtful => "SAVEPOINT catamaran_commit; COMMIT".into(),
            0 => "COMMIT".into(),
            depth => format!("RELEASE SAVEPOINT catamaran_{depth}"),
        }
    }

    /// The statement that undoes what was done on this level, and leaves it.
    pub(crate) fn rollback_sql(self) -> String {
        match self.0 {
            0 => "ROLLBACK".into(),
            depth => format!("ROLLBACK TO SAVEPOINT catamaran_{depth}; RELEASE SAVEPOINT catamaran_{depth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_sql() {
        assert_eq!(TransactionOptions::new().begin_sql(), "BEGIN");
        let options = TransactionOptions::new().isolation(Isolation::Serializable).read_only(true).deferrable(true);
        assert_eq!(options.begin_sql(), "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
        let options = TransactionOptions::new().read_only(false).deferrable(false);
        assert_eq!(options.begin_sql(), "BEGIN READ WRITE NOT DEFERRABLE");
    }

    #[cfg(feature = "driver")]
    #[test]
    fn levels_become_savepoints() {
        let nested = Level::OUTERMOST.next();
        assert_eq!(nested.savepoint_sql(), "SAVEPOINT catamaran_1");
        assert_eq!([true, false].map(|doubtful| nested.commit_sql(doubtful)), ["RELEASE SAVEPOINT catamaran_1"; 2]);
        assert_eq!(Level::OUTERMOST.commit_sql(true), "SAVEPOINT catamaran_commit; COMMIT");
        assert_eq!(Level::OUTERMOST.commit_sql(false), "COMMIT");
        assert_eq!(nested.rollback_sql(), "ROLLBACK TO SAVEPOINT catamaran_1; RELEASE SAVEPOINT catamaran_1");
        assert_eq!(Level::OUTERMOST.rollback_sql(), "ROLLBACK");
    }
}
