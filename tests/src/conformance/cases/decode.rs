//! Reading columns as what they are not.

use catamaran::Json;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::{case::*, expected::*};
use crate::p;

/// One column, read in several ways.
fn reading(name: &str, sql: &str, columns: &str, row: Value, reads: Vec<(Read, &str)>) -> Case {
    let (reads, texts): (Vec<_>, Vec<_>) = reads.into_iter().unzip();
    case(name)
        .step(fetch_one(format!("SELECT {sql}"), p![]).reads(reads).gives(rows(columns, json!([row])).reading(texts)))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        reading(
            "an integer is read as its own width only",
            "1::int8 AS id",
            "id int8",
            json!([1]),
            vec![
                (read::<i64>("id"), "1"),
                (read::<i32>("id"), "Decode: column \"id\" of type int8 can't be read as i32"),
                (read::<i16>("id"), "Decode: column \"id\" of type int8 can't be read as i16"),
                (read::<u32>("id"), "Decode: column \"id\" of type int8 can't be read as u32"),
                (read::<f64>("id"), "Decode: column \"id\" of type int8 can't be read as f64"),
                (read::<String>("id"), "Decode: column \"id\" of type int8 can't be read as alloc::string::String"),
            ],
        ),
        reading(
            "text is read as text only",
            "'secret'::text AS name",
            "name text",
            json!(["secret"]),
            vec![
                (read::<i64>("name"), "Decode: column \"name\" of type text can't be read as i64"),
                (read::<bool>("name"), "Decode: column \"name\" of type text can't be read as bool"),
                (read::<Vec<u8>>("name"), "Decode: column \"name\" of type text can't be read as alloc::vec::Vec<u8>"),
                (
                    read::<Value>("name"),
                    "Decode: column \"name\" of type text can't be read as serde_json::value::Value",
                ),
            ],
        ),
        reading(
            "NULL is read as an option only",
            "NULL::int8 AS id",
            "id int8",
            json!([null]),
            vec![
                (read::<Option<i64>>("id"), "None"),
                (read::<i64>("id"), "Decode: column \"id\" is NULL and can't be read as i64"),
                (
                    read::<Option<i32>>("id"),
                    "Decode: column \"id\" of type int8 can't be read as core::option::Option<i32>",
                ),
            ],
        ),
        reading(
            "NULL in an array is read as an option only",
            "ARRAY[1, NULL] AS ids",
            "ids _int4",
            json!([[1, null]]),
            vec![
                (read::<Vec<Option<i32>>>("ids"), "[Some(1), None]"),
                (
                    read::<Vec<i32>>("ids"),
                    "Decode: column \"ids\" of type _int4 can't be read as alloc::vec::Vec<i32>: a Postgres value was `NULL`",
                ),
                (
                    read::<Vec<Option<i64>>>("ids"),
                    "Decode: column \"ids\" of type _int4 can't be read as alloc::vec::Vec<core::option::Option<i64>>",
                ),
            ],
        ),
        reading(
            "a column that there is not",
            "1 AS id, 2 AS name",
            "id int4, name int4",
            json!([1, 2]),
            vec![
                (read::<i32>("nam"), "UnknownColumn: no column \"nam\"; the row has \"id\", \"name\""),
                (read::<i32>("ID"), "1"),
                (
                    read_with("position 2", |row| row.get::<i32>(2).map(|id| id.to_string())),
                    "UnknownColumn: no column at position 2; the row has \"id\", \"name\"",
                ),
            ],
        ),
        reading(
            "json that is something else",
            r#"'{"a": "secret"}'::jsonb AS j"#,
            "j jsonb",
            json!([{ "a": "secret" }]),
            vec![(
                read::<Json<Vec<i32>>>("j"),
                "Decode: column \"j\" of type jsonb can't be read as postgres_types::serde_json_1::Json<alloc::vec::Vec<i32>>: \
                 invalid type, expected a sequence at line 1 column 0",
            )],
        ),
        reading(
            "a timestamp is no timestamptz",
            "'2026-01-01'::timestamp AS t",
            "t timestamp",
            json!(["2026-01-01T00:00:00"]),
            vec![(
                read::<DateTime<Utc>>("t"),
                "Decode: column \"t\" of type timestamp can't be read as chrono::datetime::DateTime<chrono::offset::utc::Utc>",
            )],
        ),
        reading(
            "a timestamp that chrono can't hold",
            "'infinity'::timestamptz AS t",
            "t timestamptz",
            json!(["infinity"]),
            vec![(
                read_with("t as a time", |row| {
                    row.get::<DateTime<Utc>>("t")
                        .map(|_| "a time".into())
                        .or_else(|error| Ok(format!("{:?}", error.kind())))
                }),
                "Decode",
            )],
        ),
        reading(
            "a char column keeps its padding",
            "'ab'::char(4) AS c",
            "c bpchar",
            json!(["ab  "]),
            vec![(read::<String>("c"), "\"ab  \"")],
        ),
    ]
}
