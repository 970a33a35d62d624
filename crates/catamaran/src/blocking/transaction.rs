//! Transactions and savepoints on a connection that is owned or lent.

use bytes::Bytes;
use postgres_types::ToSql;

use super::{connection::Connection, lease::Access, stream};
use crate::{
    Batch, BytesIter, Description, EachRow, ErrorKind, Executor, Outcome, Result, Row, RowIter, Transaction,
    TransactionOptions,
    many::{Many, Within, counts},
    row_count,
    transaction::Level,
};

/// A transaction, or a savepoint of one.
pub(crate) struct OpenTransaction<'a> {
    access: Access<'a>,
    level: Level,
    over: bool,
}

impl<'a> OpenTransaction<'a> {
    pub(crate) fn begin(access: Access<'a>, options: TransactionOptions) -> Result<Self> {
        // Made first, so that a `BEGIN` that fails on its way is rolled back like the transaction itself.
        let transaction = Self { access, level: Level::OUTERMOST, over: false };
        transaction.connection().with(|open| open.begin(Level::OUTERMOST, &options.begin_sql()))?;
        Ok(transaction)
    }

    fn connection(&self) -> &Connection {
        self.access.connection()
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.connection().rollback_behind(self.level);
        }
    }
}

impl Transaction for OpenTransaction<'_> {
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        let level = self.level.next();
        let mut nested = OpenTransaction { access: Access::Lent(self.access.connection()), level, over: false };
        let begun = nested.connection().with(|open| open.begin(level, &level.savepoint_sql()));
        // What the server has refused needs no rollback.
        nested.over = matches!(&begun, Err(error) if error.kind() == ErrorKind::Server);
        begun?;
        Ok(Box::new(nested))
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.connection().with(|open| open.commit(self.level))?;
        self.over = true;
        Ok(())
    }

    fn rollback(mut self: Box<Self>) -> Result<()> {
        self.connection().with(|open| open.rollback(self.level))?;
        self.over = true;
        Ok(())
    }
}

impl Executor for OpenTransaction<'_> {
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.connection().with(|open| open.execute(sql, params))
    }

    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.connection().with(|open| open.all(sql, params))
    }

    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.connection().with(|open| open.optional(sql, params))?.ok_or_else(row_count::none)
    }

    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.connection().with(|open| open.optional(sql, params))
    }

    fn fetch_each(&self, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        stream::each(Access::Lent(self.connection()), sql, params, each)
    }

    fn batch_execute(&self, sql: &str) -> Result<()> {
        self.connection().with(|open| open.batch(sql))
    }

    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        stream::rows(Access::Lent(self.connection()), sql, params)
    }

    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        stream::copy_in(self.connection(), sql, chunks, Within::Transaction)
    }

    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
        stream::copy_out(Access::Lent(self.connection()), sql, Within::Transaction)
    }

    fn describe(&self, sql: &str) -> Result<Description> {
        self.connection().with(|open| open.describe(sql))
    }

    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(counts(self.connection().with(|open| open.many(Many::Sets(sql, sets), Within::Transaction))?))
    }

    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.connection().with(|open| open.many(Many::Batch(batch), Within::Transaction))
    }
}
