//! Rows as one array for each column, for `UNNEST`.

use std::{error::Error as StdError, fmt, sync::Arc};

use bytes::{BufMut as _, BytesMut};
use postgres_types::{IsNull, Kind, ToSql, Type, WrongType};

use crate::{CopyRow, Error, ErrorKind, Result, copy};

type Cause = Box<dyn StdError + Sync + Send>;

/// The columns of rows as array parameters, for `… FROM UNNEST($1::int8[], $2::text[])`: any number of rows in one
/// statement, with everything that a statement can do, such as `ON CONFLICT` and `RETURNING`.
///
/// Each element is checked against the element type of its parameter. What is an array itself can't be an element.
///
/// ```
/// use catamaran::{Unnest, prelude::*};
///
/// fn add(db: &dyn Executor, boats: &[(i64, String)]) -> catamaran::Result<Vec<(i64,)>> {
///     let boats = Unnest::rows(boats)?;
///     let sql = "INSERT INTO boats (id, name) SELECT * FROM UNNEST($1::int8[], $2::text[])
///                ON CONFLICT (id) DO NOTHING RETURNING id";
///     if boats.is_empty() { Ok(Vec::new()) } else { db.fetch_all_as(sql, &boats.params()) }
/// }
/// ```
#[derive(Debug, Default)]
pub struct Unnest<'a> {
    columns: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
    rows: Option<usize>,
}

impl<'a> Unnest<'a> {
    /// No columns yet; see [`column`](Self::column).
    pub fn new() -> Self {
        Self::default()
    }

    /// The columns of these rows. Without rows there are no columns and so no parameters: look at
    /// [`is_empty`](Self::is_empty) first.
    ///
    /// # Errors
    ///
    /// `Encode` if a row has another number of fields than the first.
    pub fn rows<R>(rows: impl IntoIterator<Item = R>) -> Result<Self>
    where
        R: CopyRow + Send + Sync + 'a,
    {
        Self::rows_behind(rows, 0)
    }

    /// The same, for rows that stand behind others, as errors count them.
    pub(crate) fn rows_behind<R>(rows: impl IntoIterator<Item = R>, behind: u64) -> Result<Self>
    where
        R: CopyRow + Send + Sync + 'a,
    {
        let rows: Arc<[R]> = rows.into_iter().collect();
        let width = rows.first().map_or(0, CopyRow::fields);
        if let Some((at, row)) = rows.iter().enumerate().find(|(_, row)| row.fields() != width) {
            let (number, fields) = (behind + at as u64 + 1, row.fields());
            let message = format!("row {number} has {fields} fields, and the first one has {width}");
            return Err(Error::new(ErrorKind::Encode, message));
        }
        let column = |at| Box::new(FieldsAt { rows: rows.clone(), at, behind }) as Box<dyn ToSql + Sync + Send + 'a>;
        Ok(Self { columns: (0..width).map(column).collect(), rows: Some(rows.len()) })
    }

    /// Adds a column.
    ///
    /// # Errors
    ///
    /// `Encode` if it has another length than those before it: the server would fill it up with NULLs.
    pub fn column<T: ToSql + Sync>(mut self, values: &'a [T]) -> Result<Self> {
        if let Some(rows) = self.rows.filter(|rows| *rows != values.len()) {
            let (number, length) = (self.columns.len() + 1, values.len());
            let message = format!("column {number} has {length} values, and the first one has {rows}");
            return Err(Error::new(ErrorKind::Encode, message));
        }
        self.rows = Some(values.len());
        self.columns.push(Box::new(values));
        Ok(self)
    }

