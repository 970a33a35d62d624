//! The mocks of the async traits.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt as _;
use mockall::mock;
use postgres_types::ToSql;

use super::{Items, Params, Reply};
use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, BytesStream, Description, PoolStatus, Result,
    Row, RowStream, TransactionOptions,
};

/// The methods that are mocked: as in [`AsyncExecutor`], with what `mockall` can keep in place of what it can't.
trait ExecutorCalls {
    fn execute(&self, sql: &str, params: &Params) -> Reply<u64>;
    fn fetch_all(&self, sql: &str, params: &Params) -> Reply<Vec<Row>>;
    fn fetch_one(&self, sql: &str, params: &Params) -> Reply<Row>;
    fn fetch_optional(&self, sql: &str, params: &Params) -> Reply<Option<Row>>;
    fn batch_execute(&self, sql: &str) -> Reply<()>;
    fn fetch_stream(&self, sql: &str, params: &Params) -> Reply<Items<Row>>;
    fn copy_in(&self, sql: &str, data: &Bytes) -> Reply<u64>;
    fn copy_out(&self, sql: &str) -> Reply<Items<Bytes>>;
    fn describe(&self, sql: &str) -> Reply<Description>;
}

trait ServiceCalls {
    fn begin(&self, options: TransactionOptions) -> Reply<MockAsyncTransaction>;
    fn session(&self) -> Reply<MockAsyncSession>;
    fn ping(&self) -> Reply<()>;
    fn close(&self, deadline: Duration) -> Reply<()>;
}

trait SessionCalls {
    fn begin(&mut self, options: TransactionOptions) -> Reply<MockAsyncTransaction>;
}

trait TransactionCalls {
    fn savepoint(&mut self) -> Reply<MockAsyncTransaction>;
    fn commit(&self) -> Reply<()>;
    fn rollback(&self) -> Reply<()>;
}

/// The executor's trait for a mock, in terms of the calls that are mocked.
macro_rules! impl_executor {
    ($mock:ident) => {
        #[async_trait]
        impl AsyncExecutor for $mock {
            async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
                ExecutorCalls::execute(self, sql, &Params::of(params)).await
            }

            async fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
                ExecutorCalls::fetch_all(self, sql, &Params::of(params)).await
            }

            async fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
                ExecutorCalls::fetch_one(self, sql, &Params::of(params)).await
            }

            async fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
                ExecutorCalls::fetch_optional(self, sql, &Params::of(params)).await
            }

            async fn batch_execute(&self, sql: &str) -> Result<()> {
                ExecutorCalls::batch_execute(self, sql).await
            }

            async fn fetch_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
                ExecutorCalls::fetch_stream(self, sql, &Params::of(params)).await.map(Items::into_stream)
            }

            async fn copy_in(
                &self,
                sql: &str,
                chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
            ) -> Result<u64> {
                let mut data = BytesMut::new();
                while let Some(chunk) = chunks.next().await {
                    data.extend_from_slice(&chunk?);
                }
                ExecutorCalls::copy_in(self, sql, &data.freeze()).await
            }

            async fn copy_out(&self, sql: &str) -> Result<BytesStream<'_>> {
                ExecutorCalls::copy_out(self, sql).await.map(Items::into_stream)
            }

            async fn describe(&self, sql: &str) -> Result<Description> {
                ExecutorCalls::describe(self, sql).await
            }
        }
    };
}

mock! {
    /// A mock of [`AsyncDatabaseService`].
    ///
    /// What its methods expect and return is in the [module's documentation](crate::mock). An error among the chunks of
    /// `copy_in` is returned without asking for an expectation.
    ///
    /// ```
    /// use catamaran::{AsyncDatabaseService, Result, mock::{MockAsyncDatabaseService, MockAsyncTransaction, params, reply, sql}};
    ///
    /// async fn rename(db: &dyn AsyncDatabaseService, id: i64, name: &str) -> Result<()> {
    ///     let tx = db.begin(Default::default()).await?;
    ///     tx.execute("UPDATE agents SET name = $1 WHERE id = $2", &[&name, &id]).await?;
    ///     tx.commit().await
    /// }
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut db = MockAsyncDatabaseService::new();
    /// db.expect_begin().returning(|_| {
    ///     let mut tx = MockAsyncTransaction::new();
    ///     tx.expect_execute().with(sql("UPDATE agents"), params!["ada", 7i64]).returning(|_, _| reply(1));
    ///     tx.expect_commit().times(1).returning(|| reply(()));
    ///     reply(tx)
    /// });
    /// rename(&db, 7, "ada").await?;
    /// # Ok::<(), catamaran::Error>(())
    /// # }).unwrap();
    /// ```
    pub AsyncDatabaseService {}

    impl ExecutorCalls for AsyncDatabaseService {
        fn execute(&self, sql: &str, params: &Params) -> Reply<u64>;
        fn fetch_all(&self, sql: &str, params: &Params) -> Reply<Vec<Row>>;
        fn fetch_one(&self, sql: &str, params: &Params) -> Reply<Row>;
        fn fetch_optional(&self, sql: &str, params: &Params) -> Reply<Option<Row>>;
        fn batch_execute(&self, sql: &str) -> Reply<()>;
        fn fetch_stream(&self, sql: &str, params: &Params) -> Reply<Items<Row>>;
        fn copy_in(&self, sql: &str, data: &Bytes) -> Reply<u64>;
        fn copy_out(&self, sql: &str) -> Reply<Items<Bytes>>;
        fn describe(&self, sql: &str) -> Reply<Description>;
    }

    impl ServiceCalls for AsyncDatabaseService {
        fn begin(&self, options: TransactionOptions) -> Reply<MockAsyncTransaction>;
        fn session(&self) -> Reply<MockAsyncSession>;
        fn ping(&self) -> Reply<()>;
        fn close(&self, deadline: Duration) -> Reply<()>;
    }
}

