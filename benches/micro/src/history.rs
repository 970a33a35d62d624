//! Messages of a chat, the rows that everything here reads or writes.

use catamaran::{
    __bench, FromRow, Row, Value,
    types::{ToSql, Type},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Statement;

use crate::server::{Answer, Error};

/// How many messages a page of the history has.
pub(crate) const PAGE: usize = 50;

/// A message as a handler reads it.
#[derive(Debug, FromRow)]
#[allow(dead_code, reason = "it is read, and nothing more")]
pub(crate) struct Message {
    id: i64,
    role: String,
    content: String,
    model: Option<String>,
    metadata: serde_json::Value,
    created_at: DateTime<Utc>,
}

/// The same as a tuple.
pub(crate) type MessageTuple = (i64, String, String, Option<String>, serde_json::Value, DateTime<Utc>);

/// What is read of the usage: numbers alone, so that hardly anything but finding them costs.
#[derive(Debug, FromRow)]
#[allow(dead_code, reason = "it is read, and nothing more")]
pub(crate) struct Usage {
    id: i64,
    message_id: i64,
    prompt_tokens: i64,
    answer_tokens: i64,
    cached_tokens: Option<i64>,
    is_billed: bool,
}

/// A page of the usage.
///
/// # Errors
///
/// If it could not be made.
pub(crate) fn usage() -> Result<Vec<Row>, Error> {
    let numbers = ["id", "message_id", "prompt_tokens", "answer_tokens", "cached_tokens"];
    let columns = numbers.into_iter().map(|name| (name, Type::INT8)).chain([("is_billed", Type::BOOL)]).collect();
    let row = |at: i64| -> Vec<Box<dyn ToSql + Send + Sync>> {
        vec![
            Box::new(at),
            Box::new(1_000 + at),
            Box::new(100 * at),
            Box::new(7 * at),
            Box::new((at % 2 == 1).then_some(at)),
            Box::new(true),
        ]
    };
    let (_, rows) = Answer::new(columns, (0..PAGE as i64).map(row).collect()).fetch()?;
    Ok(rows.into_iter().map(__bench::row).collect())
}

fn columns() -> Vec<(&'static str, Type)> {
    vec![
        ("id", Type::INT8),
        ("role", Type::TEXT),
        ("content", Type::TEXT),
        ("model", Type::TEXT),
        ("metadata", Type::JSONB),
        ("created_at", Type::TIMESTAMPTZ),
    ]
}

fn values(at: usize) -> Vec<Box<dyn ToSql + Send + Sync>> {
    let number = i64::try_from(at).unwrap_or_default();
    let is_answer = at % 2 == 1;
    let content = "The tide turns twice a day, and \"slack water\" lasts a few minutes.\n".repeat(1 + at % 3);
    let created = DateTime::from_timestamp(1_767_323_045 + 61 * number, 123_456_000).unwrap_or_default();
    vec![
        Box::new(1_000 + number),
        Box::new(if is_answer { "assistant" } else { "user" }),
        Box::new(content),
        Box::new(is_answer.then_some("model-1")),
        Box::new(json!({ "tokens": 100 + number, "finish": "stop" })),
        Box::new(created),
    ]
}

/// A statement and the rows of its result as the driver makes them.
///
/// # Errors
///
/// If they could not be made.
pub(crate) fn fetched() -> Result<(Statement, Vec<Row>), Error> {
    let (statement, rows) = Answer::new(columns(), (0..PAGE).map(values).collect()).fetch()?;
    Ok((statement, rows.into_iter().map(__bench::row).collect()))
}

/// The same rows made by hand.
pub(crate) fn built() -> Vec<Row> {
    let row = |at| {
        columns()
            .into_iter()
            .zip(values(at))
            .fold(Row::builder(), |row, ((name, ty), value)| row.typed(name, &ty, value.as_ref()))
            .build()
    };
    (0..PAGE).map(row).collect()
}

/// The values of a row, for rows made of them.
pub(crate) fn row_values() -> Vec<Value> {
    columns().into_iter().zip(values(1)).filter_map(|((_, ty), value)| Value::typed(&ty, value.as_ref()).ok()).collect()
}
