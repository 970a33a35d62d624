//! Rows: what a server sent, or what a test made by hand, read the same way.

mod builder;
mod index;

use std::{fmt, sync::Arc};

use postgres_types::{FromSql, Type};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    Error, ErrorKind, Result,
    json::WireJson,
    value::{Value, decode, decode_as},
};

pub use self::{builder::RowBuilder, index::RowIndex};

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
    /// A column of a name and a type.
    pub fn new(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty }
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

/// How errors call a column.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column \"{}\"", self.0)
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
        let (name, ty, raw) = self.raw(index)?;
        decode(&Named(name), ty, raw)
    }

    /// [`get`](Self::get) that calls the Rust type `rust` in errors.
    pub(crate) fn get_as<'a, T: FromSql<'a>>(&'a self, index: impl RowIndex, rust: &str) -> Result<T> {
        let (name, ty, raw) = self.raw(index)?;
        decode_as(&Named(name), ty, raw, rust)
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

    /// The name, the type and the bytes of a column.
    fn raw(&self, index: impl RowIndex) -> Result<(&str, &Type, Option<&[u8]>)> {
        let found = index.__find(self).and_then(|at| Some((at, self.column(at)?)));
        let Some((at, (name, ty))) = found else {
            return Err(self.unknown_column(&index));
        };
        match &self.0 {
            #[cfg(feature = "driver")]
            Repr::Driver(row) => match row.try_get::<_, crate::value::Raw<'_>>(at) {
                Ok(raw) => Ok((name, ty, raw.0)),
                Err(_) => Err(self.unknown_column(&index)),
            },
            Repr::Built { values, .. } => match values.get(at) {
                Some(value) => Ok((name, ty, value.wire(&Named(name))?)),
                None => Err(self.unknown_column(&index)),
            },
        }
    }

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
            let (name, ty, raw) = self.raw(at).map_err(serde::ser::Error::custom)?;
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
