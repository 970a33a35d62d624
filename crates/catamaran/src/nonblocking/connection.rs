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
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use postgres_types::ToSql;
use tokio::{
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_postgres::{CancelToken, Client, RowStream, Statement};

use super::{
    driver::Crowded,
    frame::Alone,
    running::{Abandoned, Running},
};
use crate::{
    Description, Error, ErrorKind, Result, Row,
    call::Call,
    driver_error::{connecting, using},
    holders::{Hold, Holders, Listed, Origin, Work},
    kinds::Followed,
    many::{ASK, FAILED_TRANSACTION, NO_TRANSACTION},
    row::Column,
    row_count,
    stale::{RUNS, Verdict, verdict},
    statement_cache::{Kept, StatementCache, knows_composites},
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
    preparing: tokio::sync::Mutex<()>,
    /// The time of a round trip in which the server has nothing to do.
    trip: Duration,
    traces: AtomicU8,
    abandoned: AtomicU8,
    /// Something has to be settled before anything else is run.
    unsettled: AtomicBool,
    pub(super) owed: Mutex<Owed>,
    /// Held while that is settled, which several calls of a session may ask for at once.
    settling: tokio::sync::Mutex<()>,
    /// The server said goodbye, which the driver notices only at its next read.
    lost: AtomicBool,
    /// A stream, a COPY or many statements have the connection for themselves.
    pub(super) streaming: AtomicBool,
    /// The requests on their way.
    pub(super) running: AtomicUsize,
    /// The driver knows types whose fields have names.
    composites: AtomicBool,
    followed: Followed,
    /// Where it is noted who holds it.
    listed: Listed,
}

/// What has to be settled before anything else is run.
#[derive(Default)]
pub(super) struct Owed {
    /// The connection was given up, or the server has closed it.
    gone: bool,
    /// A COPY in did not come to its end: the next answer may be that of another request.
    proof: bool,
    /// A transaction was rolled back without waiting for the answer.
    rollback: bool,
    /// Savepoints that were dropped.
    levels: Vec<Level>,
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
            settling: tokio::sync::Mutex::new(()),
            lost: AtomicBool::new(false),
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

    pub(crate) async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let running = self.ready(Abandoned::Statement).await?;
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
        let running = self.ready(Abandoned::Statement).await?;
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
        let running = self.ready(Abandoned::Statement).await?;
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
        check_sendable(sql)?;
        Travel::refuse_copies(sql)?;
        let running = self.ready(Abandoned::Statement).await?;
        self.note(Traces::of_batch(sql));
        self.statements().runs(sql);
        let batch = async {
            let _alone = if commits(sql) { Box::pin(self.alone_to_commit()).await? } else { None };
            self.client.batch_execute(sql).await.map_err(using)
        };
        running.done(batch.await)
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
        let stream = match self.for_stream() {
            Ok(stream) => stream,
            Err(error) => return running.done(Err(error)),
        };
        let rows = running.done(self.send(sql, params).await)?;
        stream.leave_to_stream();
        Ok(rows.map_ok(Row::from_driver).map_err(using))
    }

    /// Runs the `BEGIN` or `SAVEPOINT` of a transaction, which is `open` from the moment in which that is sent.
    pub(crate) async fn begin(&self, level: Level, sql: &str, open: &mut bool) -> Result<()> {
        let running = self.ready(Abandoned::Statement).await?;
        self.begins(level);
        self.statements().runs(sql);
        *open = true;
        running.done(self.client.batch_execute(sql).await.map_err(using))
    }

    /// Notes that a level of a transaction begins.
    pub(super) fn begins(&self, level: Level) {
        self.ended(level);
        self.note(Traces::TRANSACTION);
    }

    /// Commits, or fails if the server has not; see [`Level::commit_sql`]. A level that was refused its commit is `open`
    /// still.
    pub(crate) async fn commit(&self, level: Level, open: &mut bool) -> Result<()> {
        let running = self.ready(Abandoned::Commit).await?;
        if level.is_outermost() && self.left().has(Traces::ENDED) {
            // What is open now, if anything, is not what was begun.
            return running.done(Err(Error::transaction_ended()));
        }
        // A savepoint that is being released must not be rolled back: if it is gone by then, that fails what is around
        // it. Behind a `COMMIT` a rollback does nothing, or what is needed.
        *open = level.is_outermost();
        let committed = self.client.batch_execute(&level.commit_sql()).await.map_err(using).map_err(Error::of_commit);
        *open = committed.is_err();
        running.done(committed)?;
        self.ended(level);
        Ok(())
    }

    /// Rolls back, or fails if a statement has ended the transaction before.
    pub(crate) async fn rollback(&self, level: Level, open: &mut bool) -> Result<()> {
        // They go with it.
        self.owed().levels.clear();
        let running = self.ready(Abandoned::Commit).await?;
        let was_ended = level.is_outermost() && self.left().has(Traces::ENDED);
        *open = level.is_outermost();
        let rolled_back = self.client.batch_execute(&level.rollback_sql()).await.map_err(using);
        *open = rolled_back.is_err();
        running.done(rolled_back)?;
        self.rolled_back();
        self.ended(level);
        if was_ended { Err(Error::transaction_ended()) } else { Ok(()) }
    }

    /// Rolls back ahead of whatever comes next.
    pub(crate) fn rollback_behind(&self, level: Level) {
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
        let Some(undo) = left.undo_sql().filter(|_| abandoned < Abandoned::Prepare as u8) else { return false };
        let cancels = abandoned <= Abandoned::Copy as u8;
        let undoing = async {
            // Out of step, the end of something else would pass for that of the undoing.
            let unproved = self.owed().proof;
            if unproved && !self.is_in_step().await {
                return Ok(false);
            }
            self.client.batch_execute(undo).await.map(|()| true)
        };
        match timeout(if cancels { GRACE } else { CLEANING }, undoing).await {
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
            Box::pin(self.settle()).await?;
        }
        Ok(running)
    }

    /// Does what is owed, in its order. Dropped or failing midway, the rest is owed still.
    async fn settle(&self) -> Result<()> {
        if self.owed().gone {
            return Err(Error::lost());
        }
        let _one_at_a_time = self.settling.lock().await;
        if self.owed().proof {
            self.prove().await?;
            self.owed().proof = false;
        }
        if self.owed().rollback {
            if self.is_transaction_open().await? {
                self.client.batch_execute(&Level::OUTERMOST.rollback_sql()).await.map_err(using)?;
            }
            self.ended(Level::OUTERMOST);
            self.owed().rollback = false;
        }
        loop {
            let Some(level) = self.owed().levels.first().copied() else { break };
            self.client.batch_execute(&level.rollback_sql()).await.map_err(using)?;
            self.owed().levels.remove(0);
        }
        self.unsettled.store(false, SeqCst);
        Ok(())
    }

    /// Notes something that has to be settled before anything else is run.
    fn owe(&self, note: impl FnOnce(&mut Owed)) {
        note(&mut self.owed());
        self.unsettled.store(true, SeqCst);
    }

    fn owed(&self) -> std::sync::MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, what: Abandoned) -> Result<Running<'_>> {
        // Counted first: whoever takes the connection for himself looks at the count after that.
        let running = self.mark(what);
        if self.streaming.load(SeqCst) { running.done(Err(Error::busy())) } else { Ok(running) }
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

    async fn execute_kept(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let mut runs = 1;
        loop {
            let (kept, was_kept) = self.keep(sql).await?;
            kept.check_for(Travel::Rows, params.len())?;
            self.note_of(&kept);
            let _alone = if kept.commits { Box::pin(self.alone_to_commit()).await? } else { None };
            match self.client.execute(&kept.statement, params).await.map_err(using) {
                Err(error) if self.runs_again(sql, &kept, was_kept, &error) && runs < RUNS => runs += 1,
                result => return result,
            }
        }
    }

    /// Sends a statement and waits until the server has accepted it.
    async fn send(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream> {
        let mut runs = 1;
        loop {
            let (kept, was_kept) = match self.kept(sql) {
                Some(kept) => (kept, true),
                None => (Box::pin(self.prepare_kept(sql)).await?, false),
            };
            kept.check_for(Travel::Rows, params.len())?;
            self.note_of(&kept);
            let _alone = if kept.commits { Box::pin(self.alone_to_commit()).await? } else { None };
            // The driver's future is large: on its own it fits what an allocator keeps at hand, and made where it stays
            // it is not moved.
            let sending = Box::write(Box::new_uninit(), self.client.query_raw(&kept.statement, params.iter().copied()));
            match Box::into_pin(sending).await.map_err(using) {
                Err(error) if self.runs_again(sql, &kept, was_kept, &error) && runs < RUNS => runs += 1,
                result => return result,
            }
        }
    }

    /// The statement of this text, prepared now if it is not kept, and whether it was.
    pub(super) async fn keep(&self, sql: &str) -> Result<(Kept, bool)> {
        match self.kept(sql) {
            Some(kept) => Ok((kept, true)),
            None => Ok((Box::pin(self.prepare_kept(sql)).await?, false)),
        }
    }

    /// The statement of this text if it is kept.
    pub(super) fn kept(&self, sql: &str) -> Option<Kept> {
        let mut statements = self.statements();
        if self.followed.is_behind() {
            statements.clear();
            self.client.clear_type_cache();
        }
        statements.get(sql)
    }

    /// Notes what running a statement may leave.
    fn note_of(&self, kept: &Kept) {
        if kept.traces != Traces::NONE {
            self.note(kept.traces);
        }
    }

    /// Prepares a statement once, however many ask for it at the same time.
    async fn prepare_kept(&self, sql: &str) -> Result<Kept> {
        let _one_at_a_time = self.preparing.lock().await;
        if let Some(kept) = self.kept(sql) {
            return Ok(kept);
        }
        let kept = Kept::new(sql, self.prepare(sql).await?);
        self.keep_prepared(sql, &kept);
        Ok(kept)
    }

    /// Keeps what was prepared, unless that can come to mean something else without anybody noticing.
    pub(super) fn keep_prepared(&self, sql: &str, kept: &Kept) {
        if kept.is_of_the_moment() {
            self.statements().runs(sql);
        } else {
            self.statements().insert(sql, kept.clone());
        }
    }

    async fn prepare(&self, sql: &str) -> Result<Statement> {
        check_sendable(sql)?;
        let running = self.mark(Abandoned::Prepare);
        self.forget_composites();
        let prepared = self.client.prepare(sql).await.map_err(using);
        if prepared.as_ref().is_err_and(Error::is_forgotten_statement) {
            // The driver's own statements for looking up types are gone, and it makes them once.
            self.cut();
        }
        let statement = running.done(prepared)?;
        self.note_composites(&statement);
        Ok(statement)
    }

    /// Notes what the driver has learned of types.
    pub(super) fn note_composites(&self, statement: &Statement) {
        if knows_composites(statement) {
            self.composites.store(true, Relaxed);
        }
    }

    /// Has the driver look again for the fields of types, which may have been renamed.
    pub(super) fn forget_composites(&self) {
        if self.composites.swap(false, Relaxed) {
            self.client.clear_type_cache();
        }
    }

    /// Whether a statement that has failed is to be prepared anew and run again. One that may not fit is forgotten.
    pub(super) fn runs_again(&self, sql: &str, kept: &Kept, was_kept: bool, error: &Error) -> bool {
        let verdict = verdict(kept, was_kept, self.left().has(Traces::TRANSACTION), error);
        if verdict != Verdict::Stands {
            self.statements().remove(sql);
            if !error.is_forgotten_statement() {
                self.client.clear_type_cache();
            }
        }
        verdict == Verdict::Again
    }

    /// Whether a transaction is open. The server is asked only if a statement may have left one.
    pub(super) async fn is_in_transaction(&self) -> Result<bool> {
        if !self.left().has(Traces::TRANSACTION) {
            return Ok(false);
        }
        match self.client.batch_execute(ASK).await.map_err(using) {
            Ok(()) => Ok(true),
            // Nothing is forgotten for it: by now there may be another.
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fails within a transaction that was begun by hand, which one begun in it would end.
    pub(super) async fn check_no_transaction(&self) -> Result<()> {
        let running = self.ready(Abandoned::Statement).await?;
        if running.done(self.is_in_transaction().await)? { Err(Error::within_another()) } else { Ok(()) }
    }

    /// The same of one that may have failed, whatever was noted.
    async fn is_transaction_open(&self) -> Result<bool> {
        match self.client.batch_execute(ASK).await.map_err(using) {
            Ok(()) => Ok(true),
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => Ok(false),
            Err(error) if error.sqlstate() == Some(FAILED_TRANSACTION) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes the connection for a `COMMIT` written by hand, so that what others send does not come between the question
    /// and the commit. A stream has it already.
    async fn alone_to_commit(&self) -> Result<Option<Alone<'_>>> {
        let alone = if self.streaming.load(SeqCst) { None } else { Some(self.alone()?) };
        self.may_commit().await?;
        Ok(alone)
    }

    /// Fails where a `COMMIT` written by hand would roll back and report success, and rolls back instead.
    pub(super) async fn may_commit(&self) -> Result<()> {
        match self.is_in_transaction().await.map_err(Error::of_commit) {
            Err(error) if error.kind() == ErrorKind::TransactionAborted => {
                self.client.batch_execute(&Level::OUTERMOST.rollback_sql()).await.map_err(using)?;
                self.undone();
                // For whoever has begun it by other means than by hand.
                self.note(Traces::ENDED);
                Err(error)
            }
            result => result.map(drop),
        }
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