impl_executor!(MockAsyncDatabaseService);

mock! {
    /// A mock of [`AsyncSession`].
    ///
    /// ```
    /// use catamaran::mock::{MockAsyncDatabaseService, MockAsyncSession, reply, sql};
    /// # use catamaran::AsyncDatabaseService;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut db = MockAsyncDatabaseService::new();
    /// db.expect_session().returning(|| {
    ///     let mut session = MockAsyncSession::new();
    ///     session.expect_batch_execute().with(sql("CREATE TEMP TABLE")).returning(|_| reply(()));
    ///     reply(session)
    /// });
    /// db.session().await?.batch_execute("CREATE TEMP TABLE seen (id int8)").await?;
    /// # Ok::<(), catamaran::Error>(())
    /// # }).unwrap();
    /// ```
    pub AsyncSession {}

    impl ExecutorCalls for AsyncSession {
        fn execute(&self, sql: &str, params: &Params) -> Reply<u64>;
        fn fetch_all(&self, sql: &str, params: &Params) -> Reply<Vec<Row>>;
        fn fetch_one(&self, sql: &str, params: &Params) -> Reply<Row>;
        fn fetch_optional(&self, sql: &str, params: &Params) -> Reply<Option<Row>>;
        fn batch_execute(&self, sql: &str) -> Reply<()>;
        fn fetch_stream(&self, sql: &str, params: &Params) -> Reply<Items<Row>>;
        fn copy_in(&self, sql: &str, data: &Bytes) -> Reply<u64>;
        fn copy_out(&self, sql: &str) -> Reply<Items<Bytes>>;
        fn describe(&self, sql: &str) -> Reply<Description>;
    }

    impl SessionCalls for AsyncSession {
        fn begin(&mut self, options: TransactionOptions) -> Reply<MockAsyncTransaction>;
    }
}

impl_executor!(MockAsyncSession);

mock! {
    /// A mock of [`AsyncTransaction`]. Dropped without `commit` or `rollback`, it expects neither.
    ///
    /// ```
    /// use catamaran::{AsyncTransaction, mock::{MockAsyncTransaction, reply}};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut tx = MockAsyncTransaction::new();
    /// tx.expect_savepoint().returning(|| {
    ///     let mut savepoint = MockAsyncTransaction::new();
    ///     savepoint.expect_rollback().times(1).returning(|| reply(()));
    ///     reply(savepoint)
    /// });
    /// tx.savepoint().await?.rollback().await?;
    /// # Ok::<(), catamaran::Error>(())
    /// # }).unwrap();
    /// ```
    pub AsyncTransaction {}

    impl ExecutorCalls for AsyncTransaction {
        fn execute(&self, sql: &str, params: &Params) -> Reply<u64>;
        fn fetch_all(&self, sql: &str, params: &Params) -> Reply<Vec<Row>>;
        fn fetch_one(&self, sql: &str, params: &Params) -> Reply<Row>;
        fn fetch_optional(&self, sql: &str, params: &Params) -> Reply<Option<Row>>;
        fn batch_execute(&self, sql: &str) -> Reply<()>;
        fn fetch_stream(&self, sql: &str, params: &Params) -> Reply<Items<Row>>;
        fn copy_in(&self, sql: &str, data: &Bytes) -> Reply<u64>;
        fn copy_out(&self, sql: &str) -> Reply<Items<Bytes>>;
        fn describe(&self, sql: &str) -> Reply<Description>;
    }

    impl TransactionCalls for AsyncTransaction {
        fn savepoint(&mut self) -> Reply<MockAsyncTransaction>;
        fn commit(&self) -> Reply<()>;
        fn rollback(&self) -> Reply<()>;
    }
}

impl_executor!(MockAsyncTransaction);

#[async_trait]
impl AsyncDatabaseService for MockAsyncDatabaseService {
    async fn begin(&self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        Ok(Box::new(ServiceCalls::begin(self, options).await?))
    }

    async fn session(&self) -> Result<Box<dyn AsyncSession>> {
        Ok(Box::new(ServiceCalls::session(self).await?))
    }

    async fn ping(&self) -> Result<()> {
        ServiceCalls::ping(self).await
    }

    fn status(&self) -> PoolStatus {
        super::status()
    }

    async fn close(&self, deadline: Duration) -> Result<()> {
        ServiceCalls::close(self, deadline).await
    }
}

#[async_trait]
impl AsyncSession for MockAsyncSession {
    async fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction + '_>> {
        Ok(Box::new(SessionCalls::begin(self, options).await?))
    }
}

#[async_trait]
impl AsyncTransaction for MockAsyncTransaction {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        Ok(Box::new(TransactionCalls::savepoint(self).await?))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        TransactionCalls::commit(&*self).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        TransactionCalls::rollback(&*self).await
    }
}
