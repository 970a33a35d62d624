//! What runs SQL: a pool, a session, a transaction, a mock. The twins stand side by side.

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use postgres_types::ToSql;

use crate::{
    Batch, Description, Outcome, Result, Row,
    stream::{BytesIter, BytesStream, RowIter, RowStream},
};

/// What [`fetch_each`](Executor::fetch_each) calls with each row.
pub type EachRow<'a> = &'a mut (dyn FnMut(&Row) -> Result<()> + Send + 'a);

/// Runs SQL on the calling thread.
///
/// Object-safe: helpers take `&dyn Executor` and work with a pool, a session, a transaction and a mock alike. Generic
/// methods are in [`ExecutorExt`](crate::ExecutorExt).
///
/// # Blocking
///
/// Every method blocks its thread; none may be called on a thread that drives futures.
pub trait Executor: Send + Sync {
    #[doc = include_str!("../docs/execute.md")]
    #[track_caller]
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64>;

    #[doc = include_str!("../docs/fetch_all.md")]
    #[track_caller]
    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>>;

    #[doc = include_str!("../docs/fetch_one.md")]
    #[track_caller]
    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row>;

    #[doc = include_str!("../docs/fetch_optional.md")]
    #[track_caller]
    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>>;

    #[doc = include_str!("../docs/fetch_each.md")]
    ///
    /// What an implementation does not provide is made of [`fetch_all`](Self::fetch_all).
    #[track_caller]
    fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.fetch_all(sql, params)?.iter().try_for_each(each)
    }

    #[doc = include_str!("../docs/batch_execute.md")]
    #[track_caller]
    fn batch_execute(&self, sql: &str) -> Result<()>;

    #[doc = include_str!("../docs/stream.md")]
    #[track_caller]
    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>>;

    #[doc = include_str!("../docs/copy_in.md")]
    #[track_caller]
    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64>;

    #[doc = include_str!("../docs/copy_out.md")]
    #[track_caller]
    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>>;

    #[doc = include_str!("../docs/describe.md")]
    #[track_caller]
    fn describe(&self, sql: &str) -> Result<Description>;

    #[doc = include_str!("../docs/execute_many.md")]
    #[track_caller]
    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        let mut counts = Vec::with_capacity(sets.len());
        for (index, params) in sets.iter().enumerate() {
            counts.push(self.execute(sql, params).map_err(|error| error.in_set(index))?);
        }
        Ok(counts)
    }

    #[doc = include_str!("../docs/run_batch.md")]
    #[track_caller]
    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for (index, statement) in batch.statements().iter().enumerate() {
            let (sql, params) = (statement.sql(), statement.params());
            let outcome = if statement.fetches() {
                self.fetch_all(sql, params).map(Outcome::Rows)
            } else {
                self.execute(sql, params).map(Outcome::Count)
            };
            outcomes.push(outcome.map_err(|error| error.in_statement(index))?);
        }
        Ok(outcomes)
    }
}

/// Runs SQL without blocking a thread.
///
/// Object-safe: helpers take `&dyn AsyncExecutor` and work with a pool, a session, a transaction and a mock alike.
/// Generic methods are in [`AsyncExecutorExt`](crate::AsyncExecutorExt).
///
/// # Cancel safety
///
/// A call may be dropped at any point. Whether its statement took effect is then unknown; the connection is drained, or
/// closed, before anyone else gets it. On a session or a transaction, the next call waits for the dropped one.
#[async_trait]
pub trait AsyncExecutor: Send + Sync {
    #[doc = include_str!("../docs/execute.md")]
    #[track_caller]
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64>;

    #[doc = include_str!("../docs/fetch_all.md")]
    #[track_caller]
    async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>>;

    #[doc = include_str!("../docs/fetch_one.md")]
    #[track_caller]
    async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row>;

    #[doc = include_str!("../docs/fetch_optional.md")]
    #[track_caller]
    async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>>;

    #[doc = include_str!("../docs/fetch_each.md")]
    ///
    /// What an implementation does not provide is made of [`fetch_all`](Self::fetch_all).
    #[track_caller]
    async fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.fetch_all(sql, params).await?.iter().try_for_each(each)
    }

    #[doc = include_str!("../docs/batch_execute.md")]
    #[track_caller]
    async fn batch_execute(&self, sql: &str) -> Result<()>;

    #[doc = include_str!("../docs/stream.md")]
    #[track_caller]
    async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>>;

    #[doc = include_str!("../docs/copy_in.md")]
    #[track_caller]
    async fn copy_in(&self, sql: &str, chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64>;

    #[doc = include_str!("../docs/copy_out.md")]
    #[track_caller]
    async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>>;

    #[doc = include_str!("../docs/describe.md")]
    #[track_caller]
    async fn describe(&self, sql: &str) -> Result<Description>;

    #[doc = include_str!("../docs/execute_many.md")]
    #[track_caller]
    async fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        let mut counts = Vec::with_capacity(sets.len());
        for (index, params) in sets.iter().enumerate() {
            counts.push(self.execute(sql, params).await.map_err(|error| error.in_set(index))?);
        }
        Ok(counts)
    }

    #[doc = include_str!("../docs/run_batch.md")]
    #[track_caller]
    async fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for (index, statement) in batch.statements().iter().enumerate() {
            let (sql, params) = (statement.sql(), statement.params());
            let outcome = if statement.fetches() {
                self.fetch_all(sql, params).await.map(Outcome::Rows)
            } else {
                self.execute(sql, params).await.map(Outcome::Count)
            };
            outcomes.push(outcome.map_err(|error| error.in_statement(index))?);
        }
        Ok(outcomes)
    }
}
