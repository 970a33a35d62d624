//! A connection out of the pool. When it is dropped it goes back, after it was cleaned if it has to be.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use postgres_types::ToSql;
use r2d2::PooledConnection;

use super::{
    connection::{Condition, Connection, Open},
    manager::{Manager, Pooled},
    queue::Permit,
    stream,
    teardown::off_runtime,
    transaction::OpenTransaction,
};
use crate::{
    Batch, BytesIter, Canceller, Description, EachRow, Executor, Outcome, Result, Row, RowIter, Session, Transaction,
    TransactionOptions,
    budget::{Budget, Side},
    holders::Hold,
    many::{Many, Within, counts},
    row_count,
};

/// One connection, taken. Also what a session is.
pub(crate) struct Lease {
    connection: Arc<Connection>,
    /// The connection's place in the pool, and the right to it; given back in this order.
    place: Option<(PooledConnection<Manager>, Permit)>,
    budget: Option<Arc<Budget>>,
    hold: Option<Hold>,
}

impl Lease {
    pub(crate) fn new(
        connection: Arc<Connection>,
        pooled: PooledConnection<Manager>,
        permit: Permit,
        budget: Option<Arc<Budget>>,
        hold: Hold,
    ) -> Self {
        Self { connection, place: Some((pooled, permit)), budget, hold: Some(hold) }
    }
}

/// Who has the connection of a transaction or a stream: that itself, or whoever it was asked of.
pub(crate) enum Access<'a> {
    Owned(Lease),
    Lent(&'a Connection),
}

impl Lease {
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Access<'_> {
    pub(crate) fn connection(&self) -> &Connection {
        match self {
            Self::Owned(lease) => lease.connection(),
            Self::Lent(connection) => connection,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((pooled, permit)) = self.place.take() else { return };
        self.hold = None;
        let condition = self.connection.condition();
        if condition != Condition::Left {
            give_back(pooled, permit, condition, self.budget.as_deref());
            return;
        }
        // Until it is cleaned it counts as in use, so that the pool opens no other in its place.
        let (connection, budget) = (self.connection.clone(), self.budget.take());
        off_runtime(move || {
            let condition = if connection.clean() { Condition::Clean } else { Condition::Closed };
            if condition == Condition::Closed {
                tracing::debug!("a connection could not be cleaned and was closed");
            }
            // The pool must be the last to have it, so that it is closed before its place is given away.
            drop(connection);
            give_back(pooled, permit, condition, budget.as_deref());
        });
    }
}

fn give_back(mut pooled: PooledConnection<Manager>, permit: Permit, condition: Condition, budget: Option<&Budget>) {
    let is_wanted = budget.is_some_and(|budget| budget.is_wanted(Side::Blocking));
    if let Pooled::Live { aging, broken, .. } = &mut *pooled {
        aging.touch(Instant::now());
        *broken |= is_wanted || condition != Condition::Clean;
    }
    drop(pooled);
    drop(permit);
    if let Some(budget) = budget {
        budget.came_back(Side::Blocking);
    }
}

impl Executor for Lease {
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.connection.with(|open| open.execute(sql, params))
    }

    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.connection.with(|open| open.all(sql, params))
    }

    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.connection.with(|open| open.optional(sql, params))?.ok_or_else(row_count::none)
    }

    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.connection.with(|open| open.optional(sql, params))
    }

    fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        stream::each(Access::Lent(&self.connection), sql, params, each)
    }

    fn batch_execute(&self, sql: &str) -> Result<()> {
        self.connection.with(|open| open.batch(sql))
    }

    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        stream::rows(Access::Lent(&self.connection), sql, params)
    }

    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        stream::copy_in(&self.connection, sql, chunks, Within::Connection)
    }

    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
        stream::copy_out(Access::Lent(&self.connection), sql, Within::Connection)
    }

    fn describe(&self, sql: &str) -> Result<Description> {
        self.connection.with(|open| open.describe(sql))
    }

    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.connection.with(|open| open.many(Many::Sets(sql, sets), Within::Connection))?))
    }

    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.connection.with(|open| open.many(Many::Batch(batch), Within::Connection))
    }
}

impl Session for Lease {
    fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn Transaction + '_>> {
        self.connection.with(Open::check_no_transaction)?;
        Ok(Box::new(OpenTransaction::begin(Access::Lent(&self.connection), options)?))
    }

    fn canceller(&self) -> Canceller {
        self.connection.canceller()
    }
}
