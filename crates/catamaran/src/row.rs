//! Rows: what a server sent, or what a test made by hand, read the same way.

mod builder;
mod index;
mod positions;
mod reader;

use std::{any::type_name, fmt, sync::Arc};

use postgres_types::{FromSql, Type};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    Error, ErrorKind, Result,
    json::WireJson,
    value::{Value, decode_accepted, not_accepted, without_domain},
};

pub use self::{builder::RowBuilder, index::RowIndex, positions::Positions, reader::RowReader};

/// A row of a result.
///
/// A row that a server sent and one made with [`row!`](crate::row) or [`Row::builder`] are read in the same way and
/// fail with the same errors.
///
/// `Debug` shows the columns without their values, so that a row can be logged.
///
/// As [`Serialize`], a row is the JSON object that the server's own `row_to_json` would make of it with `TimeZone` set
/// to UTC, its members in the order of the columns; see [`Row::serialize`](Row#impl-Serialize-for-Row).
///
/// ```
/// use catamaran::row;
///
/// let row = row! { "id" => 1i64, "role" => "user", "note" => None::<String> };
/// assert_eq!(row.get::<i64>("id")?, 1);
/// assert_eq!(row.get::<&str>(1)?, "user");
/// assert_eq!(row.get::<Option<String>>("note")?, None);
/// assert_eq!(
///     row.get::<i64>("role").unwrap_err().to_string(),
///     "column \"role\" of type text can't be read as i64",
/// );
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Clone)]
pub struct Row(Repr);

#[derive(Clone)]
enum Repr {
    #[cfg(feature = "driver")]
    Driver(tokio_postgres::Row),
    Built {
        columns: Arc<[Column]>,
        values: Arc<[Value]>,
    },
}

/// The name and the type of a result's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    name: String,
    ty: Type,
}

impl Column {
    /// A column of a name and a type. One of a domain is one of its base type, as in the rows of a server.
    pub fn new(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty: without_domain(ty) }
    }

    /// The name, as the statement gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    pub fn ty(&self) -> &Type {
        &self.ty
    }
}

/// How errors call a column of a row.
struct Named<'a>(&'a Row, usize);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column \"{}\"", self.0.column(self.1).map_or("?", |(name, _)| name))
    }
}

impl Row {
    /// A builder of a row, for mocks and tests; the [`row!`](crate::row) macro is shorter.
    ///
    /// ```
    /// use catamaran::{Row, types::Type};
    ///
    /// let row = Row::builder().column("id", &1i64).typed("role", &Type::VARCHAR, &"user").build();
    /// assert_eq!(row.len(), 2);
    /// ```
    pub fn builder() -> RowBuilder {
        RowBuilder::default()
    }

