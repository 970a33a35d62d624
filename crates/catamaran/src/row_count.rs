//! How many rows a caller wanted, and how many there were.

use crate::{Error, ErrorKind, Result, Row};

/// Exactly one.
pub(crate) fn one(rows: Vec<Row>) -> Result<Row> {
    optional(rows)?.ok_or_else(|| Error::new(ErrorKind::NoRows, "the query returned no rows; one was expected"))
}

/// One or none.
pub(crate) fn optional(mut rows: Vec<Row>) -> Result<Option<Row>> {
    match rows.len() {
        0 | 1 => Ok(rows.pop()),
        n => Err(Error::new(ErrorKind::TooManyRows, format!("the query returned {n} rows; at most one was expected"))),
    }
}
