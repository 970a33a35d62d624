//! A blocking executor whose every call is looked at.

use bytes::Bytes;
use postgres_types::ToSql;

use super::Guard;
use crate::{
    Batch, BytesIter, Canceller, Description, EachRow, Executor, Outcome, Result, Row, RowIter, Session, Transaction,
    TransactionOptions, call::Call, stream::Iter,
};

/// An executor, and what looks at its calls.
#[derive(Debug)]
pub(crate) struct Guarded<E> {
    executor: E,
    guard: Guard,
}

impl<E> Guarded<E> {
    pub(crate) fn new(executor: E, guard: Guard) -> Self {
        Self { executor, guard }
    }
}

impl Guard {
    /// Items that are looked at one by one, in the name of who asked for them.
    pub(crate) fn items<'a, T: Send + 'a>(&self, sql: &str, call: Call, mut items: Iter<'a, T>) -> Iter<'a, T> {
        let (guard, sql) = (self.clone(), sql.to_owned());
        Iter::new(std::iter::from_fn(move || {
            guard.run(call, Some(&sql), || Ok(items.next())).unwrap_or_else(|error| Some(Err(error)))
        }))
    }
}

/// Implements `Executor` for a type whose `guard` looks at each call before its `executor` is asked.
macro_rules! guarded_executor {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Executor for $type {
            #[track_caller]
            fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
                self.guard.call("execute", Some(sql), || self.executor.execute(sql, params))
            }

            #[track_caller]
            fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
                self.guard.call("fetch_all", Some(sql), || self.executor.fetch_all(sql, params))
            }

            #[track_caller]
            fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
                self.guard.call("fetch_one", Some(sql), || self.executor.fetch_one(sql, params))
            }

            #[track_caller]
            fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
                self.guard.call("fetch_optional", Some(sql), || self.executor.fetch_optional(sql, params))
            }

            #[track_caller]
            fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
                self.guard.call("fetch_each", Some(sql), || self.executor.fetch_each(sql, params, each))
            }

            #[track_caller]
            fn batch_execute(&self, sql: &str) -> Result<()> {
                self.guard.call("batch_execute", Some(sql), || self.executor.batch_execute(sql))
            }

            #[track_caller]
            fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
                let call = Call::here("fetch_iter");
                let rows = self.guard.run(call, Some(sql), || self.executor.fetch_iter(sql, params))?;
                Ok(self.guard.items(sql, call, rows))
            }

            #[track_caller]
            fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
                self.guard.call("copy_in", Some(sql), || self.executor.copy_in(sql, chunks))
            }

            #[track_caller]
            fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
                let call = Call::here("copy_out");
                let data = self.guard.run(call, Some(sql), || self.executor.copy_out(sql))?;
                Ok(self.guard.items(sql, call, data))
            }

            #[track_caller]
            fn describe(&self, sql: &str) -> Result<Description> {
                self.guard.call("describe", Some(sql), || self.executor.describe(sql))
            }

            #[track_caller]
            fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
                self.guard.call("execute_many", Some(sql), || self.executor.execute_many(sql, sets))
            }

            #[track_caller]
            fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
                let first = batch.statements().first().map(|statement| statement.sql());
                self.guard.call("run_batch", first, || self.executor.run_batch(batch))
            }
        }
    };
}
pub(crate) use guarded_executor;

guarded_executor!([E: Executor] Guarded<E>);

impl Session for Guarded<Box<dyn Session>> {
    #[track_caller]
    fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn Transaction + '_>> {
        let session = &mut self.executor;
        let transaction = self.guard.call("begin", None, || session.begin(options))?;
        Ok(Box::new(Guarded::new(transaction, self.guard.clone())))
    }

    fn canceller(&self) -> Canceller {
        self.executor.canceller()
    }
}

impl Transaction for Guarded<Box<dyn Transaction + '_>> {
    #[track_caller]
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        let transaction = &mut self.executor;
        let nested = self.guard.call("savepoint", None, || transaction.savepoint())?;
        Ok(Box::new(Guarded::new(nested, self.guard.clone())))
    }

    #[track_caller]
    fn commit(self: Box<Self>) -> Result<()> {
        let Self { executor, guard } = *self;
        guard.call("commit", None, || executor.commit())
    }

    #[track_caller]
    fn rollback(self: Box<Self>) -> Result<()> {
        let Self { executor, guard } = *self;
        guard.call("rollback", None, || executor.rollback())
    }
}
