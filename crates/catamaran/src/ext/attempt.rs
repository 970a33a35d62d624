//! The transaction that a closure is given, which remembers why it failed.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use postgres_types::ToSql;

use crate::{
    AsyncExecutor, AsyncIter, AsyncTransaction, BytesIter, BytesStream, Description, Error, Executor, Iter, Result, Row,
    RowIter, RowStream, Transaction,
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

struct Watched<T> {
    inner: T,
    seen: Seen,
}

/// The transaction of one run of a closure; see [`transaction`](crate::DatabaseServiceExt::transaction).
///
/// It is a [`Transaction`] that cannot be ended by the closure, and passes as `&dyn Executor` or
/// `&mut dyn Transaction`.
pub struct Attempt(Watched<Box<dyn Transaction>>);

/// The transaction of one run of a closure; see [`transaction`](crate::AsyncDatabaseServiceExt::transaction).
///
/// It is an [`AsyncTransaction`] that cannot be ended by the closure, and passes as `&dyn AsyncExecutor` or
/// `&mut dyn AsyncTransaction`.
// A type without parameters, where `&mut dyn AsyncTransaction` would say more: rustc cannot show that the future of a
// closure over a trait object is `Send` (rust-lang/rust#110338).
pub struct AsyncAttempt(Watched<Box<dyn AsyncTransaction>>);

impl Attempt {
    pub(super) fn new(inner: Box<dyn Transaction>, seen: Seen) -> Self {
        Self(Watched { inner, seen })
    }

    pub(super) fn into_inner(self) -> Box<dyn Transaction> {
        self.0.inner
    }
}

#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
impl AsyncAttempt {
    pub(super) fn new(inner: Box<dyn AsyncTransaction>, seen: Seen) -> Self {
        Self(Watched { inner, seen })
    }

    pub(super) fn into_inner(self) -> Box<dyn AsyncTransaction> {
        self.0.inner
    }
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

impl Transaction for Attempt {
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        self.0.savepoint()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Box::new(self.0).commit()
    }

    fn rollback(self: Box<Self>) -> Result<()> {
        Box::new(self.0).rollback()
    }
}

#[async_trait]
impl AsyncTransaction for AsyncAttempt {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        self.0.savepoint().await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Box::new(self.0).commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Box::new(self.0).rollback().await
    }
}

impl Deref for Attempt {
    type Target = dyn Transaction;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Attempt {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Deref for AsyncAttempt {
    type Target = dyn AsyncTransaction;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for AsyncAttempt {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

impl fmt::Debug for AsyncAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAttempt").finish_non_exhaustive()
    }
}
