//! References and smart pointers to an executor are executors, so that `&db` can be passed where `&dyn Executor` is
//! asked, whether `db` is an `Arc<dyn DatabaseService>`, a `Box<dyn Transaction>` or a `&mut dyn Session`.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use postgres_types::ToSql;

use crate::{
    AsyncExecutor, Batch, BytesIter, BytesStream, Description, EachRow, Executor, Outcome, Result, Row, RowIter,
    RowStream,
};

/// What an `async fn` of a trait becomes under `#[async_trait]`.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Implements `Executor` for a type that dereferences to one.
macro_rules! forward_executor {
    ([$($generics:tt)*] $pointer:ty) => {
        impl<$($generics)*> Executor for $pointer {
            forward_executor! { @methods
                execute(sql: &str, params: &[&(dyn ToSql + Sync)]) -> u64;
                fetch_all(sql: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<Row>;
                fetch_one(sql: &str, params: &[&(dyn ToSql + Sync)]) -> Row;
                fetch_optional(sql: &str, params: &[&(dyn ToSql + Sync)]) -> Option<Row>;
                fetch_each(
                    sql: &str,
                    params: &[&(dyn ToSql + Sync)],
                    each: EachRow<'_>
                ) -> ();
                batch_execute(sql: &str) -> ();
                fetch_iter(sql: &str, params: &[&(dyn ToSql + Sync)]) -> RowIter<'_>;
                copy_in(sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> u64;
                copy_out(sql: &str) -> BytesIter<'_>;
                describe(sql: &str) -> Description;
                execute_many(sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Vec<u64>;
                run_batch(batch: &Batch<'_>) -> Vec<Outcome>;
            }
        }
    };
    (@methods $($method:ident($($arg:ident: $ty:ty),+) -> $output:ty;)+) => {$(
        // The guard reports the caller's line, not this one.
        #[track_caller]
        fn $method(&self, $($arg: $ty),+) -> Result<$output> {
            (**self).$method($($arg),+)
        }
    )+};
}

/// Implements `AsyncExecutor` by what a macro makes of each call.
///
/// The signatures are those that `#[async_trait]` makes; written out, they need not box another future, and can look at
/// their caller.
macro_rules! written_out_async_executor {
    ([$($generics:tt)*] $type:ty, $body:ident) => {
        impl<$($generics)*> AsyncExecutor for $type {
            written_out_async_executor! { @methods $body
                ['life2, 'life3] execute(params: &'life2 [&'life3 (dyn ToSql + Sync)]) -> u64;
                ['life2, 'life3] fetch_all(params: &'life2 [&'life3 (dyn ToSql + Sync)]) -> Vec<Row>;
                ['life2, 'life3] fetch_one(params: &'life2 [&'life3 (dyn ToSql + Sync)]) -> Row;
                ['life2, 'life3] fetch_optional(params: &'life2 [&'life3 (dyn ToSql + Sync)]) -> Option<Row>;
                ['life2, 'life3, 'life4] fetch_each(
                    params: &'life2 [&'life3 (dyn ToSql + Sync)],
                    each: EachRow<'life4>
                ) -> ();
                [] batch_execute() -> ();
                ['life2, 'life3] fetch_stream(params: &'life2 [&'life3 (dyn ToSql + Sync)]) -> RowStream<'life0>;
                ['life2] copy_in(
                    chunks: &'life2 mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)
                ) -> u64;
                [] copy_out() -> BytesStream<'life0>;
                [] describe() -> Description;
                ['life2, 'life3, 'life4] execute_many(
                    sets: &'life2 [&'life3 [&'life4 (dyn ToSql + Sync)]]
                ) -> Vec<u64>;
            }

            #[track_caller]
            fn run_batch<'life0, 'life1, 'life2, 'async_trait>(
                &'life0 self,
                batch: &'life1 Batch<'life2>,
            ) -> $crate::forward::Later<'async_trait, Vec<Outcome>>
            where
                'life0: 'async_trait,
                'life1: 'async_trait,
                'life2: 'async_trait,
                Self: 'async_trait,
            {
                $body!(self.run_batch(batch))
            }
        }
    };
    (@methods $body:ident $([$($life:lifetime),*] $method:ident($($arg:ident: $ty:ty),*) -> $output:ty;)+) => {$(
        #[track_caller]
        fn $method<'life0, 'life1, $($life,)* 'async_trait>(
            &'life0 self,
            sql: &'life1 str,
            $($arg: $ty),*
        ) -> $crate::forward::Later<'async_trait, $output>
        where
            'life0: 'async_trait,
            'life1: 'async_trait,
            $($life: 'async_trait,)*
            Self: 'async_trait,
        {
            $body!(self.$method(sql $(, $arg)*))
        }
    )+};
}
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub(crate) use written_out_async_executor;

