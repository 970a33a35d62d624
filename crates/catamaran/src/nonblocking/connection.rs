//! One connection of the pool: the client, the statements it keeps, and what has to be undone before someone else
//! gets it.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use deadpool_postgres::ClientWrapper;
use futures_core::Stream;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture};
use postgres_types::ToSql;
use tokio::{
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_postgres::{CancelToken, Client};

use super::{
    driver::Crowded,
    owed::Owed,
    running::{Abandoned, Running},
};
use crate::{
    Description, Error, Result, Row,
    begun::Begun,
    call::Call,
    driver_error::{connecting, using},
    holders::{Hold, Holders, Listed, Origin, Work},
    kinds::Followed,
    row::Column,
    row_count,
    statement_cache::StatementCache,
    tls::Connector,
    traces::{CLEANING, GRACE, Traces, Travel, check_sendable, commits},
    transaction::Level,
};

pub(crate) struct Connection {
    pub(super) client: ClientWrapper,
    /// What sends and receives for the client.
    driver: AbortHandle,
    crowded: Crowded,
    cancel: (CancelToken, Connector),
    statements: Mutex<StatementCache>,
    /// Held while a statement is prepared, which several may ask for at once on a shared connection.
    pub(super) preparing: tokio::sync::Mutex<()>,
    /// The time of a round trip in which the server has nothing to do.
    trip: Duration,
    traces: AtomicU8,
    abandoned: AtomicU8,
    /// Something has to be settled before anything else is run.
    pub(super) unsettled: AtomicBool,
    pub(super) owed: Mutex<Owed>,
    /// Held while that is settled, which several calls of a session may ask for at once.
    pub(super) settles: tokio::sync::Mutex<()>,
    /// The server said goodbye, which the driver notices only at its next read.
    lost: AtomicBool,
    /// See [`is_doubtful`](Self::is_doubtful).
    pub(super) doubted: AtomicBool,
    pub(super) begun: Mutex<Begun>,
    /// Held from the mark before a text to the question behind it, as another's mark would pass for it.
    pub(super) marks: tokio::sync::Mutex<()>,
    /// A stream, a COPY or many statements have the connection for themselves.
    pub(super) streaming: AtomicBool,
    /// The requests on their way.
    pub(super) running: AtomicUsize,
    /// The driver knows types whose fields have names.
    pub(super) composites: AtomicBool,
    pub(super) followed: Followed,
    /// Where it is noted who holds it.
    listed: Listed,
}

/// What holders of its connections are reported as.
pub(super) const SERVICE: &str = "async";

impl Connection {
    pub(crate) fn new(
        client: Client,
        driver: JoinHandle<()>,
        crowded: Crowded,
        connector: Connector,
        keep: usize,
    ) -> Self {
        let (driver, client) = (driver.abort_handle(), ClientWrapper::new(client, driver));
        let cancel = (client.cancel_token(), connector);
        Self {
            client,
            driver,
            crowded,
            cancel,
            statements: Mutex::new(StatementCache::new(keep)),
            preparing: tokio::sync::Mutex::new(()),
            trip: Duration::MAX,
            traces: AtomicU8::new(Traces::NONE.bits()),
            abandoned: AtomicU8::new(Abandoned::Nothing as u8),
            unsettled: AtomicBool::new(false),
            owed: Mutex::default(),
            settles: tokio::sync::Mutex::new(()),
            lost: AtomicBool::new(false),
            doubted: AtomicBool::new(true),
            begun: Mutex::default(),
            marks: tokio::sync::Mutex::new(()),
            streaming: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            composites: AtomicBool::new(false),
            followed: Followed::default(),
            listed: Listed::default(),
        }
    }

    /// Measures a round trip.
    pub(crate) async fn timed(mut self) -> Result<Self> {
        let began = Instant::now();
        self.client.batch_execute("").await.map_err(connecting)?;
        self.trip = began.elapsed();
        Ok(self)
    }

    pub(crate) fn trip(&self) -> Duration {
        self.trip
    }

    pub(crate) fn set_crowded(&self, crowded: bool) {
        self.crowded.store(crowded, Relaxed);
    }

    /// Has the driver end: whoever waits for something on it fails.
    pub(crate) fn cut(&self) {
        self.lost.store(true, SeqCst);
        self.owe(|owed| owed.gone = true);
        self.driver.abort();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lost.load(SeqCst) || self.client.is_closed()
    }

    /// Nothing is left on it and nothing runs: it can be used by anyone.
    pub(crate) fn is_clean(&self) -> bool {
        self.left() == Traces::NONE && self.abandoned.load(SeqCst) == Abandoned::Nothing as u8
    }

    /// Someone has not given it back: what reads from it was forgotten and not dropped.
    pub(crate) fn is_in_use(&self) -> bool {
        self.streaming.load(SeqCst) || self.running.load(SeqCst) > 0
    }

    pub(crate) async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let running = self.start(Abandoned::Statement)?;
        if self.unsettled.load(SeqCst) {
            self.settling().await?;
        }
        running.answered(self.execute_kept(sql, params).await)
    }

    pub(crate) async fn all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let mut all = Vec::new();
        self.each(sql, params, |row| {
            all.push(row);
            Ok(())
        })
        .await?;
        Ok(all)
    }

    pub(crate) async fn optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let running = self.start(Abandoned::Statement)?;
        if self.unsettled.load(SeqCst) {
            self.settling().await?;
        }
        let mut rows = match self.send(sql, params, None).await {
            Ok(rows) => pin!(rows),
            Err(error) => return running.done(Err(error)),
        };
        let (mut first, mut count) = (None, 0);
        loop {
            match rows.as_mut().next().await {
                Some(Ok(row)) => {
                    first.get_or_insert(row);
                    count += 1;
                }
                Some(Err(error)) => return running.done(Err(using(error))),
                None => return running.answered(row_count::at_most_one(count).map(|()| first.map(Row::from_driver))),
            }
        }
    }

    /// Hands over each row as it comes, and waits for the statement to end.
    pub(crate) async fn each(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        mut each: impl FnMut(Row) -> Result<()> + Send,
    ) -> Result<()> {
        let running = self.start(Abandoned::Statement)?;
        if self.unsettled.load(SeqCst) {
            self.settling().await?;
        }
        let mut rows = match self.send(sql, params, None).await {
            Ok(rows) => pin!(rows),
            Err(error) => return running.done(Err(error)),
        };
        loop {
            match rows.as_mut().next().await {
                // Dropped by an error, the statement counts as abandoned.
                Some(Ok(row)) => each(Row::from_driver(row))?,
                Some(Err(error)) => return running.done(Err(using(error))),
                None => return running.answered(Ok(())),
            }
        }
    }

    pub(crate) async fn batch(&self, sql: &str) -> Result<()> {
        check_sendable(sql)?;
        Travel::refuse_copies(sql)?;
        let running = self.ready(Abandoned::Statement).await?;
        running.done(self.run_text(sql).await)
    }

    pub(crate) async fn describe(&self, sql: &str) -> Result<Description> {
        let running = self.ready(Abandoned::Statement).await?;
        // Prepared anew: what is kept tells of the tables as they were.
        let statement = running.done(self.prepare(sql).await)?;
        let columns = statement.columns().iter().map(|column| Column::new(column.name(), column.type_().clone()));
        Ok(Description::new(statement.params().to_vec(), columns.collect()))
    }

    /// Rows as they come. The connection is left to a [`Streaming`](super::stream::Streaming).
    pub(crate) async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<impl Stream<Item = Result<Row>> + Send + use<>> {
        let running = self.ready(Abandoned::Statement).await?;
        let stream = match if commits(sql) { self.alone() } else { self.for_stream() } {
            Ok(stream) => stream,
            Err(error) => return running.done(Err(error)),
        };
        let rows = running.done(self.send(sql, params, Some(&stream)).await)?;
        stream.leave_to_stream();
        Ok(rows.map_ok(Row::from_driver).map_err(using))
    }

    /// Runs the `BEGIN` or `SAVEPOINT` of a transaction, which is `open` from the moment in which that is sent.
    pub(crate) async fn begin(&self, level: Level, sql: &str, open: &mut bool) -> Result<()> {
        let running = self.ready(Abandoned::Statement).await?;
        self.begins(level);
        self.statements().runs(sql);
        *open = true;
        let begun = self.client.batch_execute(sql).await.map_err(using);
        // A savepoint that the server has refused needs no rollback, which it would refuse as well.
        *open = level.is_outermost() || !begun.as_ref().is_err_and(|error| error.server_error().is_some());
        running.answered(begun)
    }

    /// Notes that a level of a transaction begins.
    pub(super) fn begins(&self, level: Level) {
        self.ended(level);
        self.note(Traces::TRANSACTION);
        if level.is_outermost() {
            // Whatever made it known has left a doubt.
            if self.doubted.swap(false, SeqCst) {
                *self.begun() = Begun::default();
            }
        }
    }

    /// Commits, or fails if the server has not; see [`Level::commit_sql`]. A level that was refused its commit is `open`
    /// still.
    pub(crate) async fn commit(&self, level: Level, open: &mut bool) -> Result<()> {
        let running = self.ready(Abandoned::Commit).await?;
        if self.lost.load(SeqCst) {
            // It was, before anything of the commit is sent.
            return running.done(Err(Error::lost()));
        }
        let is_doubtful = self.is_doubtful();
        if level.is_outermost() && is_doubtful {
            match Box::pin(self.was_ended()).await.map_err(Error::of_commit) {
                Ok(false) => {}
                // What is open now, if anything, is not what was begun.
                Ok(true) => return running.done(Err(Error::transaction_ended())),
                Err(error) => return running.done(Err(error)),
            }
        }
        // A savepoint that is being released must not be rolled back: if it is gone by then, that fails what is around
        // it. Behind a `COMMIT` a rollback does nothing, or what is needed.
        *open = level.is_outermost();
        let commit = level.commit_sql(is_doubtful);
        let committed = self.client.batch_execute(&commit).await.map_err(using).map_err(Error::of_commit);
        *open = committed.is_err();
        running.answered(committed)?;
        self.ended(level);
        Ok(())
    }

    /// Rolls back, or fails if a statement has ended the transaction before.
    pub(crate) async fn rollback(&self, level: Level, open: &mut bool) -> Result<()> {
        // They go with it.
        self.owed().levels.clear();
        self.begun().goes_back();
        let running = self.ready(Abandoned::Commit).await?;
        let was_ended = level.is_outermost() && self.may_be_ended();
        *open = level.is_outermost();
        let rolled_back =
            self.client.batch_execute(&level.rollback_sql()).await.map_err(using).map_err(Error::of_rollback);
        *open = rolled_back.is_err();
        running.answered(rolled_back)?;
        self.rolled_back();
        self.ended(level);
        if was_ended { Err(Error::transaction_ended()) } else { Ok(()) }
    }

    /// Rolls back ahead of whatever comes next.
    pub(crate) fn rollback_behind(&self, level: Level) {
        self.begun().goes_back();
        if level.is_outermost() {
            // The driver sends a request at the first poll, and reads an answer that nobody waits for: whether it was done is
            // asked before anything else is run.
            let _ = self.client.batch_execute(&level.rollback_sql()).now_or_never();
            self.owe(|owed| (owed.rollback, owed.levels) = (true, Vec::new()));
        } else {
            self.owe(|owed| owed.levels.push(level));
        }
        self.rolled_back();
    }

    /// Nothing is left of a transaction once its outermost level has ended.
    pub(super) fn ended(&self, level: Level) {
        if level.is_outermost() {
            self.rolled_back();
            self.update(Traces::after_transaction);
        }
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        let running = self.ready(Abandoned::Statement).await?;
        running.done(self.client.check_connection().await.map_err(using))
    }

    /// Waits for what still runs, undoes what was left, and says whether the connection can be used again.
    ///
    /// A statement that goes on for longer is cancelled on the server, and the connection given up: nothing tells when
    /// the cancellation has arrived, and it must not hit the next caller's statement.
    pub(crate) async fn clean(&self) -> bool {
        let abandoned = self.abandoned.load(SeqCst);
        let left = self.left();
        let is_known = abandoned < Abandoned::Prepare as u8 && !self.is_in_use();
        let Some(undo) = left.undo_sql().filter(|_| is_known) else { return false };
        let cancels = abandoned <= Abandoned::Copy as u8;
        let is_awaited = cancels && abandoned != Abandoned::Nothing as u8;
        let undoing = async {
            // Out of step, the end of something else would pass for that of the undoing.
            let unproved = self.owed().proof;
            if unproved && !self.is_in_step().await {
                return Ok(false);
            }
            self.client.batch_execute(undo).await.map(|()| true)
        };
        match timeout(if is_awaited { GRACE } else { CLEANING }, undoing).await {
            Ok(Ok(true)) => {
                if left.is_unsettled_by_undoing() {
                    self.statements().clear();
                }
                *self.owed() = Owed::default();
                self.unsettled.store(false, SeqCst);
                self.traces.store(Traces::NONE.bits(), SeqCst);
                self.abandoned.store(Abandoned::Nothing as u8, SeqCst);
                true
            }
            Ok(Ok(false) | Err(_)) => false,
            Err(_) => {
                if cancels {
                    let (token, connector) = &self.cancel;
                    let _ = timeout(CLEANING, token.cancel_query(connector.clone())).await;
                }
                false
            }
        }
    }

    pub(super) fn left(&self) -> Traces {
        Traces::from_bits(self.traces.load(SeqCst))
    }

    fn update(&self, change: impl Fn(Traces) -> Traces) {
        let changed = |bits| Some(change(Traces::from_bits(bits)).bits());
        // Always changed: the closure never declines.
        let _ = self.traces.fetch_update(SeqCst, SeqCst, changed);
    }

    pub(super) fn note(&self, traces: Traces) {
        if self.left().unsettled_by(traces) {
            self.statements().clear();
        }
        self.begun().runs(traces);
        self.update(|left| left.and(traces).settled());
    }

    /// What was changed within a transaction changes back.
    fn rolled_back(&self) {
        if self.left().has(Traces::SCHEMA) {
            self.statements().clear();
        }
    }

    pub(super) fn note_failure<T>(&self, result: &Result<T>) {
        if let Err(error) = result
            && error.is_loss()
        {
            self.lost.store(true, SeqCst);
            // Without a report of the server it may be the driver alone that has given up a request.
            if error.server_error().is_some() {
                self.owe(|owed| owed.gone = true);
            }
        }
    }

    /// Begins a request, unless something has the connection for itself.
    pub(super) async fn ready(&self, what: Abandoned) -> Result<Running<'_>> {
        let running = self.start(what)?;
        if self.unsettled.load(SeqCst) {
            self.settling().await?;
        }
        Ok(running)
    }

    /// What has to be done before anything else, which is seldom: no part of the futures of single statements.
    #[cold]
    fn settling(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.settle())
    }

    #[inline]
    fn start(&self, what: Abandoned) -> Result<Running<'_>> {
        // Counted first: whoever takes the connection for himself looks at the count after that.
        let running = self.mark(what);
        if self.streaming.load(SeqCst) { running.refused() } else { Ok(running) }
    }

    /// Notes what is going on, for what already has the connection.
    pub(super) fn mark(&self, what: Abandoned) -> Running<'_> {
        Running::new(self, what)
    }

    pub(super) fn abandon(&self, what: Abandoned) {
        if what == Abandoned::Copy {
            self.owe(|owed| owed.proof = true);
        }
        self.abandoned.fetch_max(what as u8, SeqCst);
    }

    /// The outermost transaction was rolled back.
    pub(super) fn undone(&self) {
        self.rolled_back();
        self.ended(Level::OUTERMOST);
    }

    pub(super) fn statements(&self) -> std::sync::MutexGuard<'_, StatementCache> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who holds it, and forgets what others have run on it.
    pub(crate) fn held_by(self: &Arc<Self>, holders: &Holders, call: Call, origin: Origin) -> Hold {
        self.forget_last();
        self.listed.hold(holders, SERVICE, self, call, origin)
    }

    fn forget_last(&self) {
        self.statements().forget_last();
    }
}

impl Work for Connection {
    fn statement(&self) -> Option<String> {
        self.statements().last()
    }

    fn is_running(&self) -> bool {
        self.running.load(Relaxed) > 0
    }
}
