//! Async executors that know who calls them.

use bytes::Bytes;
use futures_core::Stream;
use postgres_types::ToSql;

use crate::{
    AsyncSession, AsyncTransaction, Batch, BytesStream, Description, EachRow, Outcome, Result, Row, RowStream,
    TransactionOptions, call::Call,
};

/// The methods of [`AsyncExecutor`](crate::AsyncExecutor), told who calls.
///
/// `#[track_caller]` does nothing for an `async fn`. With [`located!`] for each, the functions of `AsyncExecutor` look at
/// their caller before they make the future.
pub(crate) trait Located: Send + Sync {
    fn execute(
        &self,
        call: Call,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<u64>> + Send;

    fn fetch_all(
        &self,
        call: Call,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Vec<Row>>> + Send;

    fn fetch_one(
        &self,
        call: Call,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Row>> + Send;

    fn fetch_optional(
        &self,
        call: Call,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Option<Row>>> + Send;

    fn fetch_each(
        &self,
        call: Call,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        each: EachRow<'_>,
    ) -> impl Future<Output = Result<()>> + Send;

    fn batch_execute(&self, call: Call, sql: &str) -> impl Future<Output = Result<()>> + Send;

    fn fetch_stream(
        &self,
        call: Call,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<RowStream<'_>>> + Send;

    fn copy_in(
        &self,
        call: Call,
        sql: &str,
        chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
    ) -> impl Future<Output = Result<u64>> + Send;

    fn copy_out(&self, call: Call, sql: &str) -> impl Future<Output = Result<BytesStream<'_>>> + Send;

    fn describe(&self, call: Call, sql: &str) -> impl Future<Output = Result<Description>> + Send;

    fn execute_many(
        &self,
        call: Call,
        sql: &str,
        sets: &[&[&(dyn ToSql + Sync)]],
    ) -> impl Future<Output = Result<Vec<u64>>> + Send;

    fn run_batch(&self, call: Call, batch: &Batch<'_>) -> impl Future<Output = Result<Vec<Outcome>>> + Send;
}

/// The methods of [`AsyncDatabaseService`](crate::AsyncDatabaseService) that take a connection, told who calls.
pub(crate) trait LocatedService: Send + Sync {
    fn begin(
        &self,
        call: Call,
        options: TransactionOptions,
    ) -> impl Future<Output = Result<Box<dyn AsyncTransaction>>> + Send;

    fn session(&self, call: Call) -> impl Future<Output = Result<Box<dyn AsyncSession>>> + Send;

    fn ping(&self, call: Call) -> impl Future<Output = Result<()>> + Send;
}

/// Those methods, written out as `#[async_trait]` would.
macro_rules! located_service {
    () => {
        located_service! { @methods
            begin(options: TransactionOptions) -> Box<dyn AsyncTransaction>;
            session() -> Box<dyn AsyncSession>;
            ping() -> ();
        }
    };
    (@methods $($method:ident($($arg:ident: $ty:ty)?) -> $output:ty;)+) => {$(
        #[track_caller]
        fn $method<'life0, 'async_trait>(
            &'life0 self,
            $($arg: $ty)?
        ) -> $crate::forward::Later<'async_trait, $output>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            let call = $crate::call::Call::here(stringify!($method));
            Box::pin($crate::located::LocatedService::$method(self, call $(, $arg)?))
        }
    )+};
}
pub(crate) use located_service;

/// The future of a call, which is told who calls.
macro_rules! located {
    ($self:ident.$method:ident($($arg:ident),+)) => {{
        let call = $crate::call::Call::here(stringify!($method));
        // Made where it stays, it is not moved.
        let made = Box::write(Box::new_uninit(), $crate::located::Located::$method($self, call, $($arg),+));
        Box::into_pin(made)
    }};
}
pub(crate) use located;
