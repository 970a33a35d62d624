//! One field of a row as a parameter.

use std::{error::Error as StdError, fmt};

use bytes::BytesMut;
use postgres_types::{Format, IsNull, ToSql, Type};

use super::CopyRow;

/// A field of a row that stands for its value wherever a parameter is asked for.
pub(crate) struct Field<'a, R> {
    row: &'a R,
    at: usize,
}

impl<'a, R: CopyRow> Field<'a, R> {
    pub(crate) fn new(row: &'a R, at: usize) -> Self {
        Self { row, at }
    }
}

impl<R: CopyRow> ToSql for Field<'_, R> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql_checked(ty, out)
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.row.field(self.at) {
            Some(value) => value.to_sql_checked(ty, out),
            None => Err(format!("the row has no field at position {}", self.at).into()),
        }
    }

    /// The value itself is asked, by `to_sql_checked`.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        self.row.field(self.at).map_or(Format::Binary, |value| value.encode_format(ty))
    }
}

impl<R: CopyRow> fmt::Debug for Field<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.row.field(self.at), f)
    }
}
