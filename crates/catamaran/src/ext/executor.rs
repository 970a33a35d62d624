//! Typed rows, scalars and COPY for every executor. The twins stand side by side.

use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use postgres_types::{FromSqlOwned, ToSql};

use crate::{
    AsyncExecutor, AsyncIter, BulkOptions, CopyRow, Executor, FromRow, Iter, Result, Row, RowIter, RowStream, Unnest,
    bulk, copy,
};

/// How many rows are sent at a time unless the options say otherwise.
const SETS: usize = 256;
const UNNESTED: usize = 10_000;

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
        read(self.fetch_one(sql, params))
    }

    #[doc = include_str!("../../docs/fetch_all_as.md")]
    #[track_caller]
    fn fetch_all_as<T: FromRow>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<T>> {
        self.fetch_all(sql, params)?.iter().map(T::from_row).collect()
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
        Ok(Iter::new(self.fetch_iter(sql, params)?.map(read)))
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

    #[doc = include_str!("../../docs/copy_rows_in_with.md")]
    #[track_caller]
    fn copy_rows_in_with<R, I>(&self, table: &str, columns: &[&str], rows: I, options: BulkOptions<'_>) -> Result<u64>
    where
        R: CopyRow,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        self.copy_iter_in_with(table, columns, rows.into_iter().map(Ok), options)
    }

    #[doc = include_str!("../../docs/copy_stream_in.md")]
    #[track_caller]
    fn copy_iter_in<R, I>(&self, table: &str, columns: &[&str], rows: I) -> Result<u64>
    where
        R: CopyRow,
        I: Iterator<Item = Result<R>> + Send,
    {
        self.copy_iter_in_with(table, columns, rows, BulkOptions::new())
    }

    #[doc = include_str!("../../docs/copy_stream_in_with.md")]
    #[track_caller]
    fn copy_iter_in_with<R, I>(
        &self,
        table: &str,
        columns: &[&str],
        rows: I,
        mut options: BulkOptions<'_>,
    ) -> Result<u64>
    where
        R: CopyRow,
        I: Iterator<Item = Result<R>> + Send,
    {
        let (types, copy) = copy::in_sql(table, columns)?;
        let description = self.describe(&types)?;
        let count = self.copy_in(&copy, &mut copy::encoded(description, rows, &mut options)?)?;
        options.tell(count);
        Ok(count)
    }

    #[doc = include_str!("../../docs/copy_rows_out.md")]
    #[track_caller]
    fn copy_rows_out(&self, query: &str) -> Result<RowIter<'_>> {
        let description = self.describe(query)?;
        Ok(copy::decoded(description, self.copy_out(&copy::out_sql(query))?))
    }

    #[doc = include_str!("../../docs/execute_rows.md")]
    ///
    /// ```no_run
    /// use catamaran::{BulkOptions, prelude::*};
    ///
    /// fn rename(db: &dyn Executor, names: Vec<(i64, String)>) -> catamaran::Result<u64> {
    ///     db.execute_rows("UPDATE providers SET name = $2 WHERE id = $1", names, BulkOptions::new())
    /// }
    /// ```
    #[track_caller]
    fn execute_rows<R, I>(&self, sql: &str, rows: I, mut options: BulkOptions<'_>) -> Result<u64>
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let (mut rows, chunk) = (rows.into_iter(), options.chunk_or(SETS));
        let (mut affected, mut done) = (0, 0);
        loop {
            let taken = bulk::take(&mut rows, chunk);
            if taken.is_empty() {
                break;
            }
            let fields = bulk::fields(&taken);
            let params = bulk::borrowed(&fields);
            let sets: Vec<_> = params.iter().map(Vec::as_slice).collect();
            affected += self.execute_many(sql, &sets).map_err(|error| error.shifted(done))?.iter().sum::<u64>();
            done += taken.len();
            options.tell(done as u64);
        }
        if done == 0 {
            options.tell(0);
        }
        Ok(affected)
    }

    #[doc = include_str!("../../docs/execute_unnest.md")]
    ///
    /// ```no_run
    /// use catamaran::{BulkOptions, prelude::*};
    ///
    /// fn import(db: &dyn Executor, names: &[(i64, String)]) -> catamaran::Result<u64> {
    ///     let sql = "INSERT INTO providers (id, name) SELECT * FROM UNNEST($1::int8[], $2::text[])
    ///                ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    ///     db.execute_unnest(sql, names, BulkOptions::new())
    /// }
    /// ```
    #[track_caller]
    fn execute_unnest<R, I>(&self, sql: &str, rows: I, mut options: BulkOptions<'_>) -> Result<u64>
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let (mut rows, chunk) = (rows.into_iter(), options.chunk_or(UNNESTED));
        let (mut affected, mut done) = (0, 0);
        loop {
            let arrays = Unnest::rows_behind(bulk::take(&mut rows, chunk), done)?;
            if arrays.is_empty() {
                break;
            }
            affected += self.execute(sql, &arrays.params())?;
            done += arrays.len() as u64;
            options.tell(done);
        }
        if done == 0 {
            options.tell(0);
        }
        Ok(affected)
    }

    #[doc = include_str!("../../docs/fetch_unnest.md")]
    #[track_caller]
    fn fetch_unnest<R, I>(&self, sql: &str, rows: I) -> Result<Vec<Row>>
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let arrays = Unnest::rows(rows)?;
        if arrays.is_empty() { Ok(Vec::new()) } else { self.fetch_all(sql, &arrays.params()) }
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
    fn fetch_one_as<T: FromRow>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<T>> + Send {
        async move { read(self.fetch_one(sql, params).await) }
    }

    #[doc = include_str!("../../docs/fetch_all_as.md")]
    fn fetch_all_as<T: FromRow>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        async move { self.fetch_all(sql, params).await?.iter().map(T::from_row).collect() }
    }

    #[doc = include_str!("../../docs/fetch_optional_as.md")]
    fn fetch_optional_as<T: FromRow>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        async move { self.fetch_optional(sql, params).await?.as_ref().map(T::from_row).transpose() }
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
    fn fetch_scalar<T: FromSqlOwned>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<T>> + Send {
        async move { self.fetch_one(sql, params).await?.get(0) }
    }

    #[doc = include_str!("../../docs/stream_as.md")]
    fn fetch_stream_as<'a, T: FromRow + 'a>(
        &'a self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<AsyncIter<'a, T>>> + Send {
        async move { Ok(AsyncIter::new(self.fetch_stream(sql, params).await?.map(read))) }
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
    fn copy_rows_in<R, I>(&self, table: &str, columns: &[&str], rows: I) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        self.copy_stream_in(table, columns, stream::iter(rows.into_iter().map(Ok)))
    }

    #[doc = include_str!("../../docs/copy_rows_in_with.md")]
    fn copy_rows_in_with<R, I>(
        &self,
        table: &str,
        columns: &[&str],
        rows: I,
        options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        self.copy_stream_in_with(table, columns, stream::iter(rows.into_iter().map(Ok)), options)
    }

    #[doc = include_str!("../../docs/copy_stream_in.md")]
    fn copy_stream_in<R, S>(&self, table: &str, columns: &[&str], rows: S) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow,
        S: Stream<Item = Result<R>> + Send,
    {
        self.copy_stream_in_with(table, columns, rows, BulkOptions::new())
    }

    #[doc = include_str!("../../docs/copy_stream_in_with.md")]
    fn copy_stream_in_with<R, S>(
        &self,
        table: &str,
        columns: &[&str],
        rows: S,
        mut options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow,
        S: Stream<Item = Result<R>> + Send,
    {
        async move {
            let (types, copy) = copy::in_sql(table, columns)?;
            let description = self.describe(&types).await?;
            let count = self.copy_in(&copy, &mut copy::encoded_stream(description, rows, &mut options)?).await?;
            options.tell(count);
            Ok(count)
        }
    }

    #[doc = include_str!("../../docs/copy_rows_out.md")]
    fn copy_rows_out(&self, query: &str) -> impl Future<Output = Result<RowStream<'_>>> + Send {
        async move {
            let description = self.describe(query).await?;
            Ok(copy::decoded_stream(description, self.copy_out(&copy::out_sql(query)).await?))
        }
    }

    #[doc = include_str!("../../docs/execute_rows.md")]
    ///
    /// ```no_run
    /// use catamaran::{BulkOptions, prelude::*};
    ///
    /// async fn rename(db: &dyn AsyncExecutor, names: Vec<(i64, String)>) -> catamaran::Result<u64> {
    ///     db.execute_rows("UPDATE providers SET name = $2 WHERE id = $1", names, BulkOptions::new()).await
    /// }
    /// ```
    fn execute_rows<R, I>(
        &self,
        sql: &str,
        rows: I,
        mut options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let mut rows = rows.into_iter();
        async move {
            let chunk = options.chunk_or(SETS);
            let (mut affected, mut done) = (0, 0);
            loop {
                let taken = bulk::take(&mut rows, chunk);
                if taken.is_empty() {
                    break;
                }
                let fields = bulk::fields(&taken);
                let params = bulk::borrowed(&fields);
                let sets: Vec<_> = params.iter().map(Vec::as_slice).collect();
                let counts = self.execute_many(sql, &sets).await.map_err(|error| error.shifted(done))?;
                affected += counts.iter().sum::<u64>();
                done += taken.len();
                options.tell(done as u64);
            }
            if done == 0 {
                options.tell(0);
            }
            Ok(affected)
        }
    }

    #[doc = include_str!("../../docs/execute_unnest.md")]
    ///
    /// ```no_run
    /// use catamaran::{BulkOptions, prelude::*};
    ///
    /// async fn import(db: &dyn AsyncExecutor, names: &[(i64, String)]) -> catamaran::Result<u64> {
    ///     let sql = "INSERT INTO providers (id, name) SELECT * FROM UNNEST($1::int8[], $2::text[])
    ///                ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    ///     db.execute_unnest(sql, names, BulkOptions::new()).await
    /// }
    /// ```
    fn execute_unnest<R, I>(
        &self,
        sql: &str,
        rows: I,
        mut options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let mut rows = rows.into_iter();
        async move {
            let chunk = options.chunk_or(UNNESTED);
            let (mut affected, mut done) = (0, 0);
            loop {
                let arrays = Unnest::rows_behind(bulk::take(&mut rows, chunk), done)?;
                if arrays.is_empty() {
                    break;
                }
                affected += self.execute(sql, &arrays.params()).await?;
                done += arrays.len() as u64;
                options.tell(done);
            }
            if done == 0 {
                options.tell(0);
            }
            Ok(affected)
        }
    }

    #[doc = include_str!("../../docs/fetch_unnest.md")]
    fn fetch_unnest<R, I>(&self, sql: &str, rows: I) -> impl Future<Output = Result<Vec<Row>>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let rows = rows.into_iter();
        async move {
            let arrays = Unnest::rows(rows)?;
            if arrays.is_empty() { Ok(Vec::new()) } else { self.fetch_all(sql, &arrays.params()).await }
        }
    }
}

impl<E: AsyncExecutor + ?Sized> AsyncExecutorExt for E {}

fn read<T: FromRow>(row: Result<Row>) -> Result<T> {
    T::from_row(&row?)
}
