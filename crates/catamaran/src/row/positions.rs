//! Where the fields of a type are in the rows of one result.

use std::{any::type_name, mem};

use postgres_types::{FromSql, FromSqlOwned, Type};
use serde::de::DeserializeOwned;

use super::{Row, RowIndex};
use crate::{FromRow, Result, from_row::OrNull};

/// The columns that the fields of a type are read from, found in the first row of a result and kept for the rest.
///
/// For the code of the derive, and for whoever writes what it would: fields are read in the same order from every row,
/// those of a flattened struct where that stands. A field costs a search by name and a check of the column's type once.
#[derive(Debug)]
pub struct Positions {
    /// A row of the result. Being kept, it keeps its columns where they are, so that no other row's columns can come to
    /// stand there. `None` if nothing is kept, since there is but one row.
    first: Option<Row>,
    /// The columns of the fields so far, in the order of reading; `None` for a field that has none. The field's type
    /// accepts the column's.
    found: Vec<Option<usize>>,
    /// How many fields of this row were read.
    next: usize,
    /// Whether the fields are those of a struct within another.
    flattened: bool,
}

impl Positions {
    /// For a single row: every column is looked for, and nothing is kept.
    #[inline]
    pub fn of_one_row() -> Self {
        Self { first: None, found: Vec::new(), next: 0, flattened: false }
    }

    /// Begins a row. What was found is used as long as rows have the columns in which it was found.
    #[inline]
    pub(super) fn begin(&mut self, row: &Row) {
        self.next = 0;
        self.flattened = false;
        if !self.first.as_ref().is_some_and(|first| first.shares_columns_with(row)) {
            self.forget(row);
        }
    }

    #[cold]
    fn forget(&mut self, row: &Row) {
        self.first = Some(row.clone());
        self.found.clear();
        self.found.reserve(row.len());
    }

    /// Reads a struct within another from the same row.
    ///
    /// # Errors
    ///
    /// Those of `T`; and [`Decode`](crate::ErrorKind::Decode) if one of its fields is read by a name that several columns
    /// have, since nothing tells which of them is its.
    #[inline]
    pub fn flatten<T: FromRow>(&mut self, row: &Row) -> Result<T> {
        let outer = mem::replace(&mut self.flattened, true);
        let value = T::from_row_with(row, self);
        self.flattened = outer;
        value
    }

    /// Reads the next field.
    ///
    /// # Errors
    ///
    /// Those of [`Row::get`].
    #[inline(always)]
    pub fn read<T: FromSqlOwned>(&mut self, row: &Row, index: impl RowIndex) -> Result<T> {
        match self.find(row, &index, <T as FromSql<'_>>::accepts, type_name::<T>())? {
            Some(at) => row.get_accepted(at, type_name::<T>()),
            None => Err(row.unknown_column(&index)),
        }
    }

    /// Reads the next field, which is the type's `Default` where there is no such column.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) as for [`Row::get`].
    #[inline]
    pub fn read_or_default<T: FromSqlOwned + Default>(&mut self, row: &Row, index: impl RowIndex) -> Result<T> {
        match self.find(row, &index, <T as FromSql<'_>>::accepts, type_name::<T>())? {
            Some(at) => row.get_accepted(at, type_name::<T>()),
            None => Ok(T::default()),
        }
    }

    /// Reads the next field through serde, from a `json` or `jsonb` column: SQL's NULL is read as JSON's.
    ///
    /// # Errors
    ///
    /// Those of [`Row::get`].
    #[inline]
    pub fn read_json<T: DeserializeOwned>(&mut self, row: &Row, index: impl RowIndex) -> Result<T> {
        match self.find(row, &index, <OrNull<T> as FromSql<'_>>::accepts, type_name::<T>())? {
            Some(at) => row.get_accepted::<OrNull<T>>(at, type_name::<T>()).map(|value| value.0),
            None => Err(row.unknown_column(&index)),
        }
    }

    /// Reads the next field through serde, which is the type's `Default` where there is no such column.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) as for [`Row::get`].
    #[inline]
    pub fn read_json_or_default<T: DeserializeOwned + Default>(
        &mut self,
        row: &Row,
        index: impl RowIndex,
    ) -> Result<T> {
        match self.find(row, &index, <OrNull<T> as FromSql<'_>>::accepts, type_name::<T>())? {
            Some(at) => row.get_accepted::<OrNull<T>>(at, type_name::<T>()).map(|value| value.0),
            None => Ok(T::default()),
        }
    }

    /// Where the next field is.
    #[inline(always)]
    fn find(
        &mut self,
        row: &Row,
        index: &impl RowIndex,
        accepts: fn(&Type) -> bool,
        rust: &'static str,
    ) -> Result<Option<usize>> {
        match self.found.get(self.next) {
            Some(at) => {
                self.next += 1;
                Ok(*at)
            }
            None if self.first.is_none() => look(row, index, self.flattened, accepts, rust),
            None => Ok(self.note(look(row, index, self.flattened, accepts, rust)?)),
        }
    }

    #[cold]
    fn note(&mut self, found: Option<usize>) -> Option<usize> {
        self.found.push(found);
        self.next += 1;
        found
    }
}

/// Looks for a column, whose type has to be accepted, and which has to be the only one where that is asked for.
#[inline]
fn look(
    row: &Row,
    index: &impl RowIndex,
    alone: bool,
    accepts: fn(&Type) -> bool,
    rust: &str,
) -> Result<Option<usize>> {
    let found = index.__find(row);
    if let Some(at) = found {
        if alone && index.__is_name() && row.has_another(at) {
            return Err(row.ambiguous(at));
        }
        row.check(at, accepts, rust)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{super::Repr, *};
    use crate::row;

    /// A row whose columns are as large as those of any other, and the number that stands in `a`.
    fn row(at: i64) -> (Row, i64) {
        let row = if at % 2 == 0 {
            row! { "a" => at, "b" => -at }
        } else {
            row! { "b" => -at, "a" => at }
        };
        (row, at)
    }

    fn address(row: &Row) -> usize {
        match &row.0 {
            Repr::Built { columns, .. } => columns.as_ptr().addr(),
            #[cfg(feature = "driver")]
            Repr::Driver(row) => row.columns().as_ptr().addr(),
        }
    }

    #[test]
    fn columns_where_others_stood_are_not_taken_for_those() {
        let addresses: Vec<usize> = (0..100).map(|at| address(&row(at).0)).collect();
        assert!(addresses.windows(2).any(|pair| pair[0] == pair[1]), "rows come to stand where others stood");

        let mut positions = Positions::of_one_row();
        for at in 0..100 {
            let (row, expected) = row(at);
            positions.begin(&row);
            assert_eq!(positions.read::<i64>(&row, "a").unwrap(), expected);
        }
    }

    #[test]
    fn names_are_looked_for_once() {
        let rows = [row(0).0, row(0).0];
        let mut positions = Positions::of_one_row();
        for row in [&rows[0], &rows[0].clone()] {
            positions.begin(row);
            positions.read::<i64>(row, "a").unwrap();
            positions.read_or_default::<i64>(row, "x").unwrap();
            assert_eq!((positions.found.as_slice(), positions.next), ([Some(0), None].as_slice(), 2));
        }
        positions.begin(&rows[1]);
        assert!(positions.found.is_empty());
    }
}
