//! Rows made by hand.

use postgres_types::{ToSql, Type};

use super::{Column, Repr, Row};
use crate::Value;

/// Makes a [`Row`] by hand, column by column.
#[derive(Debug, Clone, Default)]
pub struct RowBuilder {
    columns: Vec<Column>,
    values: Vec<Value>,
}

impl RowBuilder {
    /// Adds a column of the value's natural type; see [`Value::of`].
    #[must_use]
    pub fn column(self, name: impl Into<String>, value: &(dyn ToSql + Sync)) -> Self {
        self.value(name, Value::of(value))
    }

    /// Adds a column of a type. If the value cannot be sent as that type, reading the column is the error.
    #[must_use]
    pub fn typed(self, name: impl Into<String>, ty: &Type, value: &(dyn ToSql + Sync)) -> Self {
        self.value(name, Value::typed_or_unencodable(ty, value))
    }

    /// Adds a column of a value's type.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: Value) -> Self {
        self.columns.push(Column::new(name, value.ty().clone()));
        self.values.push(value);
        self
    }

    /// The row.
    pub fn build(self) -> Row {
        Row(Repr::Built { columns: self.columns.into(), values: self.values.into() })
    }
}

/// Makes a [`Row`] by hand: `"name" => value` with the value's natural type (see [`Value::of`]), or
/// `"name": type => value`.
///
/// It never fails; a value that has no natural type, or cannot be sent as the given one, is an error when it is read.
///
/// ```
/// use catamaran::{row, types::Type};
///
/// let row = row! { "id" => 1i64, "role": Type::VARCHAR => "user", "tags" => vec!["a", "b"] };
/// assert_eq!(row.get::<Vec<String>>("tags")?, ["a", "b"]);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[macro_export]
macro_rules! row {
    ($($name:literal $(: $ty:expr)? => $value:expr),* $(,)?) => {{
        let builder = $crate::Row::builder();
        $(let builder = $crate::row!(@column builder, $name, ($($ty)?), $value);)*
        builder.build()
    }};
    (@column $builder:ident, $name:literal, (), $value:expr) => {
        $builder.column($name, &$value)
    };
    (@column $builder:ident, $name:literal, ($ty:expr), $value:expr) => {
        $builder.typed($name, &$ty, &$value)
    };
}
