//! Reading a value's bytes, with errors that show nothing of it.

use std::{
    any::type_name,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use postgres_types::{FromSql, Type, WasNull, WrongType};

use super::{
    Cause,
    edges::{self, Misfit, Reading},
    instead::instead,
};
use crate::{Error, ErrorKind, Result, kinds::doubt};

/// Reads bytes of a type.
pub(super) fn decode<'a, T: FromSql<'a>>(what: &dyn fmt::Display, ty: &Type, raw: Option<&'a [u8]>) -> Result<T> {
    let name = type_name::<T>();
    if !T::accepts(ty) {
        return Err(not_accepted(what, ty, name));
    }
    decode_accepted(what, ty, raw, name)
}

/// Reads bytes of a type that `T` is known to accept. Errors call `T` by the name given, since it may be a wrapper that
/// the caller does not know of.
#[inline(always)]
pub(crate) fn decode_accepted<'a, T: FromSql<'a>>(
    what: &dyn fmt::Display,
    ty: &Type,
    raw: Option<&'a [u8]>,
    name: &str,
) -> Result<T> {
    let read = match raw {
        Some(raw) if !is_plain(type_name::<T>()) && !edges::is_near(ty, raw) && edges::possible(ty) => {
            decode_looking(ty, raw, name)
        }
        _ => T::from_sql_nullable(ty, raw),
    };
    match read {
        Ok(value) => Ok(value),
        Err(cause) => Err(not_decoded(what, ty, raw.is_none(), name, cause)),
    }
}

/// Whether a Rust type, known by its name, is read only from types whose values it holds all of. The compiler decides this
/// for each type; without it every number of every row would be looked at.
#[inline(always)]
fn is_plain(rust: &str) -> bool {
    matches!(
        rust,
        "bool"
            | "i16"
            | "i32"
            | "i64"
            | "f32"
            | "f64"
            | "&str"
            | "alloc::string::String"
            | "core::option::Option<bool>"
            | "core::option::Option<i16>"
            | "core::option::Option<i32>"
            | "core::option::Option<i64>"
            | "core::option::Option<f32>"
            | "core::option::Option<f64>"
            | "core::option::Option<&str>"
            | "core::option::Option<alloc::string::String>"
    )
}

/// Reads bytes that may be at the edge of what Rust types hold.
#[inline(never)]
fn decode_looking<'a, T: FromSql<'a>>(ty: &Type, raw: &'a [u8], name: &str) -> Result<T, Cause> {
    match edges::look(ty, raw, name)? {
        Reading::Plain => T::from_sql(ty, raw),
        // Nothing that was half made can be seen afterwards: there is but the bytes, and these are only read.
        Reading::MayPanic => match catch_unwind(AssertUnwindSafe(|| T::from_sql(ty, raw))) {
            Ok(read) => read,
            Err(_) => Err(edges::BEYOND.into()),
        },
    }
}

/// The error of a type that can't be read as the Rust type of a name.
#[cold]
pub(crate) fn not_accepted(what: &dyn fmt::Display, ty: &Type, name: &str) -> Error {
    doubt(ty);
    let instead = instead(ty).map(|instead| format!("; {instead}")).unwrap_or_default();
    Error::new(ErrorKind::Decode, format!("{what} of type {ty} can't be read as {name}{instead}"))
}

/// The error of bytes that can't be read. All of these are made here, so that it makes no difference where the bytes
/// came from.
#[cold]
fn not_decoded(what: &dyn fmt::Display, ty: &Type, is_null: bool, name: &str, cause: Cause) -> Error {
    if is_null && cause.is::<WasNull>() {
        return Error::new(ErrorKind::Decode, format!("{what} is NULL and can't be read as {name}"));
    }
    let (text, source) = public_cause(cause);
    error(ErrorKind::Decode, format!("{what} of type {ty} can't be read as {name}{text}"), source)
}

pub(super) fn error(kind: ErrorKind, message: String, source: Option<Cause>) -> Error {
    match source {
        Some(source) => Error::with_source(kind, message, source),
        None => Error::new(kind, message),
    }
}

/// A cause's text without the value that it may quote, and the cause itself if it quotes none.
pub(super) fn public_cause(cause: Cause) -> (String, Option<Cause>) {
    if cause.is::<WrongType>() || cause.is::<WasNull>() || cause.is::<Misfit>() {
        return (format!(": {cause}"), Some(cause));
    }
    let text = cause.to_string();
    let public = match cause.downcast_ref::<serde_json::Error>() {
        Some(json) if json.is_data() => without_json_value(&text, json.line(), json.column()),
        Some(_) => text.clone(),
        None => without_quoted(&text),
    };
    let source = (public == text).then_some(cause);
    (format!(": {public}"), source)
}

/// serde's message without what was found: "invalid type: string "secret", expected u64 at line 1 column 9".
fn without_json_value(text: &str, line: usize, column: usize) -> String {
    const FROM_THE_TYPE: [&str; 2] = ["missing field", "duplicate field"];
    const FROM_THE_VALUE: [&str; 5] =
        ["invalid type", "invalid value", "invalid length", "unknown variant", "unknown field"];
    if FROM_THE_TYPE.iter().any(|prefix| text.starts_with(prefix)) {
        return text.to_owned();
    }
    // The last "expected" is the type's: the value, which may contain anything, comes before it.
    let expected = text.rfind(", expected ").and_then(|at| text.get(at..));
    match (FROM_THE_VALUE.iter().find(|prefix| text.starts_with(**prefix)), expected) {
        (Some(prefix), Some(expected)) => format!("{prefix}{expected}"),
        _ => format!("JSON that does not fit at line {line} column {column}"),
    }
}

/// The text with what stands in quotes or backticks left out.
fn without_quoted(text: &str) -> String {
    let (Some(first), Some(last)) = (text.find(['"', '`']), text.rfind(['"', '`'])) else {
        return text.to_owned();
    };
    format!("{}…{}", text.get(..=first).unwrap_or_default(), text.get(last..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use postgres_types::Json;
    use serde::Deserialize;

    use crate::{ErrorKind, FromRow, Row, row};

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        One,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "read by nobody")]
    struct Settings {
        theme: i32,
    }

    fn error_of<T: for<'a> postgres_types::FromSql<'a> + std::fmt::Debug>(row: &Row) -> crate::Error {
        let error = row.get::<T>(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        error
    }

    #[test]
    fn errors_name_the_column_and_both_types() {
        let text = |error: crate::Error| error.to_string();
        assert_eq!(
            text(error_of::<String>(&row! { "x" => 1i64 })),
            "column \"x\" of type int8 can't be read as alloc::string::String"
        );
        assert_eq!(
            text(error_of::<i64>(&row! { "x" => None::<i64> })),
            "column \"x\" is NULL and can't be read as i64"
        );
        assert_eq!(
            text(error_of::<Vec<i64>>(&row! { "x" => vec![Some(1i64), None] })),
            "column \"x\" of type _int8 can't be read as alloc::vec::Vec<i64>: a Postgres value was `NULL`"
        );
        assert_eq!(
            text(<(i64, i64)>::from_row(&row! { "x" => 1i64 }).unwrap_err()),
            "no column at position 1; the row has \"x\""
        );
        assert_eq!(text(row! {}.get::<i64>("x").unwrap_err()), "no column \"x\"; the row has none");
    }

    #[test]
    fn errors_show_nothing_of_the_value() {
        let json = |text: &str| row! { "x" => serde_json::from_str::<serde_json::Value>(text).unwrap() };
        let errors = [
            (
                error_of::<Json<Settings>>(&json(r#"{"theme": "hunter2, expected \"hunter2\""}"#)),
                "invalid type, expected i32 at line 1 column",
            ),
            (error_of::<Json<Word>>(&json(r#""hunter2""#)), "unknown variant, expected `one` at line 1 column"),
            (error_of::<Json<Settings>>(&json(r#"{"hunter2": 1}"#)), "missing field `theme` at line 1 column"),
            (error_of::<Json<i8>>(&json("77777777")), "invalid value, expected i8 at line 1 column"),
        ];
        for (error, expected) in errors {
            let text = error.to_string();
            assert!(text.contains(expected), "{text}");
            let mut shown = format!("{text} {error:?}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                shown += &format!("{error} {error:?}");
                cause = error.source();
            }
            assert!(!shown.contains("hunter2") && !shown.contains("7777"), "{shown}");
        }
    }

    #[test]
    fn a_cause_keeps_what_it_does_not_quote() {
        assert_eq!(super::without_quoted("invalid variant `hunter2`"), "invalid variant `…`");
        assert_eq!(super::without_quoted("\"a\" and \"b\" differ"), "\"…\" differ");
        assert_eq!(super::without_quoted("invalid buffer size"), "invalid buffer size");
        let error = crate::Value::from_wire(postgres_types::Type::INT8, Some(crate::Bytes::new())).get::<i64>();
        assert!(std::error::Error::source(&error.unwrap_err()).is_some());
    }
}
