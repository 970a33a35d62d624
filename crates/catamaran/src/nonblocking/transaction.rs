//! Transactions and savepoints on a connection that is owned or lent.

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use postgres_types::ToSql;

use super::{connection::Connection, lease::Access, stream};
use crate::{
    AsyncExecutor, AsyncTransaction, Batch, BytesStream, Description, EachRow, Outcome, Result, Row, RowStream,
    TransactionOptions,
    many::{Many, Within, counts},
    row_count,
    transaction::Level,
};

/// A transaction, or a savepoint of one.
pub(crate) struct OpenTransaction<'a> {
    access: Access<'a>,
    level: Level,
    /// Dropped, it has to be rolled back.
    open: bool,
}

impl<'a> OpenTransaction<'a> {
    pub(crate) async fn begin(access: Access<'a>, options: TransactionOptions) -> Result<Self> {
        Self::begin_level(access, Level::OUTERMOST, &options.begin_sql()).await
    }

    async fn begin_level(access: Access<'a>, level: Level, sql: &str) -> Result<Self> {
        // Made first, so that a `BEGIN` dropped on its way is rolled back like the transaction itself.
        let mut transaction = Self { access, level, open: false };
        transaction.access.connection().begin(level, sql, &mut transaction.open).await?;
        Ok(transaction)
    }

    fn connection(&self) -> &Connection {
        self.access.connection()
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if self.open {
            self.connection().rollback_behind(self.level);
        }
    }
}

#[async_trait]
impl AsyncTransaction for OpenTransaction<'_> {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        let level = self.level.next();
        let access = Access::Lent(self.access.connection());
        Ok(Box::new(OpenTransaction::begin_level(access, level, &level.savepoint_sql()).await?))
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.access.connection().commit(self.level, &mut self.open).await
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        self.access.connection().rollback(self.level, &mut self.open).await
    }
}

#[async_trait]
impl AsyncExecutor for OpenTransaction<'_> {
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.connection().execute(sql, params).await
    }

    async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.connection().all(sql, params).await
    }

    async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.connection().optional(sql, params).await?.ok_or_else(row_count::none)
    }

    async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.connection().optional(sql, params).await
    }

    async fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        self.connection().each(sql, params, |row| each(&row)).await
    }

    async fn batch_execute(&self, sql: &str) -> Result<()> {
        self.connection().batch(sql).await
    }

    async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        stream::rows(Access::Lent(self.connection()), sql, params).await
    }

    async fn copy_in(&self, sql: &str, chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        self.connection().copy_in(sql, chunks, Within::Transaction).await
    }

    async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>> {
        stream::copy_out(Access::Lent(self.connection()), sql, Within::Transaction).await
    }

    async fn describe(&self, sql: &str) -> Result<Description> {
        self.connection().describe(sql).await
    }

    async fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.connection().many(Many::Sets(sql, sets), Within::Transaction).await?))
    }

    async fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.connection().many(Many::Batch(batch), Within::Transaction).await
    }
}
