//! The blocking service, with a limit on the threads that wait for it.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use catamaran::{
    Batch, Bytes, BytesIter, DatabaseService, Description, EachRow, Error, Executor, Offloaded, Outcome, Result, Row,
    RowIter, Session, ToSql,
};

/// The blocking service and the permits to call it. Made once, it lives in the application's state; clones share both.
///
/// There are as many permits as the pool has connections ([`max_size`](catamaran::PoolStatus::max_size) when this is
/// made). A handler waits for one *before* it takes a thread, so that a slow database holds up requests and not the
/// threads that everything else needs. The permit comes back when the handler's code has ended, also when its request
/// was given up in the meantime.
///
/// ```
/// # fn example(service: std::sync::Arc<dyn catamaran::DatabaseService>) {
/// use catamaran_axum::BlockingService;
/// use std::time::Duration;
///
/// let service = BlockingService::new(service).with_wait(Duration::from_secs(2));
/// # }
/// ```
#[derive(Clone)]
pub struct BlockingService(Offloaded);

impl BlockingService {
    /// Wraps a service. A call waits 5 s for a permit at most.
    pub fn new(service: Arc<dyn DatabaseService>) -> Self {
        Self(Offloaded::new(service))
    }

    /// Sets how long a call waits for a permit at most. The permits are new ones.
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self(Offloaded::with_wait(self.service().clone(), wait))
    }

    /// The service itself.
    pub fn service(&self) -> &Arc<dyn DatabaseService> {
        self.0.service()
    }

    /// The service as an async one, with the same permits.
    pub fn offloaded(&self) -> &Offloaded {
        &self.0
    }

    /// Runs a closure on a blocking thread with one connection, a [`Session`], for the whole of it.
    ///
    /// What the closure is given passes as `&dyn Executor` to helpers. A panic in it goes on in the caller.
    ///
    /// What a statement leaves on the connection is there for those behind it: advisory locks, `SET`, temporary tables,
    /// cursors, `LISTEN`, `currval`. A closure that relies on it moves to
    /// [`session`](catamaran::AsyncDatabaseService::session) of the async service, and not to the service itself, where
    /// each statement may have another connection. Nothing else tells: both compile.
    ///
    /// The error may be any type made from [`catamaran::Error`]. Where nothing else says which, name it:
    /// `Ok::<_, HttpError>(value)`.
    ///
    /// ```
    /// use axum::{Json, extract::Path};
    /// use catamaran::{Executor, Row};
    /// use catamaran_axum::{BlockingDb, Result};
    ///
    /// fn check_agent(db: &dyn Executor, id: i64) -> catamaran::Result<()> {
    ///     db.fetch_one("SELECT 1 FROM agents WHERE id = $1", &[&id]).map(drop)
    /// }
    ///
    /// async fn history(db: BlockingDb, Path(id): Path<i64>) -> Result<Json<Vec<Row>>> {
    ///     let rows = db.run(move |db| {
    ///         check_agent(db, id)?;
    ///         db.fetch_all("SELECT role, content FROM chat_history WHERE agent_id = $1", &[&id])
    ///     }).await?;
    ///     Ok(Json(rows))
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for a permit, the closure never runs. Dropped later, it runs to its end, and keeps the
    /// permit until then.
    ///
    /// # Errors
    ///
    /// `PoolTimeout` if no permit came free in time; what [`session`](DatabaseService::session) fails with; the
    /// closure's own.
    #[track_caller]
    pub fn run<T, E, F>(&self, closure: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: FnOnce(&mut dyn Session) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.run(closure)
    }
}

impl Deref for BlockingService {
    type Target = dyn DatabaseService;

    fn deref(&self) -> &Self::Target {
        &**self.service()
    }
}

// So that `&db` passes where `&dyn Executor` is asked, as it does for the async service.
impl Executor for BlockingService {
    #[track_caller]
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.service().execute(sql, params)
    }

    #[track_caller]
    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.service().fetch_all(sql, params)
    }

    #[track_caller]
    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.service().fetch_one(sql, params)
    }

    #[track_caller]
    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.service().fetch_optional(sql, params)
    }

    #[track_caller]
    fn batch_execute(&self, sql: &str) -> Result<()> {
        self.service().batch_execute(sql)
    }

    #[track_caller]
    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        self.service().fetch_iter(sql, params)
    }

    #[track_caller]
    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        self.service().copy_in(sql, chunks)
    }

    #[track_caller]
    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
        self.service().copy_out(sql)
    }

    #[track_caller]
    fn describe(&self, sql: &str) -> Result<Description> {
        self.service().describe(sql)
    }

    #[track_caller]
    fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.service().fetch_each(sql, params, each)
    }

    #[track_caller]
    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        self.service().execute_many(sql, sets)
    }

    #[track_caller]
    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        self.service().run_batch(batch)
    }
}

impl fmt::Debug for BlockingService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingService")
            .field("status", &self.service().status())
            .field("free_permits", &self.0.free_permits())
            .finish_non_exhaustive()
    }
}
