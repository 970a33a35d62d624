//! What came of an action: what the executor gave, and the same as data that can be compared.

use std::{error::Error as _, fmt};

use catamaran::{Bytes, Description, Error, ErrorKind, Holder, Outcome as One, PoolStatus, Result, Row, Type};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::case::Read;

/// What an executor gave, as it gave it.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Nothing but success.
    Done(Result<()>),
    /// A number of rows.
    Count(Result<u64>),
    /// A number of rows of each of many.
    Counts(Result<Vec<u64>>),
    /// What came of each statement of a batch.
    Each(Result<Vec<One>>),
    /// Rows.
    Rows(Result<Vec<Row>>),
    /// A row.
    Row(Result<Row>),
    /// A row or none.
    Optional(Result<Option<Row>>),
    /// What was taken of a stream of rows; its first error is its last item.
    Stream(Result<Vec<Result<Row>>>),
    /// What was taken of a stream of bytes.
    Chunks(Result<Vec<Result<Bytes>>>),
    /// A description.
    Description(Result<Description>),
    /// A status.
    Status(PoolStatus),
    /// What was read, as its `Debug` text.
    Texts(Result<Vec<String>>),
    /// A closure was run, in a transaction of its own.
    Attempt,
}

/// The same as data.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Success.
    Done,
    /// A number of rows.
    Count(u64),
    /// What came of each of many: numbers of rows, or rows.
    Each(Vec<Outcome>),
    /// Rows, and the error that ended them.
    Rows(Rows, Option<Failure>),
    /// Bytes, and the error that ended them.
    Bytes(Vec<u8>, Option<Failure>),
    /// The types of parameters and the columns of a statement.
    Description(String, String),
    /// A status: the most connections, and whether the numbers fit together.
    Status(usize, bool),
    /// What was read, as its `Debug` text.
    Texts(Vec<String>),
    /// An error.
    Failed(Failure),
}

/// Rows as data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Names and types: `"id int8, name text"`. Empty without rows.
    pub columns: String,
    /// A JSON array of each row's columns.
    pub rows: Vec<Json>,
    /// What was read of each row.
    pub reads: Vec<Vec<String>>,
}

/// An error as data, with everything that a caller can see of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The kind.
    pub kind: ErrorKind,
    /// The SQLSTATE.
    pub sqlstate: Option<String>,
    /// What `Display` shows.
    pub display: String,
    /// What `Debug` shows.
    pub debug: String,
    /// The message.
    pub message: String,
    /// Detail, hint, schema, table, column and constraint.
    pub fields: [Option<String>; 6],
    /// Where in the statement.
    pub position: Option<u32>,
    /// Which of many.
    pub index: Option<usize>,
    /// The causes' texts.
    pub sources: Vec<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let server = error.server_error().cloned().unwrap_or_default();
        let mut sources = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            sources.push(cause.to_string());
            source = cause.source();
        }
        Self {
            kind: error.kind(),
            sqlstate: error.sqlstate().map(str::to_owned),
            display: error.to_string(),
            debug: format!("{error:?}"),
            message: error.message().to_owned(),
            fields: [server.detail, server.hint, server.schema, server.table, server.column, server.constraint],
            position: error.position(),
            index: error.index(),
            sources,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl Reply {
    /// The error, if the action failed as a whole.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Done(result) => result.as_ref().err(),
            Self::Count(result) => result.as_ref().err(),
            Self::Counts(result) => result.as_ref().err(),
            Self::Each(result) => result.as_ref().err(),
            Self::Rows(result) => result.as_ref().err(),
            Self::Row(result) => result.as_ref().err(),
            Self::Optional(result) => result.as_ref().err(),
            Self::Stream(result) => result.as_ref().err(),
            Self::Chunks(result) => result.as_ref().err(),
            Self::Description(result) => result.as_ref().err(),
            Self::Texts(result) => result.as_ref().err(),
            Self::Status(_) | Self::Attempt => None,
        }
    }

    /// The reply as data.
    pub fn outcome(&self, reads: &[Read]) -> Outcome {
        if let Some(error) = self.error() {
            return Outcome::Failed(error.into());
        }
        match self {
            Self::Count(Ok(count)) => Outcome::Count(*count),
            Self::Counts(Ok(counts)) => Outcome::Each(counts.iter().copied().map(Outcome::Count).collect()),
            Self::Each(Ok(outcomes)) => Outcome::Each(
                outcomes
                    .iter()
                    .map(|one| match one {
                        One::Count(count) => Outcome::Count(*count),
                        One::Rows(rows) => Outcome::Rows(as_data(rows, reads), None),
                    })
                    .collect(),
            ),
            Self::Rows(Ok(rows)) => Outcome::Rows(as_data(rows, reads), None),
            Self::Row(Ok(row)) => Outcome::Rows(as_data([row], reads), None),
            Self::Optional(Ok(row)) => Outcome::Rows(as_data(row, reads), None),
            Self::Stream(Ok(items)) => {
                let (rows, failure) = split(items);
                Outcome::Rows(as_data(rows, reads), failure)
            }
            Self::Chunks(Ok(items)) => {
                let (chunks, failure) = split(items);
                Outcome::Bytes(chunks.into_iter().flatten().copied().collect(), failure)
            }
            Self::Description(Ok(description)) => {
                let params: Vec<_> = description.params().iter().map(Type::to_string).collect();
                let columns = description.columns().iter().map(|column| (column.name(), column.ty()));
                Outcome::Description(params.join(", "), columns_as_data(columns))
            }
            Self::Status(status) => {
                let fits = status.size <= status.max_size && status.idle + status.in_use == status.size;
                Outcome::Status(status.max_size, fits)
            }
            Self::Texts(Ok(texts)) => Outcome::Texts(texts.clone()),
            _ => Outcome::Done,
        }
    }
}

/// The methods that took the connections which are held.
pub fn operations(holders: &[Holder]) -> Reply {
    Reply::Texts(Ok(holders.iter().map(|holder| holder.operation.to_owned()).collect()))
}

fn split<T>(items: &[Result<T>]) -> (Vec<&T>, Option<Failure>) {
    let good = items.iter().filter_map(|item| item.as_ref().ok()).collect();
    (good, items.iter().find_map(|item| item.as_ref().err()).map(Failure::from))
}

fn columns_as_data<'a>(columns: impl Iterator<Item = (&'a str, &'a Type)>) -> String {
    columns.map(|(name, ty)| format!("{name} {ty}")).collect::<Vec<_>>().join(", ")
}

fn as_data<'a>(rows: impl IntoIterator<Item = &'a Row>, reads: &[Read]) -> Rows {
    let mut data = Rows::default();
    for row in rows {
        data.columns = columns_as_data(row.columns());
        data.rows.push(row_as_data(row));
        data.reads.push(reads.iter().map(|read| read_as_data(read, row)).collect());
    }
    data
}

/// The row's own JSON without the names, which the columns have.
fn row_as_data(row: &Row) -> Json {
    let text = serde_json::to_string(row);
    match text.and_then(|text| serde_json::from_str::<Members>(&text)) {
        Ok(members) => Json::Array(members.0),
        Err(error) => Json::String(format!("no JSON: {error}")),
    }
}

/// The members of a JSON object in their order, of which [`Json`] would keep neither order nor duplicates.
struct Members(Vec<Json>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((_, value)) = map.next_entry::<String, Json>()? {
                    members.push(value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn read_as_data(read: &Read, row: &Row) -> String {
    match (read.read)(row) {
        Ok(text) => text,
        Err(error) => Failure::from(&error).to_string(),
    }
}
