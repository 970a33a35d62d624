//! A blocking executor as an async one whose every future is ready at its first poll, so that a test of both services is
//! written once. To be used on a thread that may block.

use std::{future::Future, iter, sync::Arc, time::Duration};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, AsyncIter, AsyncSession, AsyncTransaction, Batch, Bytes, BytesStream,
    DatabaseService, Description, EachRow, Executor, Outcome, PoolStatus, Result, Row, RowStream, Session, ToSql,
    Transaction, TransactionOptions, async_trait,
};
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};

/// What a future returns that never waits.
///
/// # Panics
///
/// If it waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("it does not wait")
}

/// Any executor.
#[allow(missing_debug_implementations, reason = "nobody prints one")]
pub struct Inline<'a>(pub &'a dyn Executor);

/// A service.
#[allow(missing_debug_implementations, reason = "nobody prints one")]
pub struct InlineService(pub Arc<dyn DatabaseService>);

struct InlineSession(Box<dyn Session>);

struct InlineTransaction<'a>(Box<dyn Transaction + 'a>);

macro_rules! executor {
    ($($type:ty)*) => {$(
        #[async_trait]
        impl AsyncExecutor for $type {
            async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
                self.0.execute(sql, params)
            }

            async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
                self.0.fetch_all(sql, params)
            }

            async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
                self.0.fetch_one(sql, params)
            }

            async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
                self.0.fetch_optional(sql, params)
            }

            async fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
                self.0.fetch_each(sql, params, each)
            }

            async fn batch_execute(&self, sql: &str) -> Result<()> {
                self.0.batch_execute(sql)
            }

            async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
                Ok(AsyncIter::new(stream::iter(self.0.fetch_iter(sql, params)?)))
            }

            async fn copy_in(
                &self,
                sql: &str,
                chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
            ) -> Result<u64> {
                self.0.copy_in(sql, &mut iter::from_fn(|| at_once(chunks.next())))
            }

            async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>> {
                Ok(AsyncIter::new(stream::iter(self.0.copy_out(sql)?)))
            }

            async fn describe(&self, sql: &str) -> Result<Description> {
                self.0.describe(sql)
            }

            async fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
                self.0.execute_many(sql, sets)
            }

            async fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
                self.0.run_batch(batch)
            }
        }
    )*};
}

executor!(Inline<'_> InlineService InlineSession InlineTransaction<'_>);

#[async_trait]
impl AsyncDatabaseService for InlineService {
    async fn begin(&self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        Ok(Box::new(InlineTransaction(self.0.begin(options)?)))
    }

    async fn session(&self) -> Result<Box<dyn AsyncSession>> {
        Ok(Box::new(InlineSession(self.0.session()?)))
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping()
    }

    fn status(&self) -> PoolStatus {
        self.0.status()
    }

    async fn close(&self, deadline: Duration) -> Result<()> {
        self.0.close(deadline)
    }
}

#[async_trait]
impl AsyncSession for InlineSession {
    async fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction + '_>> {
        Ok(Box::new(InlineTransaction(self.0.begin(options)?)))
    }
}

#[async_trait]
impl AsyncTransaction for InlineTransaction<'_> {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        Ok(Box::new(InlineTransaction(self.0.savepoint()?)))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.0.commit()
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.0.rollback()
    }
}
