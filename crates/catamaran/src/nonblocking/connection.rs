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

use bytes::Bytes;
use deadpool_postgres::ClientWrapper;
use futures_core::Stream;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, TryStreamExt as _};
use postgres_types::ToSql;
use tokio::{
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_postgres::{CancelToken, Client, RowStream, Statement};

use super::{
    driver::Crowded,
    running::{Abandoned, Running},
};
use crate::{
    Description, Error, ErrorKind, Result, Row,
    call::Call,
    driver_error::{connecting, using},
    holders::{Hold, Holders, Listed, Origin, Work},
    row::Column,
    row_count,
    statement_cache::{Kept, StatementCache},
    tls::Connector,
    traces::{CLEANING, GRACE, Traces, Travel},
    transaction::Level,
};

/// How often a statement is run that does not fit any more: tables may change again before it is its turn.
const RUNS: u32 = 4;

pub(crate) struct Connection {
    pub(super) client: ClientWrapper,
    /// What sends and receives for the client.
    driver: AbortHandle,
    crowded: Crowded,
    cancel: (CancelToken, Connector),
    statements: Mutex<StatementCache>,
    /// Held while a statement is prepared, which several may ask for at once on a shared connection.
    preparing: tokio::sync::Mutex<()>,
    /// The time of a round trip in which the server has nothing to do.
    trip: Duration,
    traces: AtomicU8,
    abandoned: AtomicU8,
    /// The server reported an error since the innermost transaction began.
    failed: AtomicBool,
    /// The server said goodbye, which the driver notices only at its next read.
    lost: AtomicBool,
    /// A row or COPY stream is open.
    pub(super) streaming: AtomicBool,
    /// The requests on their way.
    pub(super) running: AtomicUsize,
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
            failed: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            streaming: AtomicBool::new(false),
            running: AtomicUsize::new(0),
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
        self.driver.abort();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lost.load(SeqCst) || self.client.is_closed()
    }

    /// Nothing is left on it and nothing runs: it can be used by anyone.
    pub(crate) fn is_clean(&self) -> bool {
        self.left() == Traces::NONE && self.abandoned.load(SeqCst) == Abandoned::Nothing as u8
    }

    pub(crate) async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let running = self.start(Abandoned::Statement)?;
        running.done(self.execute_kept(sql, params).await)
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
        let mut rows = match self.send(sql, params).await {
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
                None => return running.done(row_count::at_most_one(count).map(|()| first.map(Row::from_driver))),
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
        let mut rows = match self.send(sql, params).await {
            Ok(rows) => pin!(rows),
            Err(error) => return running.done(Err(error)),
        };
        loop {
            match rows.as_mut().next().await {
                // Dropped by an error, the statement counts as abandoned.
                Some(Ok(row)) => each(Row::from_driver(row))?,
                Some(Err(error)) => return running.done(Err(using(error))),
                None => return running.done(Ok(())),
            }
        }
    }

    pub(crate) async fn batch(&self, sql: &str) -> Result<()> {
        let running = self.start(Abandoned::Statement)?;
        self.note(Traces::of_batch(sql));
        self.statements().runs(sql);
        running.done(self.client.batch_execute(sql).await.map_err(using))
    }

    pub(crate) async fn describe(&self, sql: &str) -> Result<Description> {
        let running = self.start(Abandoned::Statement)?;
        // Prepared anew: what is kept tells of the tables as they were.
        let statement = running.done(self.prepare(sql).await)?;
        let columns = statement.columns().iter().map(|column| Column::new(column.name(), column.type_().clone()));
        Ok(Description::new(statement.params().to_vec(), columns.collect()))
    }

    pub(crate) async fn copy_in(
        &self,
        sql: &str,
        chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
    ) -> Result<u64> {
        let running = self.start(Abandoned::Statement)?;
        let copy = async {
            let kept = self.keep(sql).await?.travels(Travel::CopyIn)?;
            let sink = self.client.copy_in::<_, Bytes>(&kept.statement).await.map_err(using)?;
            let mut sink = std::pin::pin!(sink);
            while let Some(chunk) = chunks.next().await {
                sink.send(chunk?).await.map_err(using)?;
            }
            sink.finish().await.map_err(using)
        };
        let result = copy.await;
        // An error among the chunks makes the server report one too, which nobody reads.
        if result.is_err() {
            self.failed.store(true, SeqCst);
        }
        running.done(result)
    }

    /// Rows as they come. Whoever takes them holds the connection by a [`Streaming`](super::stream::Streaming).
    pub(crate) async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<impl Stream<Item = Result<Row>> + Send + use<>> {
        let running = self.start(Abandoned::Statement)?;
        Ok(running.done(self.send(sql, params).await)?.map_ok(Row::from_driver).map_err(using))
    }

    /// COPY data as it comes. Whoever takes it holds the connection by a [`Streaming`](super::stream::Streaming).
    pub(crate) async fn copy_out(&self, sql: &str) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let running = self.start(Abandoned::Statement)?;
        let data = async {
            let kept = self.keep(sql).await?.travels(Travel::CopyOut)?;
            self.client.copy_out(&kept.statement).await.map_err(using)
        };
        Ok(running.done(data.await)?.map_err(using))
    }

    /// Runs the `BEGIN` or `SAVEPOINT` of a transaction.
    pub(crate) async fn begin(&self, sql: &str) -> Result<()> {
        self.note(Traces::TRANSACTION);
        self.batch(sql).await?;
        self.failed.store(false, SeqCst);
        Ok(())
    }

    /// Commits, or fails if the transaction has failed: the server would roll back and report success.
    pub(crate) async fn commit(&self, level: Level) -> Result<()> {
        let running = self.start(Abandoned::Commit)?;
        let commit = async {
            if self.failed.load(SeqCst) {
                self.client.batch_execute("SELECT 1").await.map_err(using)?;
            }
            self.client.batch_execute(&level.commit_sql()).await.map_err(using)
        };
        running.done(commit.await.map_err(Error::of_commit))?;
        self.ended(level);
        Ok(())
    }

    pub(crate) async fn rollback(&self, level: Level) -> Result<()> {
        let running = self.start(Abandoned::Commit)?;
        running.done(self.client.batch_execute(&level.rollback_sql()).await.map_err(using))?;
        self.failed.store(false, SeqCst);
        self.rolled_back();
        self.ended(level);
        Ok(())
    }

    /// Rolls back ahead of whatever comes next, without waiting for the answer.
    pub(crate) fn rollback_behind(&self, level: Level) {
        // The driver sends a request at the first poll, and reads an answer that nobody waits for.
        let _ = self.client.batch_execute(&level.rollback_sql()).now_or_never();
        self.rolled_back();
    }

    /// Nothing is left of a transaction once its outermost level has ended.
    pub(super) fn ended(&self, level: Level) {
        if level.is_outermost() {
            self.traces.store(self.left().without(Traces::TRANSACTION).settled().bits(), SeqCst);
        }
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        let running = self.start(Abandoned::Statement)?;
        running.done(self.client.check_connection().await.map_err(using))
    }

    /// Waits for what still runs, undoes what was left, and says whether the connection can be used again.
    ///
    /// A statement that goes on for longer is cancelled on the server, and the connection given up: nothing tells when
    /// the cancellation has arrived, and it must not hit the next caller's statement.
    pub(crate) async fn clean(&self) -> bool {
        let abandoned = self.abandoned.load(SeqCst);
        let Some(undo) = self.left().undo_sql().filter(|_| abandoned < Abandoned::Prepare as u8) else { return false };
        let cancels = abandoned == Abandoned::Statement as u8;
        match timeout(if cancels { GRACE } else { CLEANING }, self.client.batch_execute(undo)).await {
            Ok(Ok(())) => {
                self.traces.store(Traces::NONE.bits(), SeqCst);
                self.abandoned.store(Abandoned::Nothing as u8, SeqCst);
                self.failed.store(false, SeqCst);
                true
            }
            Ok(Err(_)) => false,
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

    pub(super) fn note(&self, traces: Traces) {
        if traces.has(Traces::SCHEMA) {
            self.statements().clear();
        }
        self.traces.store(self.left().and(traces).settled().bits(), SeqCst);
    }

    /// What was changed within a transaction changes back.
    fn rolled_back(&self) {
        if self.left().has(Traces::SCHEMA) {
            self.statements().clear();
        }
    }

    pub(super) fn note_failure<T>(&self, result: &Result<T>) {
        match result.as_ref().map_err(Error::kind) {
            Err(ErrorKind::Server) => self.failed.store(true, SeqCst),
            Err(ErrorKind::ConnectionLost | ErrorKind::CommitUnknown) => self.lost.store(true, SeqCst),
            _ => {}
        }
    }

    pub(super) fn start(&self, what: Abandoned) -> Result<Running<'_>> {
        if self.streaming.load(SeqCst) {
            return Err(Error::busy());
        }
        Ok(self.mark(what))
    }

    /// Notes what is going on, for what already has the connection.
    pub(super) fn mark(&self, what: Abandoned) -> Running<'_> {
        Running::new(self, what)
    }

    pub(super) fn abandon(&self, what: Abandoned) {
        self.abandoned.fetch_max(what as u8, SeqCst);
    }

    /// The outermost transaction was rolled back.
    pub(super) fn undone(&self) {
        self.failed.store(false, SeqCst);
        self.rolled_back();
        self.ended(Level::OUTERMOST);
    }

    async fn execute_kept(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let mut runs = 1;
        loop {
            let kept = self.keep(sql).await?;
            kept.check_for(Travel::Rows, params.len())?;
            match self.client.execute(&kept.statement, params).await.map_err(using) {
                Err(error) if runs < RUNS && self.may_prepare_again(sql, &error) => runs += 1,
                result => return result,
            }
        }
    }

    /// Sends a statement and waits until the server has accepted it.
    async fn send(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream> {
        let mut runs = 1;
        loop {
            let kept = match self.kept(sql) {
                Some(kept) => kept,
                None => Box::pin(self.prepare_kept(sql)).await?,
            };
            kept.check_for(Travel::Rows, params.len())?;
            // The driver's future is large: on its own it fits what an allocator keeps at hand, and made where it stays
            // it is not moved.
            let sending = Box::write(Box::new_uninit(), self.client.query_raw(&kept.statement, params.iter().copied()));
            match Box::into_pin(sending).await.map_err(using) {
                Err(error) if runs < RUNS && self.may_prepare_again(sql, &error) => runs += 1,
                result => return result,
            }
        }
    }

    /// The statement of this text, prepared now if it is not kept. Also notes what running it may leave.
    async fn keep(&self, sql: &str) -> Result<Kept> {
        match self.kept(sql) {
            Some(kept) => Ok(kept),
            None => Box::pin(self.prepare_kept(sql)).await,
        }
    }

    /// The statement of this text if it is kept. Also notes what running it may leave.
    fn kept(&self, sql: &str) -> Option<Kept> {
        let kept = self.statements().get(sql)?;
        if kept.traces != Traces::NONE {
            self.note(kept.traces);
        }
        Some(kept)
    }

    /// Prepares a statement once, however many ask for it at the same time.
    async fn prepare_kept(&self, sql: &str) -> Result<Kept> {
        let _one_at_a_time = self.preparing.lock().await;
        if let Some(kept) = self.kept(sql) {
            return Ok(kept);
        }
        let kept = Kept::new(sql, self.prepare(sql).await?);
        self.statements().insert(sql, kept.clone());
        self.note(kept.traces);
        Ok(kept)
    }

    async fn prepare(&self, sql: &str) -> Result<Statement> {
        let running = self.start(Abandoned::Prepare)?;
        running.done(self.client.prepare(sql).await.map_err(using))
    }

    /// Forgets a statement that no longer fits; it may be prepared and run again, since the server refused to run it.
    /// Inside a transaction the refusal has failed the transaction.
    pub(super) fn may_prepare_again(&self, sql: &str, error: &Error) -> bool {
        if !error.is_stale_statement() {
            return false;
        }
        self.statements().remove(sql);
        !self.left().has(Traces::TRANSACTION)
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
