//! The async service on a deadpool of tokio-postgres clients.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool::{
    Runtime,
    managed::{Pool, PoolConfig, PoolError, QueueMode, TimeoutType, Timeouts},
};
use futures_core::Stream;
use postgres_types::ToSql;
use tokio::time::sleep;

use super::{
    lease::{Holder, Lease},
    manager::Manager,
    stream,
    transaction::OpenTransaction,
};
use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, Batch, BytesStream, Config, Description,
    Error, ErrorKind, Outcome, PoolStatus, Result, Row, RowStream, TransactionOptions,
    many::{Many, Within, counts},
    row_count,
};

/// The longest time between two looks for idle connections to close.
const REAP: Duration = Duration::from_secs(30);
/// How often a service that is being closed looks whether all connections are back.
const DRAIN: Duration = Duration::from_millis(5);

/// The async service: deadpool and tokio-postgres.
///
/// Connections are opened when they are needed; making one of these opens none. Used within a tokio runtime that has
/// its timer and I/O enabled.
///
/// ```no_run
/// # async fn example() -> catamaran::Result<()> {
/// use catamaran::{AsyncExecutor as _, Config, DeadpoolDatabase};
/// let db = DeadpoolDatabase::new(Config::from_env()?)?;
/// let row = db.fetch_one("SELECT $1::int8 + 1", &[&41i64]).await?;
/// assert_eq!(row.get::<i64>(0)?, 42);
/// # Ok(())
/// # }
/// ```
pub struct DeadpoolDatabase {
    pool: Pool<Manager>,
    checkout_timeout: Duration,
    reaping: Arc<AtomicBool>,
}

impl DeadpoolDatabase {
    /// A service with these settings. Opens no connection.
    ///
    /// # Errors
    ///
    /// `Config` for settings that make no sense, `Tls` for certificates that can't be read.
    pub fn new(config: Config) -> Result<Self> {
        config.validate()?;
        let checkout_timeout = config.get_checkout_timeout();
        let mut pool = PoolConfig::new(config.get_max_size() as usize);
        pool.queue_mode = QueueMode::Lifo;
        pool.timeouts = Timeouts { wait: Some(checkout_timeout), create: None, recycle: None };
        let pool = Pool::builder(Manager::new(config)?).config(pool).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|error| Error::with_source(ErrorKind::Config, "the pool can't be built", error))?;
        Ok(Self { pool, checkout_timeout, reaping: Arc::default() })
    }

    async fn checkout(&self) -> Result<Lease> {
        if !self.reaping.load(Relaxed) && !self.reaping.swap(true, Relaxed) {
            self.reap();
        }
        match self.pool.get().await {
            Ok(object) => Ok(Lease::new(object)),
            Err(PoolError::Backend(error)) => Err(error),
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                Err(Error::checkout_timeout(self.checkout_timeout, self.status()))
            }
            Err(PoolError::Closed) => Err(Error::closed()),
            Err(error) => Err(Error::with_source(ErrorKind::PoolTimeout, error.to_string(), error)),
        }
    }

    /// Closes connections that nobody used for long, which deadpool does not do by itself.
    fn reap(&self) {
        let limits = *self.pool.manager().limits();
        let (pool, ended) = (self.pool.weak(), ReaperEnd(self.reaping.clone()));
        let period = (limits.idle_timeout.min(limits.max_lifetime) / 4).clamp(Duration::from_millis(50), REAP);
        tokio::spawn(async move {
            let _ended = ended;
            loop {
                sleep(period).await;
                let Some(pool) = pool.upgrade() else { return };
                let now = Instant::now();
                pool.retain(|pooled, _| !pooled.connection.is_closed() && !pooled.aging.is_too_old(now, &limits));
            }
        });
    }
}

/// Lets the next caller start a reaper, when this one ended with its runtime.
struct ReaperEnd(Arc<AtomicBool>);

impl Drop for ReaperEnd {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

#[async_trait]
impl AsyncExecutor for DeadpoolDatabase {
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.checkout().await?.connection().execute(sql, params).await
    }

    async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.checkout().await?.connection().query(sql, params).await
    }

    async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        row_count::one(self.fetch_all(sql, params).await?)
    }

    async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        row_count::optional(self.fetch_all(sql, params).await?)
    }

    async fn batch_execute(&self, sql: &str) -> Result<()> {
        self.checkout().await?.connection().batch(sql).await
    }

    async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        stream::rows(Holder::Owned(self.checkout().await?), sql, params).await
    }

    async fn copy_in(&self, sql: &str, chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        self.checkout().await?.connection().copy_in(sql, chunks).await
    }

    async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>> {
        stream::copy_out(Holder::Owned(self.checkout().await?), sql).await
    }

    async fn describe(&self, sql: &str) -> Result<Description> {
        self.checkout().await?.connection().describe(sql).await
    }

    async fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.checkout().await?.connection().many(Many::Sets(sql, sets), Within::Connection).await?))
    }

    async fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.checkout().await?.connection().many(Many::Batch(batch), Within::Connection).await
    }
}

#[async_trait]
impl AsyncDatabaseService for DeadpoolDatabase {
    async fn begin(&self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        Ok(Box::new(OpenTransaction::begin(Holder::Owned(self.checkout().await?), options).await?))
    }

    async fn session(&self) -> Result<Box<dyn AsyncSession>> {
        Ok(Box::new(self.checkout().await?))
    }

    async fn ping(&self) -> Result<()> {
        self.checkout().await?.connection().ping().await
    }

    fn status(&self) -> PoolStatus {
        let status = self.pool.status();
        PoolStatus {
            max_size: status.max_size,
            size: status.size,
            idle: status.available.min(status.size),
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }

    async fn close(&self, deadline: Duration) -> Result<()> {
        let end = Instant::now() + deadline;
        self.pool.close();
        loop {
            match self.pool.status().size {
                0 => return Ok(()),
                in_use if Instant::now() >= end => return Err(Error::close_timeout(deadline, in_use)),
                _ => sleep(DRAIN).await,
            }
        }
    }
}

impl fmt::Debug for DeadpoolDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadpoolDatabase").field("status", &self.status()).finish_non_exhaustive()
    }
}
