//! A service of both kinds that breaks in the middle of every stream.

use std::time::Duration;

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, AsyncIter, AsyncSession, AsyncTransaction, Bytes, BytesIter, BytesStream,
    DatabaseService, Description, Error, ErrorKind, Executor, Iter, PoolStatus, Result, Row, RowIter, RowStream,
    Session, ToSql, Transaction, TransactionOptions, async_trait, row,
};
use futures_util::{Stream, stream};

/// How many items come before it panics.
pub const BEFORE: usize = 3;

/// Panics in each stream after [`BEFORE`] items. Nothing else can be asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Breaks;

fn unasked<T>() -> Result<T> {
    Err(Error::new(ErrorKind::WrongStatement, "only streams can be asked for"))
}

fn items<T>(item: impl Fn() -> T) -> impl Iterator<Item = Result<T>> {
    (0..).map(move |at| if at < BEFORE { Ok(item()) } else { panic!("in the middle of a stream") })
}

fn rows() -> impl Iterator<Item = Result<Row>> {
    items(|| row! { "x" => 1i32 })
}

fn chunks() -> impl Iterator<Item = Result<Bytes>> {
    items(|| Bytes::from("1\n"))
}

impl Executor for Breaks {
    fn execute(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        unasked()
    }
    fn fetch_all(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        unasked()
    }
    fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        unasked()
    }
    fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        unasked()
    }
    fn batch_execute(&self, _: &str) -> Result<()> {
        unasked()
    }
    fn fetch_iter(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        Ok(Iter::new(rows()))
    }
    fn copy_in(&self, _: &str, _: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        unasked()
    }
    fn copy_out(&self, _: &str) -> Result<BytesIter<'_>> {
        Ok(Iter::new(chunks()))
    }
    fn describe(&self, _: &str) -> Result<Description> {
        unasked()
    }
}

impl DatabaseService for Breaks {
    fn begin(&self, _: TransactionOptions) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(Self))
    }
    fn session(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Self))
    }
    fn ping(&self) -> Result<()> {
        Ok(())
    }
    fn status(&self) -> PoolStatus {
        PoolStatus::empty(1)
    }
    fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }
}

impl Session for Breaks {
    fn begin(&mut self, _: TransactionOptions) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(Self))
    }
}

impl Transaction for Breaks {
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(Self))
    }
    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
    fn rollback(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl AsyncExecutor for Breaks {
    async fn execute(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        unasked()
    }
    async fn fetch_all(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        unasked()
    }
    async fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        unasked()
    }
    async fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        unasked()
    }
    async fn batch_execute(&self, _: &str) -> Result<()> {
        unasked()
    }
    async fn fetch_stream(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        Ok(AsyncIter::new(stream::iter(rows())))
    }
    async fn copy_in(&self, _: &str, _: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        unasked()
    }
    async fn copy_out(&self, _: &str) -> Result<BytesStream<'_>> {
        Ok(AsyncIter::new(stream::iter(chunks())))
    }
    async fn describe(&self, _: &str) -> Result<Description> {
        unasked()
    }
}

#[async_trait]
impl AsyncDatabaseService for Breaks {
    async fn begin(&self, _: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        unasked()
    }
    async fn session(&self) -> Result<Box<dyn AsyncSession>> {
        unasked()
    }
    async fn ping(&self) -> Result<()> {
        Ok(())
    }
    fn status(&self) -> PoolStatus {
        PoolStatus::empty(1)
    }
    async fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }
}
