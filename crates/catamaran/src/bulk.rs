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

/// Rows on their way, chunk by chunk, and what came of those that were sent.
pub(crate) struct Chunks<'a, I> {
    rows: I,
    size: usize,
    options: BulkOptions<'a>,
    sent: usize,
    affected: u64,
}

impl<'a, I: Iterator> Chunks<'a, I> {
    /// Chunks of `size` unless the options say otherwise.
    pub(crate) fn new(rows: impl IntoIterator<IntoIter = I>, size: usize, options: BulkOptions<'a>) -> Self {
        let size = options.chunk.unwrap_or(size);
        Self { rows: rows.into_iter(), size, options, sent: 0, affected: 0 }
    }

    /// The rows of the next chunk; none at the end.
    pub(crate) fn take(&mut self) -> Vec<I::Item> {
        self.rows.by_ref().take(self.size).collect()
    }

    /// How many rows were sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// Notes that a chunk of so many rows was sent, and how many rows of the table it affected.
    pub(crate) fn note(&mut self, rows: usize, affected: u64) {
        self.sent += rows;
        self.affected += affected;
        self.options.tell(self.sent as u64);
    }

    /// How many rows of the table were affected by all chunks.
    pub(crate) fn finish(mut self) -> u64 {
        if self.sent == 0 {
            self.options.tell(0);
        }
        self.affected
    }
}

/// The fields of rows, as parameters.
pub(crate) fn fields<R: CopyRow>(rows: &[R]) -> Vec<Vec<Field<'_, R>>> {
    rows.iter().map(|row| (0..row.fields()).map(|at| Field::new(row, at)).collect()).collect()
}

/// Parameters as an executor takes them.
pub(crate) fn borrowed<'a, R: CopyRow + Sync>(fields: &'a [Vec<Field<'_, R>>]) -> Vec<Vec<&'a (dyn ToSql + Sync)>> {
    fields.iter().map(|row| row.iter().map(|field| field as &(dyn ToSql + Sync)).collect()).collect()
}
