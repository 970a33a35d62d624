//! A transaction that remembers why it failed.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use postgres_types::ToSql;

use crate::{
    AsyncExecutor, AsyncIter, AsyncTransaction, Batch, BytesIter, BytesStream, Description, EachRow, Error, Executor,
    Iter, Outcome, Result, Row, RowIter, RowStream, Transaction,
};

/// The retryable error that a transaction is failed by.
///
/// It is remembered here because the closure's own error type may hide it: `#[error(transparent)]` leaves it out of
/// `source()`, and `anyhow::Error` has no `source()` that a generic bound could reach.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Error>>>);

impl Seen {
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes the outcome of a statement. One that succeeds shows that the transaction is not failed any more: a
    /// savepoint was returned to.
    fn statement<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_ok() {
            self.take();
        }
        self.item(outcome)
    }

    /// Notes a failure only, for what succeeds in a failed transaction too.
    fn item<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome
            && error.is_retryable()
        {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        outcome
    }

    fn iter<'a, T: 'a>(&self, items: Iter<'a, T>) -> Iter<'a, T> {
        let seen = self.clone();
        Iter::new(items.map(move |item| seen.item(item)))
    }

    fn stream<'a, T: 'a>(&self, items: AsyncIter<'a, T>) -> AsyncIter<'a, T> {
        let seen = self.clone();
        AsyncIter::new(items.map(move |item| seen.item(item)))
    }
}

/// A transaction, or a savepoint of one, whose outcomes are noted.
pub(super) struct Watched<T> {
    pub(super) inner: T,
    pub(super) seen: Seen,
}

impl Executor for Watched<Box<dyn Transaction + '_>> {
    #[track_caller]
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.seen.statement(self.inner.execute(sql, params))
    }

    #[track_caller]
    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.seen.statement(self.inner.fetch_all(sql, params))
    }

    #[track_caller]
    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.seen.statement(self.inner.fetch_one(sql, params))
    }

    #[track_caller]
    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.seen.statement(self.inner.fetch_optional(sql, params))
    }

    #[track_caller]
    fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.seen.statement(self.inner.fetch_each(sql, params, each))
    }

    #[track_caller]
    fn batch_execute(&self, sql: &str) -> Result<()> {
        self.seen.statement(self.inner.batch_execute(sql))
    }

    #[track_caller]
    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        Ok(self.seen.iter(self.seen.item(self.inner.fetch_iter(sql, params))?))
    }

    #[track_caller]
    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        self.seen.statement(self.inner.copy_in(sql, chunks))
    }

    #[track_caller]
    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
        Ok(self.seen.iter(self.seen.item(self.inner.copy_out(sql))?))
    }

    #[track_caller]
    fn describe(&self, sql: &str) -> Result<Description> {
        self.seen.statement(self.inner.describe(sql))
    }

    #[track_caller]
    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        self.seen.statement(self.inner.execute_many(sql, sets))
    }

    #[track_caller]
    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        self.seen.statement(self.inner.run_batch(batch))
    }
}

#[async_trait]
impl AsyncExecutor for Watched<Box<dyn AsyncTransaction + '_>> {
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.seen.statement(self.inner.execute(sql, params).await)
    }

    async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.seen.statement(self.inner.fetch_all(sql, params).await)
    }

    async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.seen.statement(self.inner.fetch_one(sql, params).await)
    }

    async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.seen.statement(self.inner.fetch_optional(sql, params).await)
    }

    async fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.seen.statement(self.inner.fetch_each(sql, params, each).await)
    }

    async fn batch_execute(&self, sql: &str) -> Result<()> {
        self.seen.statement(self.inner.batch_execute(sql).await)
    }

    async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        Ok(self.seen.stream(self.seen.item(self.inner.fetch_stream(sql, params).await)?))
    }

    async fn copy_in(&self, sql: &str, chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        self.seen.statement(self.inner.copy_in(sql, chunks).await)
    }

    async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>> {
        Ok(self.seen.stream(self.seen.item(self.inner.copy_out(sql).await)?))
    }

    async fn describe(&self, sql: &str) -> Result<Description> {
        self.seen.statement(self.inner.describe(sql).await)
    }

    async fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        self.seen.statement(self.inner.execute_many(sql, sets).await)
    }

    async fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        self.seen.statement(self.inner.run_batch(batch).await)
    }
}

impl Transaction for Watched<Box<dyn Transaction + '_>> {
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        let inner = self.seen.statement(self.inner.savepoint())?;
        Ok(Box::new(Watched { inner, seen: self.seen.clone() }))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.seen.statement(self.inner.commit())
    }

    // A closure that tidies up before it returns its error still failed by what it saw.
    fn rollback(self: Box<Self>) -> Result<()> {
        self.seen.item(self.inner.rollback())
    }
}

#[async_trait]
impl AsyncTransaction for Watched<Box<dyn AsyncTransaction + '_>> {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        let inner = self.seen.statement(self.inner.savepoint().await)?;
        Ok(Box::new(Watched { inner, seen: self.seen.clone() }))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.seen.statement(self.inner.commit().await)
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.seen.item(self.inner.rollback().await)
    }
}
