//! One connection of the pool: the client, the statements it keeps, and what has to be undone before someone else
//! gets it.

use std::{
    io::{self, BufRead as _, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use postgres::{CancelToken, Client, CopyOutReader, RowIter};
use postgres_types::ToSql;

use super::teardown::{elsewhere, off_runtime, on_runtime};
use crate::{
    Canceller, Description, Error, ErrorKind, Result, Row,
    budget::Permit,
    call::Call,
    driver_error::{connecting, using},
    holders::{Hold, Holders, Listed, Origin, Work},
    row::Column,
    row_count,
    statement_cache::{Kept, StatementCache},
    tls::Connector,
    traces::{GRACE, Traces, Travel},
    transaction::Level,
};

/// How a connection is that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing is left on it and nothing runs: it can be used by anyone.
    Clean,
    /// Something is left, or runs.
    Left,
    Closed,
}

/// A connection, or nothing while a stream has it.
pub(crate) struct Connection {
    open: Mutex<Option<Open>>,
    canceller: Canceller,
    /// A statement was cancelled from another thread, and nobody knows when that arrives.
    cancelled: Arc<AtomicBool>,
    permit: Option<Permit>,
    statements: Arc<Mutex<StatementCache>>,
    /// Where it is noted who holds it.
    listed: Listed,
}

/// What holders of its connections are reported as.
pub(super) const SERVICE: &str = "blocking";

/// What a connection consists of.
pub(crate) struct Open {
    pub(super) client: Client,
    cancel: (CancelToken, Connector),
    /// Locked for no longer than it takes to find one, so that others can ask which one runs.
    statements: Arc<Mutex<StatementCache>>,
    traces: Traces,
    /// A stream was dropped before its end: the statement may still run.
    abandoned: bool,
    /// Levels of a transaction that were dropped and not rolled back yet.
    owed: Vec<Level>,
    /// The server reported an error since the innermost transaction began.
    failed: bool,
    /// Not to be used again: the server said goodbye, which the driver notices only at its next read, or nobody knows
    /// what the server is doing.
    lost: bool,
}

impl Connection {
    pub(crate) fn new(client: Client, connector: Connector, keep: usize, permit: Option<Permit>) -> Self {
        let cancel = (client.cancel_token(), connector);
        let cancelled = Arc::<AtomicBool>::default();
        let canceller = {
            let ((token, connector), cancelled) = (cancel.clone(), cancelled.clone());
            let cancel = move || token.cancel_query(connector.clone()).map_err(connecting);
            Canceller::new(move || cancelled.store(true, SeqCst), cancel)
        };
        let statements = Arc::new(Mutex::new(StatementCache::new(keep)));
        let (traces, owed) = (Traces::NONE, Vec::new());
        let open = Open {
            client,
            cancel,
            statements: statements.clone(),
            traces,
            abandoned: false,
            owed,
            failed: false,
            lost: false,
        };
        Self { open: Mutex::new(Some(open)), canceller, cancelled, permit, statements, listed: Listed::default() }
    }

    pub(crate) fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Runs something on the connection, unless a stream has it.
    pub(crate) fn with<T>(&self, run: impl FnOnce(&mut Open) -> Result<T>) -> Result<T> {
        let mut slot = self.slot();
        let open = slot.as_mut().ok_or_else(Error::busy)?;
        let result = open.roll_back_owed().and_then(|()| run(open));
        open.note_failure(&result);
        result
    }

    /// Takes the connection for a stream.
    pub(crate) fn take(&self) -> Result<Open> {
        self.with(Open::roll_back_owed)?;
        self.slot().take().ok_or_else(Error::busy)
    }

    /// Rolls back at once; on a runtime's thread, where the driver can't be used, ahead of whatever comes next.
    pub(crate) fn rollback_behind(&self, level: Level) {
        if let Some(open) = self.slot().as_mut() {
            open.owed.push(level);
            if !on_runtime() {
                let _ = open.roll_back_owed();
            }
        }
    }

    /// Gives it back after the stream.
    pub(crate) fn put(&self, open: Open) {
        *self.slot() = Some(open);
    }

    pub(crate) fn condition(&self) -> Condition {
        match self.slot().as_ref() {
            _ if self.cancelled.load(SeqCst) => Condition::Closed,
            Some(open) if open.lost || open.client.is_closed() => Condition::Closed,
            Some(open) if open.traces != Traces::NONE || open.abandoned => Condition::Left,
            Some(_) => Condition::Clean,
            None => Condition::Closed,
        }
    }

    /// Waits for what still runs, undoes what was left, and says whether the connection can be used again.
    pub(crate) fn clean(&self) -> bool {
        self.slot().as_mut().is_some_and(Open::clean)
    }

    /// Notes who holds it, and forgets what others have run on it.
    pub(crate) fn held_by(self: &Arc<Self>, holders: &Holders, call: Call, origin: Origin) -> Hold {
        self.forget_last();
        self.listed.hold(holders, SERVICE, self, call, origin)
    }

    fn forget_last(&self) {
        locked(&self.statements).forget_last();
    }

    fn slot(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work for Connection {
    fn statement(&self) -> Option<String> {
        locked(&self.statements).last()
    }

    fn is_running(&self) -> bool {
        matches!(self.open.try_lock(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let permit = self.permit.take();
        let open = self.slot().take();
        // The permit is free when the connection is closed.
        match open {
            Some(open) if open.lost => elsewhere(move || {
                open.part();
                drop(permit);
            }),
            Some(open) => off_runtime(move || {
                drop(open);
                drop(permit);
            }),
            None => {}
        }
    }
}

impl Open {
    pub(crate) fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let kept = self.keep_for(sql, params)?;
        match self.client.execute(&kept.statement, params).map_err(using) {
            Err(error) if self.may_prepare_again(sql, &error) => {
                let kept = self.keep(sql)?;
                self.client.execute(&kept.statement, params).map_err(using)
            }
            result => result,
        }
    }

    pub(crate) fn all(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        Ok(self.query(sql, params)?.into_iter().map(Row::from_driver).collect())
    }

    pub(crate) fn optional(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let mut rows = self.query(sql, params)?;
        row_count::at_most_one(rows.len())?;
        Ok(rows.pop().map(Row::from_driver))
    }

    fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<tokio_postgres::Row>> {
        let kept = self.keep_for(sql, params)?;
        match self.client.query(&kept.statement, params).map_err(using) {
            Err(error) if self.may_prepare_again(sql, &error) => {
                let kept = self.keep(sql)?;
                self.client.query(&kept.statement, params).map_err(using)
            }
            result => result,
        }
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        Travel::refuse_copies(sql)?;
        self.note(Traces::of_batch(sql));
        self.statements().runs(sql);
        self.client.batch_execute(sql).map_err(using)
    }

    pub(crate) fn describe(&mut self, sql: &str) -> Result<Description> {
        // Prepared anew: what is kept tells of the tables as they were.
        let statement = self.client.prepare(sql).map_err(using)?;
        let columns = statement.columns().iter().map(|column| Column::new(column.name(), column.type_().clone()));
        Ok(Description::new(statement.params().to_vec(), columns.collect()))
    }

    pub(crate) fn copy_in(
        &mut self,
        sql: &str,
        chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send),
    ) -> Result<u64> {
        let kept = self.keep(sql)?.travels(Travel::CopyIn)?;
        let mut sink = self.client.copy_in(&kept.statement).map_err(using)?;
        // An error among the chunks makes the server report one too, which nobody reads.
        self.failed = true;
        for chunk in chunks {
            sink.write_all(&chunk?).map_err(from_io)?;
        }
        let count = sink.finish().map_err(using)?;
        self.failed = false;
        Ok(count)
    }

    /// Rows as they come.
    pub(crate) fn rows(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        let kept = self.keep_for(sql, params)?;
        self.client.query_raw(&kept.statement, params.iter().copied()).map_err(using)
    }

    /// COPY data as it comes.
    pub(crate) fn copy_out(&mut self, sql: &str) -> Result<CopyOutReader<'_>> {
        let kept = self.keep(sql)?.travels(Travel::CopyOut)?;
        self.client.copy_out(&kept.statement).map_err(using)
    }

    /// Runs the `BEGIN` or `SAVEPOINT` of a transaction.
    pub(crate) fn begin(&mut self, sql: &str) -> Result<()> {
        self.note(Traces::TRANSACTION);
        self.batch(sql)?;
        self.failed = false;
        Ok(())
    }

    /// Commits, or fails if the transaction has failed: the server would roll back and report success.
    pub(crate) fn commit(&mut self, level: Level) -> Result<()> {
        if self.failed {
            self.client.batch_execute("SELECT 1").map_err(using).map_err(Error::of_commit)?;
        }
        self.client.batch_execute(&level.commit_sql()).map_err(using).map_err(Error::of_commit)?;
        self.ended(level);
        Ok(())
    }

    pub(crate) fn rollback(&mut self, level: Level) -> Result<()> {
        self.client.batch_execute(&level.rollback_sql()).map_err(using)?;
        self.failed = false;
        self.rolled_back();
        self.ended(level);
        Ok(())
    }

    /// The outermost transaction was rolled back.
    pub(super) fn undone(&mut self) {
        self.failed = false;
        self.rolled_back();
        self.ended(Level::OUTERMOST);
    }

    /// What was changed within a transaction changes back.
    fn rolled_back(&mut self) {
        if self.traces.has(Traces::SCHEMA) {
            self.statements().clear();
        }
    }

    /// Nothing is left of a transaction once its outermost level has ended.
    pub(super) fn ended(&mut self, level: Level) {
        if level.is_outermost() {
            self.rolled_back();
            self.traces = self.traces.without(Traces::TRANSACTION).settled();
        }
    }

    pub(crate) fn ping(&mut self) -> Result<()> {
        self.client.check_connection().map_err(using)
    }

    /// A round trip that ends after `limit`.
    pub(crate) fn test(&mut self, limit: Duration) -> Result<()> {
        self.client.is_valid(limit).map_err(using)
    }

    /// Notes that a stream was dropped before its end.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    pub(crate) fn note_failure<T>(&mut self, result: &Result<T>) {
        match result.as_ref().map_err(Error::kind) {
            Err(ErrorKind::Server) => self.failed = true,
            Err(ErrorKind::ConnectionLost | ErrorKind::CommitUnknown) => self.lost = true,
            _ => {}
        }
    }

    fn roll_back_owed(&mut self) -> Result<()> {
        for level in std::mem::take(&mut self.owed) {
            self.rollback(level)?;
        }
        Ok(())
    }

    /// A statement that goes on for longer is cancelled on the server, and the connection given up: nothing tells when
    /// the cancellation has arrived, and it must not hit the next caller's statement.
    fn clean(&mut self) -> bool {
        let Some(undo) = self.traces.undo_sql() else { return false };
        if self.abandoned && self.client.is_valid(GRACE).is_err() {
            let (token, connector) = &self.cancel;
            let _ = token.cancel_query(connector.clone());
            self.lost = true;
            return false;
        }
        let undone = undo.is_empty() || self.client.batch_execute(undo).is_ok();
        if undone {
            if self.traces.is_unsettled_by_undoing() {
                self.statements().clear();
            }
            (self.traces, self.abandoned, self.failed) = (Traces::NONE, false, false);
            self.owed.clear();
        }
        undone
    }

    /// Closes a connection of which nobody knows what the server is doing on it.
    ///
    /// In the middle of a COPY the server takes the driver's farewell for a mistake in the data, and only what comes
    /// after it for what it is.
    fn part(mut self) {
        if !self.client.is_closed() {
            let _ = self.client.is_valid(GRACE);
        }
    }

    pub(super) fn left(&self) -> Traces {
        self.traces
    }

    pub(super) fn statements(&self) -> MutexGuard<'_, StatementCache> {
        locked(&self.statements)
    }

    fn note(&mut self, traces: Traces) {
        if self.traces.unsettled_by(traces) {
            self.statements().clear();
        }
        self.traces = self.traces.and(traces).settled();
    }

    fn keep_for(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Kept> {
        let kept = self.keep(sql)?.travels(Travel::Rows)?;
        kept.check(params.len())?;
        Ok(kept)
    }

    /// The statement of this text, prepared now if it is not kept. Also notes what running it may leave.
    pub(super) fn keep(&mut self, sql: &str) -> Result<Kept> {
        let found = self.statements().get(sql);
        let kept = match found {
            Some(kept) => kept,
            None => {
                let kept = Kept::new(sql, self.client.prepare(sql).map_err(using)?);
                self.statements().insert(sql, kept.clone());
                kept
            }
        };
        self.note(kept.traces);
        Ok(kept)
    }

    /// Forgets a statement that no longer fits; it may be prepared and run again, since the server refused to run it.
    /// Inside a transaction the refusal has failed the transaction.
    pub(super) fn may_prepare_again(&mut self, sql: &str, error: &Error) -> bool {
        if !error.is_stale_statement() {
            return false;
        }
        self.statements().remove(sql);
        !self.traces.has(Traces::TRANSACTION)
    }
}

/// The statements of a connection.
fn locked(statements: &Mutex<StatementCache>) -> MutexGuard<'_, StatementCache> {
    statements.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next chunk of COPY data, as large as the server sent it.
pub(crate) fn next_chunk(reader: &mut CopyOutReader<'_>) -> Option<Result<Bytes>> {
    let chunk = match reader.fill_buf() {
        Ok(chunk) => Bytes::copy_from_slice(chunk),
        Err(error) => return Some(Err(from_io(error))),
    };
    reader.consume(chunk.len());
    if chunk.is_empty() { None } else { Some(Ok(chunk)) }
}

/// The driver's COPY speaks `std::io`, with its own error inside.
fn from_io(error: io::Error) -> Error {
    match error.downcast::<postgres::Error>() {
        Ok(error) => using(error),
        Err(error) => Error::with_source(ErrorKind::ConnectionLost, format!("the connection was lost: {error}"), error),
    }
}
