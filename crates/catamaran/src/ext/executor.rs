//! Typed rows, scalars and COPY for every executor. The twins stand side by side.

use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use postgres_types::{FromSqlOwned, ToSql};

use crate::{
    AsyncExecutor, AsyncIter, BulkOptions, CopyRow, Executor, FromRow, Iter, Result, Row, RowIter, RowReader,
    RowStream, call::Call, copy,
};

/// Generic methods of every [`Executor`].
///
/// # Blocking
///
/// Every method blocks its thread; none may be called on a thread that drives futures.
pub trait ExecutorExt: Executor {
    #[doc = include_str!("../../docs/fetch_one_as.md")]
    ///
    /// ```no_run
    /// use catamaran::prelude::*;
    ///
    /// fn provider(db: &dyn Executor, id: i64) -> catamaran::Result<(i64, String)> {
    ///     db.fetch_one_as("SELECT id, name FROM providers WHERE id = $1", &[&id])
    /// }
    /// ```
    #[track_caller]
    fn fetch_one_as<T: FromRow>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<T> {
        T::from_row(&self.fetch_one(sql, params)?)
    }

    #[doc = include_str!("../../docs/fetch_all_as.md")]
    #[track_caller]
    fn fetch_all_as<T: FromRow + Send>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<T>> {
        // The driver needs a turn of its runtime for each row that it hands over by itself: all at once cost less.
        RowReader::read_all(&self.fetch_all(sql, params)?)
    }

    #[doc = include_str!("../../docs/fetch_optional_as.md")]
    #[track_caller]
    fn fetch_optional_as<T: FromRow>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<T>> {
        self.fetch_optional(sql, params)?.as_ref().map(T::from_row).transpose()
    }

    #[doc = include_str!("../../docs/fetch_scalar.md")]
    ///
    /// ```no_run
    /// use catamaran::prelude::*;
    ///
    /// fn count(db: &dyn Executor) -> catamaran::Result<i64> {
    ///     db.fetch_scalar("SELECT count(*) FROM providers", &[])
    /// }
    /// ```
    #[track_caller]
    fn fetch_scalar<T: FromSqlOwned>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<T> {
        self.fetch_one(sql, params)?.get(0)
    }

    #[doc = include_str!("../../docs/stream_as.md")]
    #[track_caller]
    fn fetch_iter_as<'a, T: FromRow + 'a>(&'a self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Iter<'a, T>> {
        let mut reader = RowReader::new();
        Ok(Iter::new(self.fetch_iter(sql, params)?.map(move |row| reader.read(&row?))))
    }

    #[doc = include_str!("../../docs/copy_rows_in.md")]
    ///
    /// ```no_run
    /// use catamaran::prelude::*;
    ///
    /// fn import(db: &dyn Executor, names: &[(i64, String)]) -> catamaran::Result<u64> {
    ///     db.copy_rows_in("providers", &["id", "name"], names)
    /// }
    /// ```
    #[track_caller]
    fn copy_rows_in<R, I>(&self, table: &str, columns: &[&str], rows: I) -> Result<u64>
    where
        R: CopyRow,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        self.copy_iter_in(table, columns, rows.into_iter().map(Ok))
    }

    #[doc = include_str!("../../docs/copy_stream_in.md")]
    #[track_caller]
    fn copy_iter_in<R, I>(&self, table: &str, columns: &[&str], rows: I) -> Result<u64>
    where
        R: CopyRow,
        I: Iterator<Item = Result<R>> + Send,
    {
        let (types, copy) = copy::in_sql(table, columns)?;
        let mut options = BulkOptions::new();
        let mut chunks = copy::encoded(self.describe(&types)?, rows, &mut options)?;
        self.copy_in(&copy, &mut chunks)
    }

    #[doc = include_str!("../../docs/copy_rows_out.md")]
    #[track_caller]
    fn copy_rows_out(&self, query: &str) -> Result<RowIter<'_>> {
        let description = self.describe(query)?;
        Ok(copy::decoded(description, self.copy_out(&copy::out_sql(query))?))
    }
}

impl<E: Executor + ?Sized> ExecutorExt for E {}