    /// A row of these columns and as many values. The columns can be shared between rows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if the numbers differ, or if a value is of another type than its column.
    ///
    /// ```
    /// use catamaran::{Column, Row, Value, types::Type};
    ///
    /// let row = Row::from_values([Column::new("id", Type::INT8)], [Value::of(&1i64)])?;
    /// assert_eq!(row.get::<i64>("id")?, 1);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn from_values(columns: impl Into<Arc<[Column]>>, values: impl Into<Arc<[Value]>>) -> Result<Self> {
        let (columns, values) = (columns.into(), values.into());
        if columns.len() != values.len() {
            let message = format!("a row of {} columns can't hold {} values", columns.len(), values.len());
            return Err(Error::new(ErrorKind::Encode, message));
        }
        for (column, value) in columns.iter().zip(values.iter()) {
            if column.ty != *value.ty() {
                let message = format!(
                    "column \"{}\" of type {} can't hold a value of type {}",
                    column.name,
                    column.ty,
                    value.ty()
                );
                return Err(Error::new(ErrorKind::Encode, message));
            }
        }
        Ok(Self(Repr::Built { columns, values }))
    }

    #[cfg(feature = "driver")]
    pub(crate) fn from_driver(row: tokio_postgres::Row) -> Self {
        Self(Repr::Driver(row))
    }

    /// The bytes that came for it from the server.
    #[cfg(feature = "async")]
    pub(crate) fn size(&self) -> usize {
        match &self.0 {
            Repr::Driver(row) => row.raw_size_bytes(),
            Repr::Built { .. } => 0,
        }
    }

    /// The number of columns.
    pub fn len(&self) -> usize {
        match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(row) => row.len(),
            Repr::Built { columns, .. } => columns.len(),
        }
    }

    /// Whether the row has no columns at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns' names and types, in order.
    ///
    /// ```
    /// use catamaran::{row, types::Type};
    ///
    /// let row = row! { "id" => 1i64, "role" => "user" };
    /// let columns: Vec<_> = row.columns().collect();
    /// assert_eq!(columns, [("id", &Type::INT8), ("role", &Type::TEXT)]);
    /// ```
    pub fn columns(&self) -> impl DoubleEndedIterator<Item = (&str, &Type)> {
        (0..self.len()).filter_map(|index| self.column(index))
    }

    fn column(&self, index: usize) -> Option<(&str, &Type)> {
        match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(row) => row.columns().get(index).map(|column| (column.name(), column.type_())),
            Repr::Built { columns, .. } => columns.get(index).map(|column| (column.name(), column.ty())),
        }
    }

    /// Reads a column, found by position or name, as a Rust type. Any [`FromSql`] will do; `&str` and `&[u8]` borrow
    /// from the row.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownColumn`] if there is no such column; [`ErrorKind::Decode`] if its type cannot be read as
    /// `T`, or it is NULL and `T` is no `Option`. The errors name the column and both types, and never the value.
    ///
    /// ```
    /// let row = catamaran::row! { "id" => 1i64, "role" => "user" };
    /// assert_eq!(row.get::<&str>("role")?, "user");
    /// assert_eq!(
    ///     row.get::<i64>("x").unwrap_err().to_string(),
    ///     "no column \"x\"; the row has \"id\", \"role\"",
    /// );
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn get<'a, T: FromSql<'a>>(&'a self, index: impl RowIndex) -> Result<T> {
        let Some(at) = index.__find(self) else {
            return Err(self.unknown_column(&index));
        };
        self.check(at, T::accepts, type_name::<T>())?;
        self.get_accepted(at, type_name::<T>())
    }

    /// Fails unless the type of the column at a position is accepted by the Rust type that errors call `rust`.
    #[inline]
    fn check(&self, at: usize, accepts: fn(&Type) -> bool, rust: &str) -> Result<()> {
        match self.column(at) {
            Some((_, ty)) if accepts(ty) => Ok(()),
            _ => Err(self.unfit(at, rust)),
        }
    }

    /// Reads the column at a position, whose type was checked.
    #[inline(always)]
    fn get_accepted<'a, T: FromSql<'a>>(&'a self, at: usize, rust: &str) -> Result<T> {
        match self.wire(at) {
            Some((ty, raw)) => decode_accepted(&Named(self, at), ty, raw, rust),
            None => Err(self.no_wire(at)),
        }
    }

    /// Where a column is, from 0.
    ///
    /// ```
    /// let row = catamaran::row! { "id" => 1i64, "role" => "user" };
    /// assert_eq!(row.position("ROLE"), Some(1));
    /// assert_eq!(row.position("x"), None);
    /// ```
    pub fn position(&self, index: impl RowIndex) -> Option<usize> {
        index.__find(self)
    }

    /// The type and the bytes of a column; [`no_wire`](Self::no_wire) tells why there are none.
    #[inline(always)]
    fn wire(&self, at: usize) -> Option<(&Type, Option<&[u8]>)> {
        match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(row) => {
                let column = row.columns().get(at)?;
                let raw = row.try_get::<_, crate::value::Raw<'_>>(at).ok()?;
                Some((column.type_(), raw.0))
            }
            Repr::Built { values, .. } => values.get(at)?.as_wire(),
        }
    }

    #[cold]
    fn unfit(&self, at: usize, rust: &str) -> Error {
        match self.wire(at) {
            Some((ty, _)) => not_accepted(&Named(self, at), ty, rust),
            None => self.no_wire(at),
        }
    }

    #[cold]
    fn no_wire(&self, at: usize) -> Error {
        let value = match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(_) => None,
            Repr::Built { values, .. } => values.get(at),
        };
        let error = value.and_then(|value| value.wire(&Named(self, at)).err());
        error.unwrap_or_else(|| self.unknown_column(&at))
    }

    /// Whether both rows have the very same columns: those of one result do. Equal ones may be told apart.
    #[inline]
    fn shares_columns_with(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            #[cfg(feature = "driver")]
            (Repr::Driver(row), Repr::Driver(other)) => std::ptr::eq(row.columns(), other.columns()),
            (Repr::Built { columns, .. }, Repr::Built { columns: other, .. }) => Arc::ptr_eq(columns, other),
            #[cfg(feature = "driver")]
            _ => false,
        }
    }

    /// Where the column of a name is.
    #[inline]
    fn find(&self, name: &str) -> Option<usize> {
        match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(row) => find(row.columns(), tokio_postgres::Column::name, name),
            Repr::Built { columns, .. } => find(columns, Column::name, name),
        }
    }

    /// Whether a later column has the name of the one at a position.
    #[cold]
    fn has_another(&self, at: usize) -> bool {
        let name = self.column(at).map(|(name, _)| name);
        (at + 1..self.len()).any(|other| self.column(other).map(|(name, _)| name) == name)
    }

    #[cold]
    fn ambiguous(&self, at: usize) -> Error {
        let message = format!(
            "{} is there more than once, and a flattened field can't tell which one is its; give each a name of its own, \
             with AS in the statement",
            Named(self, at)
        );
        Error::new(ErrorKind::Decode, message)
    }

    #[cold]
    fn unknown_column(&self, index: &dyn RowIndex) -> Error {
        let names: Vec<String> = self.columns().map(|(name, _)| format!("\"{name}\"")).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::new(ErrorKind::UnknownColumn, format!("{}; the row has {names}", index.__describe()))
    }

    /// The row as one made by hand: a copy of what the server sent, a cheap clone otherwise.
    #[must_use]
    pub fn to_built(&self) -> Self {
        match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(row) => {
                let columns = row.columns().iter().map(|column| Column::new(column.name(), column.type_().clone()));
                let values = row.columns().iter().enumerate().map(|(at, column)| {
                    let raw = row.try_get::<_, crate::value::Raw<'_>>(at).ok().and_then(|raw| raw.0);
                    Value::from_wire(column.type_().clone(), raw.map(bytes::Bytes::copy_from_slice))
                });
                Self(Repr::Built { columns: columns.collect(), values: values.collect() })
            }
            Repr::Built { .. } => self.clone(),
        }
    }
}

