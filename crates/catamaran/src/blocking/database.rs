//! An r2d2 pool of postgres clients as a service, which must not be used on a thread that drives futures.

use std::{
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use bytes::Bytes;
use postgres_types::ToSql;
use r2d2::{NopErrorHandler, Pool, PooledConnection};

use super::{
    lease::Access,
    manager::{Manager, Pooled},
    queue::Queue,
    stream,
    transaction::OpenTransaction,
    upkeep::Upkeep,
};
use crate::{
    Batch, BytesIter, Config, DatabaseService, Description, EachRow, Error, Executor, Holder, Outcome, PoolStatus,
    Result, Row, RowIter, Session, Transaction, TransactionOptions,
    budget::{Budget, Evict, Side},
    holders::Holders,
    many::{Many, Within, counts},
    row_count,
};

/// What r2d2 may take beyond the time for connecting, so that it is the connection's error that arrives.
const MARGIN: Duration = Duration::from_secs(1);
/// How often a service that is being closed looks whether all connections are back.
const DRAIN: Duration = Duration::from_millis(5);

/// The pool, and what waits in front of it.
pub(crate) struct Database {
    pub(super) pool: Pool<Manager>,
    pub(super) manager: Manager,
    pub(super) queue: Arc<Queue>,
    pub(super) holders: Arc<Holders>,
    pub(super) upkeep: Upkeep,
    pub(super) checkout_timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// How many connections there can be at most.
    pub(super) most: usize,
    /// Lives as long as this.
    _evictor: Arc<dyn Evict>,
}

/// Closes idle connections for the other pool of a budget.
struct Evictor(Pool<Manager>);

impl Evict for Evictor {
    fn evict_idle(&self) {
        if let Some(pooled) = self.0.try_get() {
            discard(pooled);
        }
    }
}

impl Database {
    pub(crate) fn new(config: Config, budget: Option<Arc<Budget>>) -> Result<Self> {
        config.validate()?;
        let (checkout_timeout, connect_timeout) = (config.get_checkout_timeout(), config.get_connect_timeout());
        let size = config.get_max_size();
        let (queue, holders) = (Queue::new(size as usize), config.holders(budget.as_ref()));
        let most = config.most_connections(budget.as_ref());
        let manager = Manager::new(config, budget)?;
        let limits = *manager.limits();
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .idle_timeout(Some(limits.idle_timeout))
            .max_lifetime(Some(limits.max_lifetime))
            .connection_timeout(connect_timeout + MARGIN)
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(manager.clone());
        let evictor: Arc<dyn Evict> = Arc::new(Evictor(pool.clone()));
        if let Some(budget) = manager.budget() {
            budget.set_evict(Side::Blocking, Arc::downgrade(&evictor));
        }
        let upkeep = Upkeep::new();
        Ok(Self { pool, manager, queue, holders, upkeep, checkout_timeout, connect_timeout, most, _evictor: evictor })
    }
}

/// Has a connection closed before another is asked for.
pub(super) fn discard(mut pooled: PooledConnection<Manager>) {
    if let Pooled::Live { broken, .. } = &mut *pooled {
        *broken = true;
    }
}

impl Executor for Database {
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.checkout()?.connection().with(|open| open.execute(sql, params))
    }

    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.checkout()?.connection().with(|open| open.all(sql, params))
    }

    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.checkout()?.connection().with(|open| open.optional(sql, params))?.ok_or_else(row_count::none)
    }

    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.checkout()?.connection().with(|open| open.optional(sql, params))
    }

    fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        stream::each(Access::Owned(self.checkout()?), sql, params, each)
    }

    fn batch_execute(&self, sql: &str) -> Result<()> {
        self.checkout()?.connection().with(|open| open.batch(sql))
    }

    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        stream::rows(Access::Owned(self.checkout()?), sql, params)
    }

    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        self.checkout()?.connection().with(|open| open.copy_in(sql, chunks, Within::Connection))
    }

    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
        stream::copy_out(Access::Owned(self.checkout()?), sql, Within::Connection)
    }

    fn describe(&self, sql: &str) -> Result<Description> {
        self.checkout()?.connection().with(|open| open.describe(sql))
    }

    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.checkout()?.connection().with(|open| open.many(Many::Sets(sql, sets), Within::Connection))?))
    }

    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.checkout()?.connection().with(|open| open.many(Many::Batch(batch), Within::Connection))
    }
}

impl DatabaseService for Database {
    fn begin(&self, options: TransactionOptions) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(OpenTransaction::begin(Access::Owned(self.checkout()?), options)?))
    }

    fn session(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(self.checkout()?))
    }

    fn ping(&self) -> Result<()> {
        self.checkout()?.connection().with(|open| open.ping())
    }

    fn status(&self) -> PoolStatus {
        let state = self.pool.state();
        let (size, idle) = (state.connections as usize, state.idle_connections as usize);
        PoolStatus {
            max_size: self.pool.max_size() as usize,
            size,
            idle,
            in_use: size.saturating_sub(idle),
            waiting: self.queue.waiting(),
        }
    }

    fn holders(&self) -> Vec<Holder> {
        self.holders.list()
    }

    fn close(&self, deadline: Duration) -> Result<()> {
        // `None` is further than the clock reaches.
        let end = Instant::now().checked_add(deadline);
        self.manager.close();
        self.queue.close();
        loop {
            while let Some(pooled) = self.pool.try_get() {
                discard(pooled);
            }
            match self.pool.state().connections as usize {
                0 => return Ok(()),
                in_use if end.is_some_and(|end| Instant::now() >= end) => {
                    return Err(Error::close_timeout(deadline, in_use));
                }
                _ => sleep(DRAIN),
            }
        }
    }
}