/// Generic methods of every [`AsyncExecutor`]. Their futures are `Send`.
///
/// # Cancel safety
///
/// As for the [`AsyncExecutor`] itself: a call may be dropped at any point.
pub trait AsyncExecutorExt: AsyncExecutor {
    #[doc = include_str!("../../docs/fetch_one_as.md")]
    ///
    /// ```no_run
    /// use catamaran::prelude::*;
    ///
    /// async fn provider(db: &dyn AsyncExecutor, id: i64) -> catamaran::Result<(i64, String)> {
    ///     db.fetch_one_as("SELECT id, name FROM providers WHERE id = $1", &[&id]).await
    /// }
    /// ```
    #[track_caller]
    fn fetch_one_as<T: FromRow>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<T>> + Send {
        let by = Call::here("fetch_one");
        async move { T::from_row(&by.pin(|| self.fetch_one(sql, params)).await?) }
    }

    #[doc = include_str!("../../docs/fetch_all_as.md")]
    #[track_caller]
    fn fetch_all_as<T: FromRow + Send>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        let by = Call::here("fetch_each");
        async move {
            let (mut reader, mut all) = (RowReader::new(), Vec::new());
            let mut each = |row: &Row| reader.read(row).map(|item| all.push(item));
            by.pin(|| self.fetch_each(sql, params, &mut each)).await?;
            Ok(all)
        }
    }

    #[doc = include_str!("../../docs/fetch_optional_as.md")]
    #[track_caller]
    fn fetch_optional_as<T: FromRow>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        let by = Call::here("fetch_optional");
        async move { by.pin(|| self.fetch_optional(sql, params)).await?.as_ref().map(T::from_row).transpose() }
    }

    #[doc = include_str!("../../docs/fetch_scalar.md")]
    ///
    /// ```no_run
    /// use catamaran::prelude::*;
    ///
    /// async fn count(db: &dyn AsyncExecutor) -> catamaran::Result<i64> {
    ///     db.fetch_scalar("SELECT count(*) FROM providers", &[]).await
    /// }
    /// ```
    #[track_caller]
    fn fetch_scalar<T: FromSqlOwned>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<T>> + Send {
        let by = Call::here("fetch_one");
        async move { by.pin(|| self.fetch_one(sql, params)).await?.get(0) }
    }

    #[doc = include_str!("../../docs/stream_as.md")]
    #[track_caller]
    fn fetch_stream_as<'a, T: FromRow + 'a>(
        &'a self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<AsyncIter<'a, T>>> + Send {
        let by = Call::here("fetch_stream");
        async move {
            let mut reader = RowReader::new();
            let rows = by.pin(|| self.fetch_stream(sql, params)).await?;
            Ok(AsyncIter::new(rows.map(move |row| reader.read(&row?))))
        }
    }

    #[doc = include_str!("../../docs/copy_rows_in.md")]
    ///
    /// ```no_run
    /// use catamaran::prelude::*;
    ///
    /// async fn import(db: &dyn AsyncExecutor, names: &[(i64, String)]) -> catamaran::Result<u64> {
    ///     db.copy_rows_in("providers", &["id", "name"], names).await
    /// }
    /// ```
    #[track_caller]
    fn copy_rows_in<R, I>(&self, table: &str, columns: &[&str], rows: I) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        self.copy_stream_in(table, columns, stream::iter(rows.into_iter().map(Ok)))
    }

    #[doc = include_str!("../../docs/copy_stream_in.md")]
    #[track_caller]
    fn copy_stream_in<R, S>(&self, table: &str, columns: &[&str], rows: S) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow,
        S: Stream<Item = Result<R>> + Send,
    {
        let by = Call::here("copy_in");
        async move {
            let (types, copy) = copy::in_sql(table, columns)?;
            let mut options = BulkOptions::new();
            let description = by.pin(|| self.describe(&types)).await?;
            let mut chunks = copy::encoded_stream(description, rows, &mut options)?;
            by.pin(|| self.copy_in(&copy, &mut chunks)).await
        }
    }

    #[doc = include_str!("../../docs/copy_rows_out.md")]
    #[track_caller]
    fn copy_rows_out(&self, query: &str) -> impl Future<Output = Result<RowStream<'_>>> + Send {
        let by = Call::here("copy_out");
        async move {
            let description = by.pin(|| self.describe(query)).await?;
            let sql = copy::out_sql(query);
            Ok(copy::decoded_stream(description, by.pin(|| self.copy_out(&sql)).await?))
        }
    }
}

impl<E: AsyncExecutor + ?Sized> AsyncExecutorExt for E {}
