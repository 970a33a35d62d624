//! The mocks of the blocking traits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mockall::mock;
use postgres_types::ToSql;

use super::{Items, Params};
use crate::{
    BytesIter, DatabaseService, Description, Executor, PoolStatus, Result, Row, RowIter, Session, Transaction,
    TransactionOptions, guard::mocked,
};

/// The methods that are mocked: as in [`Executor`], with what `mockall` can keep in place of what it can't.
trait ExecutorCalls {
    fn execute(&self, sql: &str, params: &Params) -> Result<u64>;
    fn fetch_all(&self, sql: &str, params: &Params) -> Result<Vec<Row>>;
    fn fetch_one(&self, sql: &str, params: &Params) -> Result<Row>;
    fn fetch_optional(&self, sql: &str, params: &Params) -> Result<Option<Row>>;
    fn batch_execute(&self, sql: &str) -> Result<()>;
    fn fetch_iter(&self, sql: &str, params: &Params) -> Result<Items<Row>>;
    fn copy_in(&self, sql: &str, data: &Bytes) -> Result<u64>;
    fn copy_out(&self, sql: &str) -> Result<Items<Bytes>>;
    fn describe(&self, sql: &str) -> Result<Description>;
}

trait ServiceCalls {
    fn begin(&self, options: TransactionOptions) -> Result<MockTransaction>;
    fn session(&self) -> Result<MockSession>;
    fn ping(&self) -> Result<()>;
    fn close(&self, deadline: Duration) -> Result<()>;
}

trait SessionCalls {
    fn begin(&mut self, options: TransactionOptions) -> Result<MockTransaction>;
}

trait TransactionCalls {
    fn savepoint(&mut self) -> Result<MockTransaction>;
    fn commit(&self) -> Result<()>;
    fn rollback(&self) -> Result<()>;
}

/// The executor's trait for a mock, in terms of the calls that are mocked.
macro_rules! impl_executor {
    ($mock:ident) => {
        impl Executor for $mock {
            #[track_caller]
            fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
                mocked("execute", Some(sql));
                ExecutorCalls::execute(self, sql, &Params::of(params))
            }

            #[track_caller]
            fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
                mocked("fetch_all", Some(sql));
                ExecutorCalls::fetch_all(self, sql, &Params::of(params))
            }

            #[track_caller]
            fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
                mocked("fetch_one", Some(sql));
                ExecutorCalls::fetch_one(self, sql, &Params::of(params))
            }

            #[track_caller]
            fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
                mocked("fetch_optional", Some(sql));
                ExecutorCalls::fetch_optional(self, sql, &Params::of(params))
            }

            #[track_caller]
            fn batch_execute(&self, sql: &str) -> Result<()> {
                mocked("batch_execute", Some(sql));
                ExecutorCalls::batch_execute(self, sql)
            }

            #[track_caller]
            fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
                mocked("fetch_iter", Some(sql));
                ExecutorCalls::fetch_iter(self, sql, &Params::of(params)).map(Items::into_iter)
            }

            #[track_caller]
            fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
                mocked("copy_in", Some(sql));
                let mut data = BytesMut::new();
                for chunk in chunks {
                    data.extend_from_slice(&chunk?);
                }
                ExecutorCalls::copy_in(self, sql, &data.freeze())
            }

            #[track_caller]
            fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
                mocked("copy_out", Some(sql));
                ExecutorCalls::copy_out(self, sql).map(Items::into_iter)
            }

            #[track_caller]
            fn describe(&self, sql: &str) -> Result<Description> {
                mocked("describe", Some(sql));
                ExecutorCalls::describe(self, sql)
            }
        }
    };
}

mock! {
    /// A mock of [`DatabaseService`].
    ///
    /// What its methods expect and return is in the [module's documentation](crate::mock). An error among the chunks of
    /// `copy_in` is returned without asking for an expectation.
    ///
    /// ```
    /// use catamaran::{DatabaseService, Result, mock::{MockDatabaseService, MockTransaction, params, sql}};
    ///
    /// fn rename(db: &dyn DatabaseService, id: i64, name: &str) -> Result<()> {
    ///     let tx = db.begin(Default::default())?;
    ///     tx.execute("UPDATE agents SET name = $1 WHERE id = $2", &[&name, &id])?;
    ///     tx.commit()
    /// }
    ///
    /// let mut db = MockDatabaseService::new();
    /// db.expect_begin().returning(|_| {
    ///     let mut tx = MockTransaction::new();
    ///     tx.expect_execute().with(sql("UPDATE agents"), params!["ada", 7i64]).returning(|_, _| Ok(1));
    ///     tx.expect_commit().times(1).returning(|| Ok(()));
    ///     Ok(tx)
    /// });
    /// rename(&db, 7, "ada")?;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub DatabaseService {}

    impl ExecutorCalls for DatabaseService {
        fn execute(&self, sql: &str, params: &Params) -> Result<u64>;
        fn fetch_all(&self, sql: &str, params: &Params) -> Result<Vec<Row>>;
        fn fetch_one(&self, sql: &str, params: &Params) -> Result<Row>;
        fn fetch_optional(&self, sql: &str, params: &Params) -> Result<Option<Row>>;
        fn batch_execute(&self, sql: &str) -> Result<()>;
        fn fetch_iter(&self, sql: &str, params: &Params) -> Result<Items<Row>>;
        fn copy_in(&self, sql: &str, data: &Bytes) -> Result<u64>;
        fn copy_out(&self, sql: &str) -> Result<Items<Bytes>>;
        fn describe(&self, sql: &str) -> Result<Description>;
    }

    impl ServiceCalls for DatabaseService {
        fn begin(&self, options: TransactionOptions) -> Result<MockTransaction>;
        fn session(&self) -> Result<MockSession>;
        fn ping(&self) -> Result<()>;
        fn close(&self, deadline: Duration) -> Result<()>;
    }
}

