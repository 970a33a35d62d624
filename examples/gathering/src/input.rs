//! What a request may say.

use std::{fmt::Display, ops::RangeInclusive};

use catamaran_axum::Result;

use crate::errors::bad_request;

/// Checks that a text is there and not too long.
pub(crate) fn text(field: &str, value: &str, longest: usize) -> Result<()> {
    if value.trim().is_empty() {
        return Err(bad_request(format!("{field} must not be empty")));
    }
    if value.chars().count() > longest {
        return Err(bad_request(format!("{field} must have {longest} characters at most")));
    }
    Ok(())
}

/// Checks that a number is in a range.
pub(crate) fn within<T: PartialOrd + Display>(field: &str, value: T, range: RangeInclusive<T>) -> Result<T> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(bad_request(format!("{field} must be from {} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named() {
        assert!(text("name", "Ada", 3).is_ok());
        assert!(text("name", "äöü", 3).is_ok(), "characters, not bytes");
        assert_eq!(text("name", " ", 3).unwrap_err().message(), "name must not be empty");
        assert_eq!(text("name", "Adas", 3).unwrap_err().message(), "name must have 3 characters at most");
        assert_eq!(within("limit", 5, 1..=5).unwrap(), 5);
        assert_eq!(within("limit", 6, 1..=5).unwrap_err().message(), "limit must be from 1 to 5");
    }
}