/// The call of what it dereferences to, and its future as it is.
macro_rules! forwarded {
    ($self:ident.$method:ident($($arg:ident),+)) => {
        (**$self).$method($($arg),+)
    };
}

forward_executor!([T: Executor + ?Sized] &T);
forward_executor!([T: Executor + ?Sized] &mut T);
forward_executor!([T: Executor + ?Sized] Box<T>);
forward_executor!([T: Executor + ?Sized] Arc<T>);
forward_executor!([] crate::ext::Attempt);

written_out_async_executor!([T: AsyncExecutor + ?Sized] &T, forwarded);
written_out_async_executor!([T: AsyncExecutor + ?Sized] &mut T, forwarded);
written_out_async_executor!([T: AsyncExecutor + ?Sized] Box<T>, forwarded);
written_out_async_executor!([T: AsyncExecutor + ?Sized] Arc<T>, forwarded);
written_out_async_executor!([] crate::ext::AsyncAttempt, forwarded);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AsyncDatabaseService, AsyncExecutorExt as _, AsyncSession, AsyncTransaction, DatabaseService, ExecutorExt as _,
        Session, Transaction,
    };

    fn helper(db: &dyn Executor) -> Result<u64> {
        db.execute("SELECT 1", &[])
    }

    async fn async_helper(db: &dyn AsyncExecutor) -> Result<u64> {
        db.execute("SELECT 1", &[]).await
    }

    fn generic<E: Executor>(db: E) -> Result<Vec<Row>> {
        db.fetch_all("SELECT 1", &[])
    }

    #[allow(dead_code, reason = "compiling is the test")]
    fn whatever_holds_an_executor_is_one(
        service: Arc<dyn DatabaseService>,
        mut transaction: Box<dyn Transaction>,
        session: &mut dyn Session,
    ) -> Result<()> {
        helper(&service)?;
        helper(&*service)?;
        helper(&transaction)?;
        helper(&session)?;
        helper(session)?;
        helper(&transaction.savepoint()?)?;
        generic(&service)?;
        generic(service.clone())?;
        service.fetch_all("SELECT 1", &[])?;
        session.fetch_all("SELECT 1", &[])?;
        transaction.fetch_scalar::<i32>("SELECT 1", &[])?;
        service.fetch_scalar::<i32>("SELECT 1", &[])?;
        transaction.commit()
    }

    #[allow(dead_code, reason = "compiling is the test")]
    async fn the_same_awaited(
        service: Arc<dyn AsyncDatabaseService>,
        mut transaction: Box<dyn AsyncTransaction>,
        session: &mut dyn AsyncSession,
    ) -> Result<()> {
        async_helper(&service).await?;
        async_helper(&*service).await?;
        async_helper(&transaction).await?;
        async_helper(&session).await?;
        async_helper(session).await?;
        async_helper(&transaction.savepoint().await?).await?;
        service.fetch_all("SELECT 1", &[]).await?;
        session.fetch_all("SELECT 1", &[]).await?;
        transaction.fetch_scalar::<i32>("SELECT 1", &[]).await?;
        service.fetch_scalar::<i32>("SELECT 1", &[]).await?;
        transaction.commit().await
    }

    #[allow(dead_code, reason = "compiling is the test")]
    fn the_futures_are_send(service: Arc<dyn AsyncDatabaseService>, transaction: Box<dyn AsyncTransaction>) {
        fn send(_: impl Send) {}
        send(async move { the_same_awaited(service.clone(), transaction, &mut *service.session().await?).await });
    }
}
