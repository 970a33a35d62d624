//! What stands where a test injected nothing.

use std::time::Duration;

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, Bytes, BytesIter, BytesStream,
    DatabaseService, Description, Error, ErrorKind, Executor, PoolStatus, Result, Row, RowIter, RowStream, Session,
    ToSql, Transaction, TransactionOptions, async_trait,
};
use futures_core::Stream;

/// Both services, all of whose calls fail.
#[derive(Debug)]
pub(crate) struct Absent;

fn blocking<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Config, "the application was made without a blocking service"))
}

fn nonblocking<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Config, "the application was made without an async service"))
}

impl Executor for Absent {
    fn execute(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        blocking()
    }

    fn fetch_all(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        blocking()
    }

    fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        blocking()
    }

    fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        blocking()
    }

    fn batch_execute(&self, _: &str) -> Result<()> {
        blocking()
    }

    fn fetch_iter(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        blocking()
    }

    fn copy_in(&self, _: &str, _: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        blocking()
    }

    fn copy_out(&self, _: &str) -> Result<BytesIter<'_>> {
        blocking()
    }

    fn describe(&self, _: &str) -> Result<Description> {
        blocking()
    }
}

impl DatabaseService for Absent {
    fn begin(&self, _: TransactionOptions) -> Result<Box<dyn Transaction>> {
        blocking()
    }

    fn session(&self) -> Result<Box<dyn Session>> {
        blocking()
    }

    fn ping(&self) -> Result<()> {
        blocking()
    }

    fn status(&self) -> PoolStatus {
        PoolStatus::empty(1)
    }

    fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl AsyncExecutor for Absent {
    async fn execute(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        nonblocking()
    }

    async fn fetch_all(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        nonblocking()
    }

    async fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        nonblocking()
    }

    async fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        nonblocking()
    }

    async fn batch_execute(&self, _: &str) -> Result<()> {
        nonblocking()
    }

    async fn fetch_stream(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        nonblocking()
    }

    async fn copy_in(&self, _: &str, _: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        nonblocking()
    }

    async fn copy_out(&self, _: &str) -> Result<BytesStream<'_>> {
        nonblocking()
    }

    async fn describe(&self, _: &str) -> Result<Description> {
        nonblocking()
    }
}

#[async_trait]
impl AsyncDatabaseService for Absent {
    async fn begin(&self, _: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        nonblocking()
    }

    async fn session(&self) -> Result<Box<dyn AsyncSession>> {
        nonblocking()
    }

    async fn ping(&self) -> Result<()> {
        nonblocking()
    }

    fn status(&self) -> PoolStatus {
        PoolStatus::empty(1)
    }

    async fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }
}
