//! One connection of the pool: the client, the statements it keeps, and what has to be undone before someone else
//! gets it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use postgres::{CancelToken, Client, RowIter};
use postgres_types::ToSql;

use super::teardown::{elsewhere, off_runtime, on_runtime};
use crate::{
    Canceller, Description, Error, Result, Row,
    begun::Begun,
    budget::Permit,
    call::Call,
    driver_error::{connecting, using},
    holders::{Hold, Holders, Listed, Origin, Work},
    kinds::Followed,
    many::{NO_SAVEPOINT, NO_TRANSACTION},
    row::Column,
    row_count,
    statement_cache::{Kept, StatementCache},
    tls::Connector,
    traces::{GRACE, Traces, Travel, check_sendable},
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
    /// A COPY in did not come to its end: the next answer may be that of another request.
    pub(super) unproved: bool,
    /// The driver knows types whose fields have names.
    pub(super) composites: bool,
    pub(super) followed: Followed,
    pub(super) begun: Begun,
    /// What was asked for since the transaction began, and of how much of it the server has said that it is done.
    asked: u64,
    answered: u64,
    /// Not to be used again: the server said goodbye, which the driver notices only at its next read, or nobody knows
    /// what the server is doing.
    pub(super) lost: bool,
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
            unproved: false,
            composites: false,
            followed: Followed::default(),
            begun: Begun::default(),
            asked: 0,
            answered: 0,
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
        open.asked += 1;
        let result = open.ready().and_then(|()| run(open));
        open.note_failure(&result);
        result
    }

    /// Takes the connection for a stream.
    pub(crate) fn take(&self) -> Result<Open> {
        self.with(|_| Ok(()))?;
        self.slot().take().ok_or_else(Error::busy)
    }

    /// Rolls back at once; on a runtime's thread, where the driver can't be used, ahead of whatever comes next.
    pub(crate) fn rollback_behind(&self, level: Level) {
        if let Some(open) = self.slot().as_mut() {
            open.owe(level);
            if !on_runtime() {
                let _ = open.ready();
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
            Some(open) if open.traces != Traces::NONE || open.abandoned || open.unproved => Condition::Left,
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
        self.run(sql, params, |client, kept| client.execute(&kept.statement, params))
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
        self.run(sql, params, |client, kept| client.query(&kept.statement, params))
    }

    /// Runs a statement, and once more for as long as what was kept does not fit any more.
    fn run<T>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        run: impl Fn(&mut Client, &Kept) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        let mut runs = 1;
        loop {
            let (kept, was_kept) = self.keep_for(sql, params)?;
            let run = self.unless_it_panics(|client| run(client, &kept));
            match run.map_err(using) {
                Err(error) if self.runs_again(sql, &kept, was_kept, runs, &error) => runs += 1,
                Ok(value) => {
                    if kept.traces == Traces::NONE {
                        self.answered += 1;
                    }
                    return Ok(value);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Has the driver encode parameters. One that panics leaves half a message in its buffer, in front of the next one.
    pub(super) fn unless_it_panics<T>(&mut self, run: impl FnOnce(&mut Client) -> T) -> T {
        let lost = std::mem::replace(&mut self.lost, true);
        let done = run(&mut self.client);
        self.lost = lost;
        done
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        check_sendable(sql)?;
        Travel::refuse_copies(sql)?;
        self.run_text(sql)
    }

    pub(crate) fn describe(&mut self, sql: &str) -> Result<Description> {
        // Prepared anew: what is kept tells of the tables as they were.
        let statement = self.prepare(sql)?;
        let columns = statement.columns().iter().map(|column| Column::new(column.name(), column.type_().clone()));
        Ok(Description::new(statement.params().to_vec(), columns.collect()))
    }

    /// Rows as they come, of a statement of [`keep_for`](Self::keep_for).
    pub(super) fn rows(&mut self, kept: &Kept, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        // As in `unless_it_panics`, which can't give away what borrows from the client.
        let lost = std::mem::replace(&mut self.lost, true);
        let rows = self.client.query_raw(&kept.statement, params.iter().copied());
        self.lost = lost;
        rows.map_err(using)
    }

    /// Runs the `BEGIN` or `SAVEPOINT` of a transaction.
    pub(crate) fn begin(&mut self, level: Level, sql: &str) -> Result<()> {
        self.ended(level);
        self.note(Traces::TRANSACTION);
        self.statements().runs(sql);
        self.client.batch_execute(sql).map_err(using)?;
        if level.is_outermost() {
            (self.asked, self.answered, self.begun) = (1, 0, Begun::default());
        }
        self.answered += 1;
        Ok(())
    }

    /// Whether something of the transaction was not answered, or not with success, the request that asks left aside.
    fn is_doubtful(&self) -> bool {
        self.asked != self.answered + 1
    }

    /// Commits, or fails if the server has not; see [`Level::commit_sql`].
    pub(crate) fn commit(&mut self, level: Level) -> Result<()> {
        if level.is_outermost() && self.was_ended().map_err(Error::of_commit)? {
            // What is open now, if anything, is not what was begun.
            return Err(Error::transaction_ended());
        }
        let commit = level.commit_sql(self.is_doubtful());
        self.client.batch_execute(&commit).map_err(using).map_err(Error::of_commit)?;
        self.answered += 1;
        self.ended(level);
        Ok(())
    }

    /// Rolls back, or fails if a statement has ended the transaction before.
    pub(crate) fn rollback(&mut self, level: Level) -> Result<()> {
        let was_ended = level.is_outermost() && self.may_be_ended();
        self.rolls_back(level).map_err(Error::of_rollback)?;
        self.answered += 1;
        if was_ended { Err(Error::transaction_ended()) } else { Ok(()) }
    }

    pub(super) fn rolls_back(&mut self, level: Level) -> Result<()> {
        self.begun.goes_back();
        self.client.batch_execute(&level.rollback_sql()).map_err(using)?;
        self.rolled_back();
        self.ended(level);
        Ok(())
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
            self.traces = self.traces.after_transaction();
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
        if result.as_ref().is_err_and(Error::is_loss) {
            self.lost = true;
        }
    }

    /// Does what has to be done before anything else is run.
    fn ready(&mut self) -> Result<()> {
        if self.lost {
            return Err(Error::lost());
        }
        if self.unproved {
            self.prove()?;
        }
        self.roll_back_owed()
    }

    /// Notes that a level of a transaction has to be rolled back before anything else is run.
    pub(super) fn owe(&mut self, level: Level) {
        if level.is_outermost() {
            // The others go with it.
            self.owed.clear();
        }
        self.owed.push(level);
    }

    /// Notes that what was owed is done.
    pub(super) fn owe_nothing(&mut self) {
        self.owed.clear();
    }

    pub(super) fn roll_back_owed(&mut self) -> Result<()> {
        // Owed until it is done: what was refused is tried again by the next call.
        while let Some(level) = self.owed.first().copied() {
            // A savepoint went with the transaction.
            if level.is_outermost() || !self.traces.has(Traces::ENDED) {
                match self.rolls_back(level) {
                    Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => self.note(Traces::ENDED),
                    // A statement of the caller's own has ended it too. Asking for it has failed the transaction.
                    Err(error) if error.sqlstate() == Some(NO_SAVEPOINT) => self.asked += 1,
                    result => result?,
                }
            }
            self.owed.remove(0);
        }
        Ok(())
    }

    /// A statement that goes on for longer is cancelled on the server, and the connection given up: nothing tells when
    /// the cancellation has arrived, and it must not hit the next caller's statement.
    fn clean(&mut self) -> bool {
        let left = self.traces;
        let Some(undo) = left.undo_sql().filter(|_| !self.lost) else { return false };
        if self.abandoned && self.client.is_valid(GRACE).is_err() {
            let (token, connector) = &self.cancel;
            let _ = token.cancel_query(connector.clone());
            self.lost = true;
            return false;
        }
        // Out of step, the end of something else would pass for that of the undoing.
        if self.unproved && self.prove().is_err() {
            return false;
        }
        let undone = undo.is_empty() || self.client.batch_execute(undo).is_ok();
        if undone {
            if left.is_unsettled_by_undoing() {
                self.statements().clear();
            }
            (self.traces, self.abandoned) = (Traces::NONE, false);
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

    pub(super) fn note(&mut self, traces: Traces) {
        if self.traces.unsettled_by(traces) {
            self.statements().clear();
        }
        self.begun.runs(traces);
        self.traces = self.traces.and(traces).settled();
    }
}

/// The statements of a connection.
fn locked(statements: &Mutex<StatementCache>) -> MutexGuard<'_, StatementCache> {
    statements.lock().unwrap_or_else(PoisonError::into_inner)
}