    /// The parameters, one array for each column.
    pub fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.unwrap_or(0)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The fields of all rows at one position, as an array.
struct FieldsAt<R> {
    rows: Arc<[R]>,
    at: usize,
    behind: u64,
}

impl<R: CopyRow> ToSql for FieldsAt<R> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        let Kind::Array(member) = ty.kind() else {
            return Err(Box::new(WrongType::new::<Self>(ty.clone())));
        };
        out.put_i32(i32::from(!self.rows.is_empty()));
        let has_null = out.len();
        out.put_i32(0);
        out.put_u32(member.oid());
        if self.rows.is_empty() {
            return Ok(IsNull::No);
        }
        out.put_i32(i32::try_from(self.rows.len())?);
        out.put_i32(1);
        let mut nulls = false;
        for (index, row) in self.rows.iter().enumerate() {
            let value = row.field(self.at).ok_or_else(|| self.wrong(index, "is missing"))?;
            match copy::value(out, member, value) {
                Ok(IsNull::No) => {}
                Ok(IsNull::Yes) => nulls = true,
                Err(cause) if cause.is::<WrongType>() => return Err(cause),
                // The cause's text may quote the value.
                Err(_) => return Err(self.wrong(index, &format!("can't be sent as type {member}"))),
            }
        }
        if let Some(place) = out.get_mut(has_null..has_null + 4) {
            place.copy_from_slice(&i32::from(nulls).to_be_bytes());
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(ty.kind(), Kind::Array(_))
    }

    postgres_types::to_sql_checked!();
}

impl<R> FieldsAt<R> {
    /// Rows are counted from 1.
    fn wrong(&self, index: usize, what: &str) -> Cause {
        format!("the value of row {} {what}", self.behind + index as u64 + 1).into()
    }
}

/// As the `Vec` of its values would be.
impl<R: CopyRow> fmt::Debug for FieldsAt<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows.iter().filter_map(|row| row.field(self.at))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn wire(value: &(dyn ToSql + Sync), ty: &Type) -> Vec<u8> {
        let mut out = BytesMut::new();
        value.to_sql_checked(ty, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn columns_are_what_arrays_are() {
        let rows = vec![(1i64, Some("a")), (2, None), (3, Some(""))];
        let unnest = Unnest::rows(&rows).unwrap();
        let [ids, names] = unnest.params()[..] else { panic!("two columns") };
        assert_eq!(wire(ids, &Type::INT8_ARRAY), wire(&vec![1i64, 2, 3], &Type::INT8_ARRAY));
        let expected = wire(&vec![Some("a"), None, Some("")], &Type::TEXT_ARRAY);
        assert_eq!(wire(names, &Type::TEXT_ARRAY), expected);
        assert_eq!(Value::of(ids), Value::of(&vec![1i64, 2, 3]));
        assert_eq!(Value::of(names), Value::of(&vec![Some("a"), None, Some("")]));
        let (ids, names) = ([1i64, 2, 3], [Some("a"), None, Some("")]);
        let columns = Unnest::new().column(&ids).unwrap().column(&names).unwrap();
        assert_eq!(wire(columns.params()[1], &Type::TEXT_ARRAY), expected);
        assert_eq!((columns.len(), unnest.len(), columns.is_empty()), (3, 3, false));
    }

    #[test]
    fn what_is_ragged_is_refused() {
        let error = Unnest::rows([vec![1i64, 2], vec![3]]).unwrap_err();
        assert_eq!(error.to_string(), "row 2 has 1 fields, and the first one has 2");
        let error = Unnest::new().column(&[1i64]).unwrap().column(&["a", "b"]).unwrap_err();
        assert_eq!(error.to_string(), "column 2 has 2 values, and the first one has 1");
        let none = Unnest::rows(Vec::<(i64,)>::new()).unwrap();
        assert!(none.is_empty() && none.params().is_empty());
    }

    #[test]
    fn elements_of_another_type_are_refused() {
        let unnest = Unnest::rows([(1i64,)]).unwrap();
        for ty in [Type::TEXT_ARRAY, Type::INT8] {
            let error = unnest.params()[0].to_sql_checked(&ty, &mut BytesMut::new()).map(drop).unwrap_err();
            assert!(error.is::<WrongType>(), "{ty}: {error}");
        }
    }
}
