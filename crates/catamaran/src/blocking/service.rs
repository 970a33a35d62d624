//! The blocking service: the pool behind the guard.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use postgres_types::ToSql;

use super::database::Database;
use crate::{
    Batch, BytesIter, Config, DatabaseService, Description, EachRow, Executor, Holder, Outcome, PoolStatus, Result,
    Row, RowIter, Session, Transaction, TransactionOptions,
    budget::Budget,
    call::Call,
    guard::{Guard, Guarded, guarded_executor},
};

/// The blocking service: r2d2 and postgres.
///
/// Connections are opened when they are needed; making one of these opens none.
///
/// # Blocking
///
/// Each call blocks its thread. On one that drives futures it is noticed, and runs where nobody waits for that thread or
/// fails, as [`Config::guard`] says. Dropping it and what it gave out is possible anywhere.
///
/// ```no_run
/// # fn example() -> catamaran::Result<()> {
/// use catamaran::{Config, Executor as _, R2d2Database};
/// let db = R2d2Database::new(Config::from_env()?)?;
/// let row = db.fetch_one("SELECT $1::int8 + 1", &[&41i64])?;
/// assert_eq!(row.get::<i64>(0)?, 42);
/// # Ok(())
/// # }
/// ```
pub struct R2d2Database {
    executor: Database,
    guard: Guard,
}

impl R2d2Database {
    /// A service with these settings. Opens no connection.
    ///
    /// # Errors
    ///
    /// `Config` for settings that make no sense, `Tls` for certificates that can't be read.
    pub fn new(config: Config) -> Result<Self> {
        let budget = config.own_budget();
        Self::within(config, budget)
    }

    /// The same, within a budget that it shares.
    pub(crate) fn within(config: Config, budget: Option<Arc<Budget>>) -> Result<Self> {
        let guard = Guard::new(config.get_guard().clone());
        Ok(Self { executor: Database::new(config, budget)?, guard })
    }
}

guarded_executor!([] R2d2Database);

impl DatabaseService for R2d2Database {
    #[track_caller]
    fn begin(&self, options: TransactionOptions) -> Result<Box<dyn Transaction>> {
        let transaction = self.guard.call("begin", None, || self.executor.begin(options))?;
        Ok(Box::new(Guarded::new(transaction, self.guard.clone())))
    }

    #[track_caller]
    fn session(&self) -> Result<Box<dyn Session>> {
        let session = self.guard.call("session", None, || self.executor.session())?;
        Ok(Box::new(Guarded::new(session, self.guard.clone())))
    }

    #[track_caller]
    fn ping(&self) -> Result<()> {
        self.guard.call("ping", None, || self.executor.ping())
    }

    fn status(&self) -> PoolStatus {
        self.executor.status()
    }

    fn holders(&self) -> Vec<Holder> {
        self.executor.holders()
    }

    #[track_caller]
    fn close(&self, deadline: Duration) -> Result<()> {
        self.guard.call("close", None, || self.executor.close(deadline))
    }
}

impl fmt::Debug for R2d2Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("R2d2Database").field("status", &self.status()).finish_non_exhaustive()
    }
}
