//! Either service behind one blocking face, so that a test of what both promise is written once.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use catamaran::{
    AsyncBulkExt as _, AsyncDatabaseService, AsyncSession, AsyncTransaction, Batch, BulkExt as _, BulkOptions, Config,
    CopyRow, DatabaseService, DeadpoolDatabase, Outcome, PoolStatus, R2d2Database, Result, Row, Session, ToSql,
    Transaction, TransactionOptions,
};
use tokio::runtime::Runtime;

#[allow(clippy::expect_used, reason = "tests can't go on without it")]
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));

/// One of the two services.
#[derive(Clone)]
pub enum Hull {
    /// r2d2 and postgres.
    Blocking(Arc<dyn DatabaseService>),
    /// deadpool and tokio-postgres, on a runtime of the tests.
    Async(Arc<dyn AsyncDatabaseService>),
}

/// A session of either service.
#[allow(missing_debug_implementations, reason = "nobody prints one")]
pub enum Held {
    /// Of the blocking one.
    Blocking(Box<dyn Session>),
    /// Of the async one; `None` only while it is dropped.
    Async(Option<Box<dyn AsyncSession>>),
}

/// A transaction of either service.
#[allow(missing_debug_implementations, reason = "nobody prints one")]
pub enum Open {
    /// Of the blocking one.
    Blocking(Box<dyn Transaction>),
    /// Of the async one.
    Async(Box<dyn AsyncTransaction>),
}

/// Both services with the same settings.
///
/// # Errors
///
/// As their constructors.
pub fn both(config: &Config) -> Result<[Hull; 2]> {
    Ok([
        Hull::Blocking(Arc::new(R2d2Database::new(config.clone())?)),
        Hull::Async(Arc::new(DeadpoolDatabase::new(config.clone())?)),
    ])
}

/// Calls the same method on either side.
macro_rules! on {
    ($self:expr, $kind:ident, $db:ident => $call:expr) => {
        match $self {
            $kind::Blocking($db) => $call,
            $kind::Async($db) => RUNTIME.block_on($call),
        }
    };
}

#[allow(missing_docs, reason = "the methods are those of the traits")]
impl Hull {
    pub fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        on!(self, Hull, db => db.execute(sql, params))
    }

    pub fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        on!(self, Hull, db => db.fetch_all(sql, params))
    }

    pub fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        on!(self, Hull, db => db.fetch_one(sql, params))
    }

    pub fn batch_execute(&self, sql: &str) -> Result<()> {
        on!(self, Hull, db => db.batch_execute(sql))
    }

    pub fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        on!(self, Hull, db => db.execute_many(sql, sets))
    }

    pub fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        on!(self, Hull, db => db.run_batch(batch))
    }

    pub fn execute_rows<R: CopyRow + Send + Sync>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = R, IntoIter: Send>,
        options: BulkOptions<'_>,
    ) -> Result<u64> {
        on!(self, Hull, db => db.execute_rows(sql, rows, options))
    }

    pub fn copy_rows_in_with<R: CopyRow>(
        &self,
        table: &str,
        columns: &[&str],
        rows: impl IntoIterator<Item = R, IntoIter: Send>,
        options: BulkOptions<'_>,
    ) -> Result<u64> {
        on!(self, Hull, db => db.copy_rows_in_with(table, columns, rows, options))
    }

    pub fn execute_unnest<R: CopyRow + Send + Sync>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = R, IntoIter: Send>,
        options: BulkOptions<'_>,
    ) -> Result<u64> {
        on!(self, Hull, db => db.execute_unnest(sql, rows, options))
    }

    pub fn ping(&self) -> Result<()> {
        on!(self, Hull, db => db.ping())
    }

    pub fn close(&self, deadline: Duration) -> Result<()> {
        on!(self, Hull, db => db.close(deadline))
    }

    pub fn status(&self) -> PoolStatus {
        match self {
            Self::Blocking(db) => db.status(),
            Self::Async(db) => db.status(),
        }
    }

    pub fn session(&self) -> Result<Held> {
        Ok(match self {
            Self::Blocking(db) => Held::Blocking(db.session()?),
            Self::Async(db) => Held::Async(Some(RUNTIME.block_on(db.session())?)),
        })
    }

    pub fn begin(&self, options: TransactionOptions) -> Result<Open> {
        Ok(match self {
            Self::Blocking(db) => Open::Blocking(db.begin(options)?),
            Self::Async(db) => Open::Async(RUNTIME.block_on(db.begin(options))?),
        })
    }

    /// Takes the first rows of a statement and drops the stream.
    pub fn take_rows(&self, sql: &str, count: usize) -> Result<Vec<Row>> {
        match self {
            Self::Blocking(db) => db.fetch_iter(sql, &[])?.take(count).collect(),
            Self::Async(db) => RUNTIME.block_on(async {
                let (mut stream, mut rows) = (db.fetch_stream(sql, &[]).await?, Vec::new());
                while rows.len() < count
                    && let Some(row) = stream.next().await
                {
                    rows.push(row?);
                }
                Ok(rows)
            }),
        }
    }
}

#[allow(missing_docs, reason = "the methods are those of the traits")]
impl Held {
    pub fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        match self {
            Self::Blocking(session) => session.fetch_all(sql, params),
            Self::Async(Some(session)) => RUNTIME.block_on(session.fetch_all(sql, params)),
            Self::Async(None) => Ok(Vec::new()),
        }
    }

    pub fn batch_execute(&self, sql: &str) -> Result<()> {
        match self {
            Self::Blocking(session) => session.batch_execute(sql),
            Self::Async(Some(session)) => RUNTIME.block_on(session.batch_execute(sql)),
            Self::Async(None) => Ok(()),
        }
    }
}

#[allow(missing_docs, reason = "the methods are those of the traits")]
impl Open {
    pub fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        on!(self, Open, tx => tx.execute(sql, params))
    }

    pub fn batch_execute(&self, sql: &str) -> Result<()> {
        on!(self, Open, tx => tx.batch_execute(sql))
    }

    /// Begins a savepoint and drops it.
    pub fn savepoint(&mut self) -> Result<()> {
        match self {
            Self::Blocking(tx) => tx.savepoint().map(drop),
            Self::Async(tx) => RUNTIME.block_on(async { tx.savepoint().await.map(drop) }),
        }
    }

    pub fn commit(self) -> Result<()> {
        on!(self, Open, tx => tx.commit())
    }

    pub fn rollback(self) -> Result<()> {
        on!(self, Open, tx => tx.rollback())
    }

    /// Drops the transaction where its service's handlers would.
    pub fn abandon(self) {
        let _runtime = matches!(self, Self::Async(_)).then(|| RUNTIME.enter());
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Async(session) = self {
            let _runtime = RUNTIME.enter();
            drop(session.take());
        }
    }
}

impl fmt::Display for Hull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking(_) => "R2d2Database",
            Self::Async(_) => "DeadpoolDatabase",
        })
    }
}

impl fmt::Debug for Hull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
