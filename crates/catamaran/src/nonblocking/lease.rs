//! A connection out of the pool. When it is dropped it goes back, after it was cleaned if it has to be.

use std::{ops::Deref, sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool::managed::Object;
use futures_core::Stream;
use postgres_types::ToSql;
use tokio::runtime;

use super::{connection::Connection, manager::Manager, seat::Held, stream, transaction::OpenTransaction};
use crate::{
    AsyncExecutor, AsyncSession, AsyncTransaction, Batch, BytesStream, Description, EachRow, Outcome, Result, Row,
    RowStream, TransactionOptions,
    aging::Aging,
    budget::{Budget, Side},
    call::Call,
    holders::{Hold, Holders, Origin},
    many::{Many, Within, counts},
    row_count,
};

/// One connection, taken. Also what a session is.
pub(crate) struct Lease {
    connection: Arc<Connection>,
    object: Option<Object<Manager>>,
    /// For whom it is held, if that is for more than one statement.
    held: Option<Held>,
    /// When it was used last, if that is not when it is given back.
    idle: Option<Aging>,
    budget: Option<Arc<Budget>>,
    /// By whom, unless it is shared.
    hold: Option<Hold>,
}

impl Lease {
    pub(crate) fn new(object: Object<Manager>, budget: Option<&Arc<Budget>>) -> Self {
        let (connection, budget) = (object.connection.clone(), budget.cloned());
        Self { connection, object: Some(object), held: None, idle: None, budget, hold: None }
    }

    /// Notes who holds it.
    pub(crate) fn held_by(mut self, holders: &Holders, call: Call, origin: Origin) -> Self {
        self.hold = Some(self.connection.held_by(holders, call, origin));
        self
    }

    /// Notes that nobody holds it any more, since it is shared.
    pub(crate) fn released(mut self) -> Self {
        self.hold = None;
        self
    }

    /// Closes it instead of giving it back.
    pub(crate) fn close(mut self) {
        drop(self.object.take().map(Object::take));
    }

    /// Notes for how long its task holds it.
    pub(crate) fn held(mut self, held: Option<Held>) -> Self {
        self.held = held;
        self
    }

    pub(crate) fn aging(&self) -> Option<Aging> {
        self.object.as_ref().map(|object| object.aging)
    }

    /// Gives it back as one that was not used since.
    pub(crate) fn give_back_idle(mut self, aging: Aging) {
        self.idle = Some(aging);
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

impl<'a> Access<'a> {
    pub(crate) fn connection(&self) -> &Connection {
        match self {
            Self::Owned(lease) => lease.connection(),
            Self::Lent(connection) => connection,
        }
    }

    /// The connection, for what is dropped before this.
    pub(crate) fn handle(&self) -> Handle<'a> {
        match self {
            Self::Owned(lease) => Handle::Owned(lease.connection.clone()),
            Self::Lent(connection) => Handle::Lent(connection),
        }
    }
}

/// A connection that an [`Access`] has.
pub(crate) enum Handle<'a> {
    Owned(Arc<Connection>),
    Lent(&'a Connection),
}

impl Deref for Handle<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Owned(connection) => connection,
            Self::Lent(connection) => connection,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut object) = self.object.take() else { return };
        self.hold = None;
        match self.idle {
            Some(aging) => object.aging = aging,
            None => object.aging.touch(Instant::now()),
        }
        let budget = self.budget.take();
        if self.connection.is_clean() && !self.connection.is_in_use() && !self.connection.is_closed() {
            return give_back(object, budget);
        }
        // Until it is cleaned it counts as in use, so that the pool opens no other in its place.
        match runtime::Handle::try_current() {
            Ok(runtime) if !self.connection.is_closed() => {
                runtime.spawn(clean(object, budget));
            }
            _ => drop(Object::take(object)),
        }
    }
}

/// Gives a connection back clean, or closes it.
async fn clean(object: Object<Manager>, budget: Option<Arc<Budget>>) {
    let connection = object.connection.clone();
    if connection.clean().await {
        give_back(object, budget);
    } else {
        tracing::debug!("a connection could not be cleaned and was closed");
        drop(Object::take(object));
    }
}

/// Gives a connection back, or closes it where the other pool of the budget has waited for it.
fn give_back(object: Object<Manager>, budget: Option<Arc<Budget>>) {
    let Some(budget) = budget else { return };
    if budget.is_wanted(Side::Nonblocking) {
        drop(Object::take(object));
    } else {
        drop(object);
        budget.came_back(Side::Nonblocking);
    }
}

#[async_trait]
impl AsyncExecutor for Lease {
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.connection.execute(sql, params).await
    }

    async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.connection.all(sql, params).await
    }

    async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.connection.optional(sql, params).await?.ok_or_else(row_count::none)
    }

    async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.connection.optional(sql, params).await
    }

    async fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.connection.each(sql, params, |row| each(&row)).await
    }

    async fn batch_execute(&self, sql: &str) -> Result<()> {
        self.connection.batch(sql).await
    }

    async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        stream::rows(Access::Lent(&self.connection), sql, params).await
    }

    async fn copy_in(&self, sql: &str, chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        self.connection.copy_in(sql, chunks, Within::Connection).await
    }

    async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>> {
        stream::copy_out(Access::Lent(&self.connection), sql, Within::Connection).await
    }

    async fn describe(&self, sql: &str) -> Result<Description> {
        self.connection.describe(sql).await
    }

    async fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.connection.many(Many::Sets(sql, sets), Within::Connection).await?))
    }

    async fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.connection.many(Many::Batch(batch), Within::Connection).await
    }
}

#[async_trait]
impl AsyncSession for Lease {
    async fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction + '_>> {
        self.connection.check_no_transaction().await?;
        Ok(Box::new(OpenTransaction::begin(Access::Lent(&self.connection), options).await?))
    }
}