/// The first column of exactly this name, or else the first that differs in case only.
#[inline]
fn find<C>(columns: &[C], name_of: impl Fn(&C) -> &str, name: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| name_of(column) == name);
    exact.or_else(|| find_in_any_case(columns, name_of, name))
}

#[cold]
fn find_in_any_case<C>(columns: &[C], name_of: impl Fn(&C) -> &str, name: &str) -> Option<usize> {
    columns.iter().position(|column| name_of(column).eq_ignore_ascii_case(name))
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row ")?;
        f.debug_map().entries(self.columns().map(|(name, ty)| (name, format_args!("{ty}").to_string()))).finish()
    }
}

/// The JSON object that the server's `row_to_json` would make of the row with `TimeZone` set to UTC, through
/// `serde_json`: `numeric` is an exact number, `json` and `jsonb` are passed through, `timestamptz` is
/// `"2026-01-02T03:04:05.123456+00:00"`, `bytea` is `"\\x…"`.
///
/// A column of a type whose text only the server knows, such as `money`, `regclass` or an extension's type, is an error
/// that names the column and the type.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for at in 0..self.len() {
            let (Some((name, _)), Some((ty, raw))) = (self.column(at), self.wire(at)) else {
                return Err(serde::ser::Error::custom(self.no_wire(at)));
            };
            map.serialize_entry(name, &WireJson::of_column(name, ty, raw))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FromRow, row};

    #[test]
    fn a_name_is_matched_as_it_is_and_then_without_case() {
        let row = row! { "ID" => 1i64, "id" => 2i64, "id" => 3i64, "ß" => 4i64 };
        assert_eq!(row.get::<i64>("id").unwrap(), 2);
        assert_eq!(row.get::<i64>("ID").unwrap(), 1);
        assert_eq!(row.get::<i64>("Id".to_owned()).unwrap(), 1);
        assert_eq!(row.get::<i64>(&&3usize).unwrap(), 4);
        assert_eq!(row.position("ẞ"), None);
        assert_eq!(row.get::<i64>(4).unwrap_err().kind(), ErrorKind::UnknownColumn);
    }

    #[test]
    fn what_cannot_be_encoded_is_an_error_when_it_is_read() {
        let row = row! { "a": Type::INT8 => "hunter2", "b" => 1i64 };
        assert_eq!(
            row.get::<i64>("a").unwrap_err().to_string(),
            "column \"a\" was made from what can't be sent as type int8"
        );
        assert_eq!(row.get::<i64>("b").unwrap(), 1);
        assert!(serde_json::to_string(&row).unwrap_err().to_string().contains("column \"a\""));
    }

    #[test]
    fn values_have_to_fit_their_columns() {
        let columns: Arc<[Column]> = [Column::new("a", Type::INT8)].into();
        assert!(Row::from_values(Arc::clone(&columns), [Value::of(&1i64)]).is_ok());
        for values in [vec![], vec![Value::of(&1i32)]] {
            let error = Row::from_values(Arc::clone(&columns), values).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encode);
        }
    }

    #[test]
    fn debug_shows_columns_and_no_values() {
        assert_eq!(format!("{:?}", row! { "a" => "hunter2" }), "Row {\"a\": \"text\"}");
    }

    #[test]
    fn members_are_in_the_order_of_the_columns() {
        let row = row! { "b" => 1i64, "a" => None::<bool>, "c" => vec!["x"] };
        assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"b":1,"a":null,"c":["x"]}"#);
        let same = Row::from_row(&row).unwrap().to_built();
        assert_eq!(serde_json::to_string(&same).unwrap(), r#"{"b":1,"a":null,"c":["x"]}"#);
    }
}