impl_executor!(MockDatabaseService);

mock! {
    /// A mock of [`Session`].
    ///
    /// ```
    /// use catamaran::{DatabaseService, mock::{MockDatabaseService, MockSession, sql}};
    ///
    /// let mut db = MockDatabaseService::new();
    /// db.expect_session().returning(|| {
    ///     let mut session = MockSession::new();
    ///     session.expect_batch_execute().with(sql("CREATE TEMP TABLE")).returning(|_| Ok(()));
    ///     Ok(session)
    /// });
    /// db.session()?.batch_execute("CREATE TEMP TABLE seen (id int8)")?;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub Session {}

    impl ExecutorCalls for Session {
        fn execute(&self, sql: &str, params: &Params) -> Result<u64>;
        fn fetch_all(&self, sql: &str, params: &Params) -> Result<Vec<Row>>;
        fn fetch_one(&self, sql: &str, params: &Params) -> Result<Row>;
        fn fetch_optional(&self, sql: &str, params: &Params) -> Result<Option<Row>>;
        fn batch_execute(&self, sql: &str) -> Result<()>;
        fn fetch_iter(&self, sql: &str, params: &Params) -> Result<Items<Row>>;
        fn copy_in(&self, sql: &str, data: &Bytes) -> Result<u64>;
        fn copy_out(&self, sql: &str) -> Result<Items<Bytes>>;
        fn describe(&self, sql: &str) -> Result<Description>;
    }

    impl SessionCalls for Session {
        fn begin(&mut self, options: TransactionOptions) -> Result<MockTransaction>;
    }
}

impl_executor!(MockSession);

mock! {
    /// A mock of [`Transaction`]. Dropped without `commit` or `rollback`, it expects neither.
    ///
    /// ```
    /// use catamaran::{Transaction, mock::MockTransaction};
    ///
    /// let mut tx = MockTransaction::new();
    /// tx.expect_savepoint().returning(|| {
    ///     let mut savepoint = MockTransaction::new();
    ///     savepoint.expect_rollback().times(1).returning(|| Ok(()));
    ///     Ok(savepoint)
    /// });
    /// tx.savepoint()?.rollback()?;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub Transaction {}

    impl ExecutorCalls for Transaction {
        fn execute(&self, sql: &str, params: &Params) -> Result<u64>;
        fn fetch_all(&self, sql: &str, params: &Params) -> Result<Vec<Row>>;
        fn fetch_one(&self, sql: &str, params: &Params) -> Result<Row>;
        fn fetch_optional(&self, sql: &str, params: &Params) -> Result<Option<Row>>;
        fn batch_execute(&self, sql: &str) -> Result<()>;
        fn fetch_iter(&self, sql: &str, params: &Params) -> Result<Items<Row>>;
        fn copy_in(&self, sql: &str, data: &Bytes) -> Result<u64>;
        fn copy_out(&self, sql: &str) -> Result<Items<Bytes>>;
        fn describe(&self, sql: &str) -> Result<Description>;
    }

    impl TransactionCalls for Transaction {
        fn savepoint(&mut self) -> Result<MockTransaction>;
        fn commit(&self) -> Result<()>;
        fn rollback(&self) -> Result<()>;
    }
}

impl_executor!(MockTransaction);

impl DatabaseService for MockDatabaseService {
    #[track_caller]
    fn begin(&self, options: TransactionOptions) -> Result<Box<dyn Transaction>> {
        mocked("begin", None);
        Ok(Box::new(ServiceCalls::begin(self, options)?))
    }

    #[track_caller]
    fn session(&self) -> Result<Box<dyn Session>> {
        mocked("session", None);
        Ok(Box::new(ServiceCalls::session(self)?))
    }

    #[track_caller]
    fn ping(&self) -> Result<()> {
        mocked("ping", None);
        ServiceCalls::ping(self)
    }

    fn status(&self) -> PoolStatus {
        super::status()
    }

    #[track_caller]
    fn close(&self, deadline: Duration) -> Result<()> {
        mocked("close", None);
        ServiceCalls::close(self, deadline)
    }
}

impl Session for MockSession {
    #[track_caller]
    fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn Transaction + '_>> {
        mocked("begin", None);
        Ok(Box::new(SessionCalls::begin(self, options)?))
    }
}

impl Transaction for MockTransaction {
    #[track_caller]
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        mocked("savepoint", None);
        Ok(Box::new(TransactionCalls::savepoint(self)?))
    }

    #[track_caller]
    fn commit(self: Box<Self>) -> Result<()> {
        mocked("commit", None);
        TransactionCalls::commit(&*self)
    }

    #[track_caller]
    fn rollback(self: Box<Self>) -> Result<()> {
        mocked("rollback", None);
        TransactionCalls::rollback(&*self)
    }
}
