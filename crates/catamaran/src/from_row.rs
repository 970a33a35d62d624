//! Rows as Rust types.

use std::error::Error as StdError;

use postgres_types::{FromSql, FromSqlOwned, Json, Type};
use serde::de::DeserializeOwned;

use crate::{Result, Row, row::Positions};

/// A type that can be read from a [`Row`].
///
/// Usually derived, see the [derive macro](derive@crate::FromRow). Tuples of up to twelve elements are read by position
/// and leave further columns alone; a [`Row`] is itself. By hand, [`from_row`](Self::from_row) is all there is to write.
///
/// ```
/// use catamaran::{FromRow, row};
///
/// let (id, role) = <(i64, String)>::from_row(&row! { "id" => 1i64, "role" => "user" })?;
/// assert_eq!((id, role.as_str()), (1, "user"));
/// # Ok::<(), catamaran::Error>(())
/// ```
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    ///
    /// [`UnknownColumn`](crate::ErrorKind::UnknownColumn) if a column is missing and
    /// [`Decode`](crate::ErrorKind::Decode) if one cannot be read as the type it is to have.
    fn from_row(row: &Row) -> Result<Self>;

    /// Reads a row of a result whose columns were found before. It differs from [`from_row`](Self::from_row) in cost
    /// alone; [`RowReader`](crate::RowReader) calls it.
    ///
    /// # Errors
    ///
    /// Those of `from_row`.
    #[doc(hidden)]
    #[inline]
    fn from_row_with(row: &Row, positions: &mut Positions) -> Result<Self> {
        let _ = positions;
        Self::from_row(row)
    }
}

impl FromRow for Row {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(row.clone())
    }
}

macro_rules! tuples {
    ($($T:ident $at:tt)*) => { tuples!(@ [] $($T $at)*); };
    (@ [$($T:ident $at:tt)*]) => {};
    (@ [$($done:ident $done_at:tt)*] $T:ident $at:tt $($rest:tt)*) => {
        impl<$($done: FromSqlOwned,)* $T: FromSqlOwned> FromRow for ($($done,)* $T,) {
            fn from_row(row: &Row) -> Result<Self> {
                Ok(($(row.get::<$done>($done_at)?,)* row.get::<$T>($at)?,))
            }

            #[inline]
            fn from_row_with(row: &Row, positions: &mut Positions) -> Result<Self> {
                Ok(($(positions.read::<$done>(row, $done_at)?,)* positions.read::<$T>(row, $at)?,))
            }
        }
        tuples!(@ [$($done $done_at)* $T $at] $($rest)*);
    };
}

tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);

/// What the code of the derive needs besides the public items.
#[doc(hidden)]
pub mod __private {
    pub use serde::de::DeserializeOwned;

    pub use crate::row::Positions;
}

/// A `json` or `jsonb` column through serde: SQL's NULL is read as JSON's.
pub(crate) struct OrNull<T>(pub(crate) T);

impl<'a, T: DeserializeOwned> FromSql<'a> for OrNull<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Json::from_sql(ty, raw).map(|json| Self(json.0))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        T::deserialize(serde_json::Value::Null).map(Self).map_err(|_| postgres_types::WasNull.into())
    }

    fn accepts(ty: &Type) -> bool {
        <Json<T> as FromSql<'_>>::accepts(ty)
    }
}
