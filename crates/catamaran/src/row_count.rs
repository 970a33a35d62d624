//! How many rows a caller wanted, and how many there were.

use crate::{Error, ErrorKind, Result};

/// There was none where one was wanted.
pub(crate) fn none() -> Error {
    Error::new(ErrorKind::NoRows, "the query returned no rows; one was expected")
}

/// Fails if there were more.
pub(crate) fn at_most_one(rows: usize) -> Result<()> {
    match rows {
        0 | 1 => Ok(()),
        n => Err(Error::new(ErrorKind::TooManyRows, format!("the query returned {n} rows; at most one was expected"))),
    }
}
