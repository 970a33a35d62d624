//! A service without a database, which answers from a script and keeps a log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use postgres_types::ToSql;

use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, BytesIter, BytesStream, DatabaseService,
    Description, Error, ErrorKind, Executor, PoolStatus, Result, Row, RowIter, RowStream, Session, Transaction,
    TransactionOptions,
};

/// What each statement answers, in order; `Ok` once they are used up. Savepoints and their ends are in the log only.
#[derive(Clone, Default)]
pub(super) struct Fake {
    answers: Arc<Mutex<VecDeque<Result<()>>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(super) fn answering(answers: impl IntoIterator<Item = Result<()>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn run(&self, what: &str) -> Result<()> {
        self.note(what);
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }

    fn note(&self, what: &str) {
        self.log.lock().unwrap().push(what.to_owned());
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().join(" ")
    }
}

pub(super) fn nothing<T>() -> Result<T> {
    Err(Error::new(ErrorKind::NoRows, "nothing"))
}

impl Executor for Fake {
    fn execute(&self, sql: &str, _: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.run(sql).map(|()| 1)
    }
    fn fetch_all(&self, sql: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.run(sql).map(|()| Vec::new())
    }
    fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        nothing()
    }
    fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        Ok(None)
    }
    fn batch_execute(&self, sql: &str) -> Result<()> {
        self.run(sql)
    }
    fn fetch_iter(&self, sql: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        let item = self.run(sql).map(|()| crate::row! { "id" => 1i64 });
        Ok(RowIter::new(std::iter::once(item)))
    }
    fn copy_in(&self, _: &str, _: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        nothing()
    }
    fn copy_out(&self, _: &str) -> Result<BytesIter<'_>> {
        nothing()
    }
    fn describe(&self, _: &str) -> Result<Description> {
        nothing()
    }
}

#[async_trait]
impl AsyncExecutor for Fake {
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        Executor::execute(self, sql, params)
    }
    async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        Executor::fetch_all(self, sql, params)
    }
    async fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        nothing()
    }
    async fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        Ok(None)
    }
    async fn batch_execute(&self, sql: &str) -> Result<()> {
        self.run(sql)
    }
    async fn fetch_stream(&self, sql: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        let item = self.run(sql).map(|()| crate::row! { "id" => 1i64 });
        Ok(RowStream::new(futures_util::stream::iter([item])))
    }
    async fn copy_in(&self, _: &str, _: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        nothing()
    }
    async fn copy_out(&self, _: &str) -> Result<BytesStream<'_>> {
        nothing()
    }
    async fn describe(&self, _: &str) -> Result<Description> {
        nothing()
    }
}

impl Transaction for Fake {
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        self.note("savepoint");
        Ok(Box::new(self.clone()))
    }
    fn commit(self: Box<Self>) -> Result<()> {
        self.run("commit")
    }
    fn rollback(self: Box<Self>) -> Result<()> {
        self.note("rollback");
        Ok(())
    }
}

#[async_trait]
impl AsyncTransaction for Fake {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        self.note("savepoint");
        Ok(Box::new(self.clone()))
    }
    async fn commit(self: Box<Self>) -> Result<()> {
        self.run("commit")
    }
    async fn rollback(self: Box<Self>) -> Result<()> {
        self.note("rollback");
        Ok(())
    }
}

impl DatabaseService for Fake {
    fn begin(&self, _: TransactionOptions) -> Result<Box<dyn Transaction>> {
        self.note("begin");
        Ok(Box::new(self.clone()))
    }
    fn session(&self) -> Result<Box<dyn Session>> {
        nothing()
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

#[async_trait]
impl AsyncDatabaseService for Fake {
    async fn begin(&self, _: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        self.note("begin");
        Ok(Box::new(self.clone()))
    }
    async fn session(&self) -> Result<Box<dyn AsyncSession>> {
        nothing()
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

pub(super) fn conflict() -> Result<()> {
    Err(Error::server("40001", "could not serialize access"))
}

pub(super) fn aborted() -> Result<()> {
    Err(Error::server("25P02", "current transaction is aborted"))
}

/// An error type that hides where it came from.
#[derive(Debug, PartialEq)]
pub(super) struct Opaque;

impl From<Error> for Opaque {
    fn from(_: Error) -> Self {
        Self
    }
}
