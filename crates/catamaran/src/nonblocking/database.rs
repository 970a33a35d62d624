//! The async service on a deadpool of tokio-postgres clients.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool::{
    Runtime,
    managed::{Pool, PoolConfig, QueueMode, Timeouts},
};
use futures_core::Stream;
use postgres_types::ToSql;
use tokio::time::sleep;

use super::{
    lease::Access, manager::Manager, seat::Place, sharing::Sharing, stream, transaction::OpenTransaction,
    upkeep::Upkeep,
};
use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, Batch, BytesStream, Config, Description,
    EachRow, Error, ErrorKind, Holder, Outcome, PoolStatus, Result, Row, RowStream, TransactionOptions,
    budget::{Budget, Evict, Side},
    call::Call,
    forward::written_out_async_executor,
    holders::{Holders, Shared},
    located::{Located, LocatedService, located, located_service},
    many::{Many, Within, counts},
    row_count,
};

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
    pub(super) pool: Pool<Manager>,
    pub(super) sharing: Arc<Sharing>,
    pub(super) holders: Arc<Holders>,
    pub(super) checkout_timeout: Duration,
    pub(super) statement_timeout: Duration,
    /// How many connections there can be at most.
    pub(super) most: usize,
    pub(super) upkeep: Upkeep,
    /// Lives as long as this.
    _evictor: Arc<dyn Evict>,
}

/// Closes idle connections for the other pool of a budget.
struct Evictor {
    pool: Pool<Manager>,
    sharing: Arc<Sharing>,
}

impl Evict for Evictor {
    fn evict_idle(&self) {
        if let Some(lease) = self.sharing.take_idle() {
            return lease.close();
        }
        let mut found = false;
        self.pool.retain(|_, _| std::mem::replace(&mut found, true));
    }
}

impl DeadpoolDatabase {
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
        config.validate()?;
        let (checkout_timeout, statement_timeout) = (config.get_checkout_timeout(), config.get_statement_timeout());
        let sharing = Arc::new(Sharing::new(&config, budget.clone()));
        let holders = config.holders(budget.as_ref());
        let shared: Arc<dyn Shared> = sharing.clone();
        holders.set_shared(Arc::downgrade(&shared));
        let most = config.most_connections(budget.as_ref());
        let mut pool = PoolConfig::new(config.get_max_size() as usize);
        pool.queue_mode = QueueMode::Lifo;
        pool.timeouts = Timeouts { wait: Some(checkout_timeout), create: None, recycle: None };
        let pool = Pool::builder(Manager::new(config, budget.clone())?).config(pool).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|error| Error::with_source(ErrorKind::Config, "the pool can't be built", error))?;
        let evictor: Arc<dyn Evict> = Arc::new(Evictor { pool: pool.clone(), sharing: sharing.clone() });
        if let Some(budget) = budget {
            budget.set_evict(Side::Nonblocking, Arc::downgrade(&evictor));
        }
        Ok(Self {
            pool,
            sharing,
            holders,
            checkout_timeout,
            statement_timeout,
            most,
            upkeep: Upkeep::default(),
            _evictor: evictor,
        })
    }
}

/// A place for a single statement. No function, so that one that is there at once is moved nowhere.
macro_rules! seat {
    ($db:expr, $call:expr, $sql:expr) => {
        match $db.sharing.place($call, $sql, false) {
            Place::Seat(seat) => seat,
            place => Box::pin($db.seat_later($call, $sql, place)).await?,
        }
    };
}

written_out_async_executor!([] DeadpoolDatabase, located);

impl Located for DeadpoolDatabase {
    async fn execute(&self, call: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let mut seat = seat!(self, call, sql);
        let rows = seat.connection().execute(sql, params).await?;
        seat.ended(0);
        Ok(rows)
    }

    async fn fetch_all(&self, call: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let mut seat = seat!(self, call, sql);
        let rows = seat.connection().all(sql, params).await?;
        seat.ended(rows.iter().map(Row::size).sum());
        Ok(rows)
    }

    async fn fetch_one(&self, call: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        let mut seat = seat!(self, call, sql);
        let row = seat.connection().optional(sql, params).await?.ok_or_else(row_count::none)?;
        seat.ended(row.size());
        Ok(row)
    }

    async fn fetch_optional(&self, call: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let mut seat = seat!(self, call, sql);
        let row = seat.connection().optional(sql, params).await?;
        seat.ended(row.as_ref().map_or(0, Row::size));
        Ok(row)
    }

    async fn fetch_each(&self, call: Call, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        let mut seat = seat!(self, call, sql);
        let mut bytes = 0;
        let read = |row: Row| {
            bytes += row.size();
            each(&row)
        };
        seat.connection().each(sql, params, read).await?;
        seat.ended(bytes);
        Ok(())
    }

    async fn batch_execute(&self, call: Call, sql: &str) -> Result<()> {
        self.checkout(call).await?.connection().batch(sql).await
    }

    async fn fetch_stream(&self, call: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        stream::rows(Access::Owned(self.checkout(call).await?), sql, params).await
    }

    async fn copy_in(
        &self,
        call: Call,
        sql: &str,
        chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
    ) -> Result<u64> {
        self.checkout(call).await?.connection().copy_in(sql, chunks, Within::Connection).await
    }

    async fn copy_out(&self, call: Call, sql: &str) -> Result<BytesStream<'_>> {
        stream::copy_out(Access::Owned(self.checkout(call).await?), sql, Within::Connection).await
    }

    async fn describe(&self, call: Call, sql: &str) -> Result<Description> {
        self.checkout(call).await?.connection().describe(sql).await
    }

    async fn execute_many(&self, call: Call, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.checkout(call).await?.connection().many(Many::Sets(sql, sets), Within::Connection).await?))
    }

    async fn run_batch(&self, call: Call, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.checkout(call).await?.connection().many(Many::Batch(batch), Within::Connection).await
    }
}

impl LocatedService for DeadpoolDatabase {
    async fn begin(&self, call: Call, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        let lease = self.checkout(call).await?.held(self.sharing.hold());
        Ok(Box::new(OpenTransaction::begin(Access::Owned(lease), options).await?))
    }

    async fn session(&self, call: Call) -> Result<Box<dyn AsyncSession>> {
        Ok(Box::new(self.checkout(call).await?.held(self.sharing.hold())))
    }

    async fn ping(&self, call: Call) -> Result<()> {
        self.checkout(call).await?.connection().ping().await
    }
}

#[async_trait]
impl AsyncDatabaseService for DeadpoolDatabase {
    located_service!();

    fn status(&self) -> PoolStatus {
        let status = self.pool.status();
        let idle = (status.available + self.sharing.idle()).min(status.size);
        PoolStatus {
            max_size: status.max_size,
            size: status.size,
            idle,
            in_use: status.size - idle,
            waiting: status.waiting + self.sharing.waiting(),
        }
    }

    fn holders(&self) -> Vec<Holder> {
        self.holders.list()
    }

    async fn close(&self, deadline: Duration) -> Result<()> {
        // `None` is further than the clock reaches.
        let end = Instant::now().checked_add(deadline);
        self.pool.close();
        self.sharing.close();
        loop {
            match self.pool.status().size {
                0 => return Ok(()),
                in_use if end.is_some_and(|end| Instant::now() >= end) => {
                    return Err(Error::close_timeout(deadline, in_use));
                }
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
