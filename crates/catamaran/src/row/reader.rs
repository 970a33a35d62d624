//! Reading the rows of one result.

use std::{fmt, marker::PhantomData};

use super::{Positions, Row};
use crate::{FromRow, Result};

/// Reads the rows of one result as a type, looking for its columns in the first row only.
///
/// What [`fetch_all_as`](crate::ExecutorExt::fetch_all_as) and its kin read with. Rows of different results may be read
/// with one reader; the columns are looked for again wherever they change.
///
/// ```
/// use catamaran::{FromRow, RowReader, row};
///
/// #[derive(FromRow)]
/// struct Provider {
///     id: i64,
///     name: String,
/// }
///
/// let mut providers = RowReader::<Provider>::new();
/// let ada = providers.read(&row! { "id" => 1i64, "name" => "Ada" })?;
/// let bob = providers.read(&row! { "name" => "Bob", "id" => 2i64 })?;
/// assert_eq!((ada.id, bob.id, bob.name.as_str()), (1, 2, "Bob"));
/// # Ok::<(), catamaran::Error>(())
/// ```
pub struct RowReader<T> {
    positions: Positions,
    reads: PhantomData<fn() -> T>,
}

impl<T: FromRow> RowReader<T> {
    /// A reader that has seen no row.
    pub fn new() -> Self {
        Self { positions: Positions::of_one_row(), reads: PhantomData }
    }

    /// Reads a row.
    ///
    /// # Errors
    ///
    /// Those of [`FromRow::from_row`].
    #[inline]
    pub fn read(&mut self, row: &Row) -> Result<T> {
        self.positions.begin(row);
        T::from_row_with(row, &mut self.positions)
    }

    /// Reads all rows of a result.
    ///
    /// # Errors
    ///
    /// Those of [`FromRow::from_row`] for the first row that can't be read.
    ///
    /// ```
    /// use catamaran::{RowReader, row};
    ///
    /// let rows = [row! { "id" => 1i64 }, row! { "id" => 2i64 }];
    /// assert_eq!(RowReader::<(i64,)>::read_all(&rows)?, [(1,), (2,)]);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn read_all(rows: &[Row]) -> Result<Vec<T>> {
        if let [row] = rows {
            return Ok(vec![T::from_row(row)?]);
        }
        let mut all = Vec::with_capacity(rows.len());
        let mut reader = Self::new();
        for row in rows {
            all.push(reader.read(row)?);
        }
        Ok(all)
    }
}

impl<T: FromRow> Default for RowReader<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for RowReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowReader").finish_non_exhaustive()
    }
}
