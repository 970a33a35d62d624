//! Rows of which there may be many, chunk by chunk, for every executor. The twins stand side by side.

use futures_core::Stream;
use futures_util::stream;

use crate::{
    AsyncExecutor, BulkOptions, CopyRow, Executor, Result, Row, Unnest,
    bulk::{self, Chunks},
    call::Call,
    copy,
};

/// How many rows are sent at a time unless the options say otherwise.
const SETS: usize = 256;
const UNNESTED: usize = 10_000;

/// Methods of every [`Executor`] that send many rows.
///
/// # Blocking
///
/// Every method blocks its thread; none may be called on a thread that drives futures.
pub trait BulkExt: Executor {
    #[doc = include_str!("../../docs/copy_rows_in_with.md")]
    #[track_caller]
    fn copy_rows_in_with<R, I>(&self, table: &str, columns: &[&str], rows: I, options: BulkOptions<'_>) -> Result<u64>
    where
        R: CopyRow,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        self.copy_iter_in_with(table, columns, rows.into_iter().map(Ok), options)
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
    fn execute_rows<R, I>(&self, sql: &str, rows: I, options: BulkOptions<'_>) -> Result<u64>
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let mut chunks = Chunks::new(rows, SETS, options);
        loop {
            let taken = chunks.take();
            if taken.is_empty() {
                return Ok(chunks.finish());
            }
            let fields = bulk::fields(&taken);
            let params = bulk::borrowed(&fields);
            let sets: Vec<_> = params.iter().map(Vec::as_slice).collect();
            let counts = self.execute_many(sql, &sets).map_err(|error| error.shifted(chunks.sent()))?;
            chunks.note(taken.len(), counts.iter().sum());
        }
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
    fn execute_unnest<R, I>(&self, sql: &str, rows: I, options: BulkOptions<'_>) -> Result<u64>
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let mut chunks = Chunks::new(rows, UNNESTED, options);
        loop {
            let arrays = Unnest::rows_behind(chunks.take(), chunks.sent() as u64)?;
            if arrays.is_empty() {
                return Ok(chunks.finish());
            }
            let affected = self.execute(sql, &arrays.params())?;
            chunks.note(arrays.len(), affected);
        }
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

impl<E: Executor + ?Sized> BulkExt for E {}

/// Methods of every [`AsyncExecutor`] that send many rows. Their futures are `Send`.
///
/// # Cancel safety
///
/// As for the [`AsyncExecutor`] itself: a call may be dropped at any point. Outside a transaction, chunks that were done
/// before are kept.
pub trait AsyncBulkExt: AsyncExecutor {
    #[doc = include_str!("../../docs/copy_rows_in_with.md")]
    #[track_caller]
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

    #[doc = include_str!("../../docs/copy_stream_in_with.md")]
    #[track_caller]
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
        let by = Call::here("copy_in");
        async move {
            let (types, copy) = copy::in_sql(table, columns)?;
            let description = by.pin(|| self.describe(&types)).await?;
            let mut chunks = copy::encoded_stream(description, rows, &mut options)?;
            let count = by.pin(|| self.copy_in(&copy, &mut chunks)).await?;
            drop(chunks);
            options.tell(count);
            Ok(count)
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
    #[track_caller]
    fn execute_rows<R, I>(
        &self,
        sql: &str,
        rows: I,
        options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let (mut chunks, by) = (Chunks::new(rows, SETS, options), Call::here("execute_many"));
        async move {
            loop {
                let taken = chunks.take();
                if taken.is_empty() {
                    return Ok(chunks.finish());
                }
                let fields = bulk::fields(&taken);
                let params = bulk::borrowed(&fields);
                let sets: Vec<_> = params.iter().map(Vec::as_slice).collect();
                let counts = by.pin(|| self.execute_many(sql, &sets)).await;
                let counts = counts.map_err(|error| error.shifted(chunks.sent()))?;
                chunks.note(taken.len(), counts.iter().sum());
            }
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
    #[track_caller]
    fn execute_unnest<R, I>(
        &self,
        sql: &str,
        rows: I,
        options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let (mut chunks, by) = (Chunks::new(rows, UNNESTED, options), Call::here("execute"));
        async move {
            loop {
                let arrays = Unnest::rows_behind(chunks.take(), chunks.sent() as u64)?;
                if arrays.is_empty() {
                    return Ok(chunks.finish());
                }
                let params = arrays.params();
                let affected = by.pin(|| self.execute(sql, &params)).await?;
                chunks.note(arrays.len(), affected);
            }
        }
    }

    #[doc = include_str!("../../docs/fetch_unnest.md")]
    #[track_caller]
    fn fetch_unnest<R, I>(&self, sql: &str, rows: I) -> impl Future<Output = Result<Vec<Row>>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let (rows, by) = (rows.into_iter(), Call::here("fetch_all"));
        async move {
            let arrays = Unnest::rows(rows)?;
            if arrays.is_empty() {
                return Ok(Vec::new());
            }
            let params = arrays.params();
            by.pin(|| self.fetch_all(sql, &params)).await
        }
    }
}

impl<E: AsyncExecutor + ?Sized> AsyncBulkExt for E {}
