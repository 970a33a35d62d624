//! The async service on a deadpool of tokio-postgres clients.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolConfig, PoolError, QueueMode, TimeoutType, Timeouts},
};
use futures_core::Stream;
use futures_util::future::{Either, select};
use postgres_types::ToSql;
use tokio::time::{sleep, timeout_at};

use super::{
    connection::SERVICE,
    lease::{Access, Lease},
    line::Line,
    manager::{Manager, Refused},
    seat::{Opening, Place, Seat, Waiting},
    sharing::Sharing,
    stream,
    transaction::OpenTransaction,
    upkeep::{Kept, Upkeep},
};
use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, Batch, BytesStream, Config, Description,
    EachRow, Error, ErrorKind, Holder, Outcome, PoolStatus, Result, Row, RowStream, TransactionOptions,
    budget::{Budget, Evict, Side},
    call::Call,
    forward::{Later, written_out_async_executor},
    holders::{Holders, Origin, Shared, Wait},
    located::{Located, located},
    many::{Many, Within, counts},
    row_count,
};

/// How long a caller waits for the shared connection that drains for it before another does so too.
const PATIENCE: Duration = Duration::from_millis(20);
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
    sharing: Arc<Sharing>,
    holders: Arc<Holders>,
    checkout_timeout: Duration,
    statement_timeout: Duration,
    /// Whether a caller who would wait for himself is refused, and how many connections there can be at most.
    refuse_nested: Option<usize>,
    upkeep: Upkeep,
    /// Lives as long as this.
    _evictor: Arc<dyn Evict>,
}

