//! Rows of one result, and of several, read one after the other.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use catamaran::{Column, ErrorKind, FromRow, Row, RowReader, Value, row, types::Type};
use serde::Deserialize;

#[derive(Deserialize, Debug, Clone, Default, PartialEq)]
struct Settings {
    theme: String,
}

#[derive(FromRow, Debug, PartialEq)]
struct Audit {
    created_by: String,
    #[from_row(default)]
    changed_by: String,
}

/// Written by hand, with nothing but what has to be written.
#[derive(Debug, PartialEq)]
struct Width(usize);

impl FromRow for Width {
    fn from_row(row: &Row) -> catamaran::Result<Self> {
        Ok(Self(row.len()))
    }
}

#[derive(FromRow, Debug, PartialEq)]
#[from_row(rename_all = "camelCase")]
struct Account<Id> {
    account_id: Id,
    #[from_row(default)]
    login_count: i64,
    #[from_row(flatten)]
    width: Width,
    #[from_row(flatten)]
    audit: Audit,
    #[from_row(json)]
    settings: Settings,
    #[from_row(json, default)]
    former: Settings,
    #[from_row(flatten)]
    first_two: (i64, String),
    #[from_row(rename = "n")]
    note: Option<String>,
}

fn settings(theme: &str) -> Value {
    Value::of(&serde_json::json!({ "theme": theme }))
}

/// Rows that share their columns, as those of a result do.
fn result(columns: &[(&str, Type)], rows: &[Vec<Value>]) -> Vec<Row> {
    let columns: Arc<[Column]> = columns.iter().map(|(name, ty)| Column::new(*name, ty.clone())).collect();
    rows.iter().map(|values| Row::from_values(Arc::clone(&columns), values.clone()).unwrap()).collect()
}

fn accounts() -> Vec<Row> {
    let columns = [
        ("accountId", Type::INT8),
        ("created_by", Type::TEXT),
        ("n", Type::TEXT),
        ("settings", Type::JSONB),
        ("former", Type::JSONB),
    ];
    let row = |id: i64, note: Option<&str>| {
        let (by, theme) = (format!("root{id}"), format!("theme{id}"));
        vec![Value::of(&id), Value::of(&by), Value::of(&note), settings(&theme), settings("former")]
    };
    result(&columns, &[row(1, None), row(2, Some("x")), row(3, None)])
}

#[test]
fn every_row_is_read_as_it_is_alone() {
    let rows = accounts();
    let all = RowReader::<Account<i64>>::read_all(&rows).unwrap();
    let alone: Vec<Account<i64>> = rows.iter().map(|row| Account::from_row(row).unwrap()).collect();
    assert_eq!(all, alone);
    let second = Account {
        account_id: 2,
        login_count: 0,
        width: Width(5),
        audit: Audit { created_by: "root2".into(), changed_by: String::new() },
        settings: Settings { theme: "theme2".into() },
        former: Settings { theme: "former".into() },
        first_two: (2, "root2".into()),
        note: Some("x".into()),
    };
    assert_eq!(all[1], second);
    assert_eq!(RowReader::<Account<i64>>::read_all(&[]).unwrap(), []);
    assert_eq!(RowReader::<Account<i64>>::read_all(&rows[1..2]).unwrap(), [second]);
    assert_eq!(RowReader::<(i64, String)>::read_all(&rows).unwrap()[2], (3, "root3".into()));
}

#[derive(FromRow, Debug, PartialEq)]
struct Pair {
    a: i64,
    #[from_row(default)]
    b: i64,
}

/// A stand-in for a pair that fails where it fails.
fn outcome(row: &Row, reader: &mut RowReader<Pair>) -> Result<(i64, i64), String> {
    let read = reader.read(row).map(|pair| (pair.a, pair.b)).map_err(|error| error.to_string());
    let alone = Pair::from_row(row).map(|pair| (pair.a, pair.b)).map_err(|error| error.to_string());
    assert_eq!(read, alone);
    read
}

#[test]
fn columns_are_found_again_wherever_they_change() {
    let mut reader = RowReader::new();
    let mut read = |row: &Row| outcome(row, &mut reader);
    assert_eq!(read(&row! { "a" => 1i64, "b" => 2i64 }), Ok((1, 2)));
    assert_eq!(read(&row! { "b" => 2i64, "a" => 1i64 }), Ok((1, 2)));
    assert_eq!(read(&row! { "a" => 1i64 }), Ok((1, 0)));
    assert_eq!(read(&row! { "a" => 1i32 }), Err("column \"a\" of type int4 can't be read as i64".into()));
    assert_eq!(read(&row! { "b" => 1i64 }), Err("no column \"a\"; the row has \"b\"".into()));
    assert_eq!(read(&row! {}), Err("no column \"a\"; the row has none".into()));
    assert_eq!(read(&row! { "c" => 0i64, "a" => 1i64, "b" => 2i64 }), Ok((1, 2)));
}

#[test]
fn a_row_that_fails_leaves_the_next_ones_alone() {
    let columns = [("b", Type::INT8), ("a", Type::INT8)];
    let null = || Value::null(Type::INT8);
    let one = |a, b| vec![b, a];
    let rows = result(
        &columns,
        &[
            one(Value::of(&1i64), null()),
            one(null(), Value::of(&2i64)),
            one(Value::of(&1i64), Value::of(&2i64)),
            one(Value::of(&1i64), Value::from_wire(Type::INT8, Some(vec![1].into()))),
            one(Value::of(&3i64), Value::of(&4i64)),
        ],
    );
    let mut reader = RowReader::new();
    let read: Vec<_> = rows.iter().map(|row| outcome(row, &mut reader)).collect();
    let null = |name| Err(format!("column \"{name}\" is NULL and can't be read as i64"));
    let malformed = Err("column \"b\" of type int8 can't be read as i64: failed to fill whole buffer".into());
    assert_eq!(read, [null("b"), null("a"), Ok((1, 2)), malformed, Ok((3, 4))]);
    let error = RowReader::<Pair>::read_all(&rows).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Decode, null("b").unwrap_err()));
}

#[test]
fn what_cannot_be_encoded_is_an_error_in_every_row() {
    let mut reader = RowReader::new();
    for row in [row! { "a": Type::INT8 => "hunter2" }, row! { "a": Type::INT4 => "hunter2" }] {
        let error = outcome(&row, &mut reader).unwrap_err();
        assert!(error.starts_with("column \"a\" was made from what can't be sent as type int"), "{error}");
    }
}
