//! How many rows are sent at a time, and who is told of it.

use std::fmt;

use postgres_types::ToSql;

use crate::{CopyRow, copy::Field};

/// How rows are sent that may be too many for one trip: how many at a time, and who is told how far it is.
///
/// ```
/// use catamaran::{BulkOptions, prelude::*};
///
/// fn import(db: &dyn Executor, boats: &[(i64, String)]) -> catamaran::Result<u64> {
///     let told = BulkOptions::new().chunk(1_000).progress(|rows| eprintln!("{rows} of {}", boats.len()));
///     db.execute_rows("INSERT INTO boats (id, name) VALUES ($1, $2)", boats, told)
/// }
/// ```
#[derive(Default)]
pub struct BulkOptions<'a> {
    chunk: Option<usize>,
    progress: Option<Box<dyn FnMut(u64) + Send + 'a>>,
}

impl<'a> BulkOptions<'a> {
    /// Chunks of the method's own size, and nobody is told.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many rows are sent at a time; 0 counts as 1. Default: what the method's documentation says. COPY has
    /// chunks of 64 KiB whatever is set here.
    #[must_use]
    pub fn chunk(mut self, rows: usize) -> Self {
        self.chunk = Some(rows.max(1));
        self
    }

    /// Sets who is told, after each chunk, how many rows are done so far. The number never falls; that of the last call,
    /// when all has succeeded, is the number of all rows. Without rows the one call says 0. Default: nobody.
    #[must_use]
    pub fn progress(mut self, progress: impl FnMut(u64) + Send + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    pub(crate) fn chunk_or(&self, rows: usize) -> usize {
        self.chunk.unwrap_or(rows)
    }

    pub(crate) fn tell(&mut self, rows: u64) {
        if let Some(progress) = &mut self.progress {
            progress(rows);
        }
    }
}

impl fmt::Debug for BulkOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkOptions").field("chunk", &self.chunk).field("progress", &self.progress.is_some()).finish()
    }
}

/// Takes up to `size` items; none only at the end.
pub(crate) fn take<T>(items: &mut impl Iterator<Item = T>, size: usize) -> Vec<T> {
    items.by_ref().take(size).collect()
}

/// The fields of rows, as parameters.
pub(crate) fn fields<R: CopyRow>(rows: &[R]) -> Vec<Vec<Field<'_, R>>> {
    rows.iter().map(|row| (0..row.fields()).map(|at| Field::new(row, at)).collect()).collect()
}

/// Parameters as an executor takes them.
pub(crate) fn borrowed<'a, R: CopyRow + Sync>(fields: &'a [Vec<Field<'_, R>>]) -> Vec<Vec<&'a (dyn ToSql + Sync)>> {
    fields.iter().map(|row| row.iter().map(|field| field as &(dyn ToSql + Sync)).collect()).collect()
}