/// What the pool gives.
type Got = std::result::Result<Object<Manager>, PoolError<Refused>>;

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
        let refuse_nested = config.get_nested_checkout_fails().then(|| config.most_connections(budget.as_ref()));
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
            refuse_nested,
            upkeep: Upkeep::default(),
            _evictor: evictor,
        })
    }

    /// A connection for one caller alone.
    async fn checkout(&self, call: Call) -> Result<Lease> {
        let origin = Origin::current().await;
        let lease = match (self.pool.manager().budget(), self.sharing.on) {
            (Some(budget), _) => match self.checkout_at_once(Some(budget)).await? {
                Some(lease) => lease,
                None => Box::pin(self.checkout_within(budget, self.wait(call, &origin)?)).await?,
            },
            (None, true) => match self.checkout_at_once(None).await? {
                Some(lease) => lease,
                None => Box::pin(self.checkout_shared(self.wait(call, &origin)?)).await?,
            },
            (None, false) => self.checkout_apart(call, &origin).await?,
        };
        Ok(lease.held_by(&self.holders, call, origin))
    }

    /// Begins to wait for a connection, unless that would be a wait for the caller itself.
    fn wait(&self, call: Call, origin: &Origin) -> Result<Wait> {
        if let Some(most) = self.refuse_nested {
            self.holders.check(SERVICE, most, call, origin)?;
        }
        Ok(Wait::new(Instant::now(), self.checkout_timeout))
    }

    /// One that nobody uses, or that there may be more of, unless others have waited for it.
    async fn checkout_at_once(&self, budget: Option<&Arc<Budget>>) -> Result<Option<Lease>> {
        if budget.is_some_and(|budget| budget.has_line(Side::Nonblocking)) {
            return Ok(None);
        }
        match self.sharing.take_idle() {
            Some(lease) => Ok(Some(lease)),
            None => self.checkout_now().await,
        }
    }

    /// One out of the pool, where none are shared.
    async fn checkout_apart(&self, call: Call, origin: &Origin) -> Result<Lease> {
        self.keep_up();
        let mut getting = pin!(self.pool.get());
        let at_once = poll_fn(|cx| Poll::Ready(getting.as_mut().poll(cx)));
        if let Poll::Ready(result) = at_once.await {
            return self.leased(result);
        }
        let mut wait = self.wait(call, origin)?;
        let result = getting.await;
        wait.woke(wait.end());
        self.waited(result, &wait)
    }

    /// One that comes back, or that a member gives up.
    async fn checkout_shared(&self, mut wait: Wait) -> Result<Lease> {
        let wanted = self.sharing.want();
        let mut getting = pin!(self.pool.get());
        let mut again = false;
        loop {
            wanted.give_up_one(again);
            again = true;
            let until = Instant::now() + PATIENCE;
            let result = timeout_at(until.into(), getting.as_mut()).await;
            wait.woke(until);
            if let Ok(result) = result {
                return self.waited(result, &wait);
            }
        }
    }

    /// The same where another pool may have the connections. Callers wait in the line of the budget alone: what comes
    /// back, here or there, is told to the first of it.
    async fn checkout_within(&self, budget: &Arc<Budget>, mut wait: Wait) -> Result<Lease> {
        let mut waits = budget.has_line(Side::Nonblocking);
        let (wanted, line) = (self.sharing.want(), Line::new(budget, wait.came));
        let mut again = false;
        loop {
            if waits {
                let until = wait.end().min(Instant::now() + PATIENCE);
                if !line.until(until).await {
                    wait.woke(until);
                    if wait.is_over() {
                        return Err(self.timed_out(&wait));
                    }
                }
            }
            // Once more before waiting: what came free in between was told to nobody.
            waits = true;
            if let Some(lease) = self.sharing.take_idle_for_first() {
                return Ok(lease);
            }
            if let Some(lease) = self.checkout_now().await? {
                return Ok(lease);
            }
            wanted.give_up_one(again);
            again = true;
        }
    }

    /// A connection that nobody uses, or a new one if there may be one more.
    async fn checkout_now(&self) -> Result<Option<Lease>> {
        self.keep_up();
        let now = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
        match self.pool.timeout_get(&now).await {
            Err(PoolError::Timeout(TimeoutType::Wait) | PoolError::Backend(Refused::OverBudget)) => Ok(None),
            result => self.leased(result).map(Some),
        }
    }

    fn keep_up(&self) {
        self.upkeep.start(|| Kept {
            pool: self.pool.weak(),
            sharing: Arc::downgrade(&self.sharing),
            holders: Arc::downgrade(&self.holders),
            limits: *self.pool.manager().limits(),
            statement_timeout: self.statement_timeout,
        });
    }

    fn waited(&self, result: Got, wait: &Wait) -> Result<Lease> {
        match result {
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(self.timed_out(wait)),
            result => self.leased(result),
        }
    }

    fn leased(&self, result: Got) -> Result<Lease> {
        match result {
            Ok(object) => Ok(Lease::new(object, self.pool.manager().budget())),
            Err(PoolError::Backend(Refused::Failed(error))) => Err(error),
            Err(PoolError::Closed) => Err(Error::closed()),
            Err(_) => Err(Error::new(ErrorKind::PoolTimeout, "the pool gave no connection")),
        }
    }

    fn timed_out(&self, wait: &Wait) -> Error {
        wait.error(self.status(), self.pool.manager().connects(), &self.holders)
    }

    /// A place for a single statement where there is none at once.
    async fn seat_later<'a>(&'a self, call: Call, sql: &str, mut place: Place<'a>) -> Result<Seat<'a>> {
        let mut wait = Wait::new(Instant::now(), self.checkout_timeout);
        loop {
            let seat = match place {
                Place::Seat(seat) => return Ok(seat),
                _ if wait.is_over() => return Err(self.timed_out(&wait)),
                Place::Own(cost) => return Ok(self.sharing.alone(self.checkout(call).await?, cost)),
                Place::Open(opening) if opening.must => opening.adopt(self.checkout(call).await?.released()),
                // Whoever has another choice takes it when no connection is to be had.
                Place::Open(opening) => match self.checkout_now().await {
                    Ok(Some(lease)) => opening.adopt(lease),
                    _ => None,
                },
                Place::Wait(waiting, None) => {
                    waiting.until(wait.end()).await;
                    None
                }
                Place::Wait(waiting, Some(opening)) => self.first_free(waiting, opening, wait.end()).await,
            };
            if let Some(seat) = seat {
                return Ok(seat);
            }
            wait.woke(wait.end());
            place = self.sharing.place(call, sql, true);
        }
    }

    /// A place on one more connection, or `None` when there may be room on another.
    async fn first_free<'a>(&self, waiting: Box<Waiting<'a>>, opening: Opening<'a>, end: Instant) -> Option<Seat<'a>> {
        // Connecting is not given up for room elsewhere, or it would begin again and again.
        let lease = match self.checkout_now().await {
            Ok(None) => match select(pin!(waiting.until(end)), pin!(self.pool.get())).await {
                Either::Left(_) => return None,
                Either::Right((result, _)) => self.leased(result).ok(),
            },
            result => result.ok().flatten(),
        };
        match lease {
            Some(lease) => opening.adopt(lease),
            None => {
                // Not at once again: what could not be opened will not be for a while.
                sleep(PATIENCE.min(end.saturating_duration_since(Instant::now()))).await;
                None
            }
        }
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
        self.checkout(call).await?.connection().copy_in(sql, chunks).await
    }

    async fn copy_out(&self, call: Call, sql: &str) -> Result<BytesStream<'_>> {
        stream::copy_out(Access::Owned(self.checkout(call).await?), sql).await
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

#[async_trait]
impl AsyncDatabaseService for DeadpoolDatabase {
    #[track_caller]
    fn begin<'life0, 'async_trait>(
        &'life0 self,
        options: TransactionOptions,
    ) -> Later<'async_trait, Box<dyn AsyncTransaction>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let call = Call::here("begin");
        Box::pin(async move {
            let lease = self.checkout(call).await?.held(self.sharing.hold());
            let transaction: Box<dyn AsyncTransaction> =
                Box::new(OpenTransaction::begin(Access::Owned(lease), options).await?);
            Ok(transaction)
        })
    }

    #[track_caller]
    fn session<'life0, 'async_trait>(&'life0 self) -> Later<'async_trait, Box<dyn AsyncSession>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let call = Call::here("session");
        Box::pin(async move {
            let session: Box<dyn AsyncSession> = Box::new(self.checkout(call).await?.held(self.sharing.hold()));
            Ok(session)
        })
    }

    #[track_caller]
    fn ping<'life0, 'async_trait>(&'life0 self) -> Later<'async_trait, ()>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let call = Call::here("ping");
        Box::pin(async move { self.checkout(call).await?.connection().ping().await })
    }

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
        let end = Instant::now() + deadline;
        self.pool.close();
        self.sharing.close();
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
