//! What must come of an action.

use catamaran::ErrorKind;
use serde_json::Value as Json;

use super::outcome::{Failure, Outcome, Rows};

/// What must come of an action.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Success without more.
    Done,
    /// A number of rows.
    Count(u64),
    /// This of each of many.
    Each(Vec<Expected>),
    /// Rows.
    Rows(RowsExpected),
    /// Rows, and then an error.
    RowsThen(RowsExpected, FailureExpected),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Bytes, and then an error.
    BytesThen(Vec<u8>, FailureExpected),
    /// A description: parameter types and columns.
    Description(&'static str, &'static str),
    /// A status with this many connections at most.
    Status(usize),
    /// An error.
    Failure(FailureExpected),
    /// One row, of which this was read, whatever its columns are.
    Read(Vec<String>),
    /// Values, by their `Debug` texts.
    Texts(Vec<&'static str>),
    /// Anything, as long as all executors agree on it.
    Any,
}

/// What rows must be.
#[derive(Debug, Clone)]
pub struct RowsExpected {
    /// `"id int8, name text"`; not compared without rows.
    pub columns: String,
    /// An array of arrays.
    pub rows: Json,
    /// What must have been read of each row, in the order of the reads.
    pub reads: Vec<Vec<String>>,
}

/// What an error must be. What is `None` may be anything here; all executors must still agree on it.
#[derive(Debug, Clone)]
pub struct FailureExpected {
    kind: ErrorKind,
    sqlstate: Option<&'static str>,
    message: Option<&'static str>,
    constraint: Option<&'static str>,
    table: Option<&'static str>,
    column: Option<&'static str>,
    index: Option<usize>,
}

/// Numbers of rows, one of each set.
pub fn counts(counts: &[u64]) -> Expected {
    Expected::Each(counts.iter().copied().map(Expected::Count).collect())
}

/// A number of rows.
pub fn count(rows: u64) -> Expected {
    Expected::Count(rows)
}

/// Rows: the columns with their types, and an array of arrays.
pub fn rows(columns: impl Into<String>, rows: Json) -> Expected {
    Expected::Rows(RowsExpected { columns: columns.into(), rows, reads: Vec::new() })
}

/// No rows.
pub fn no_rows() -> Expected {
    rows("", Json::Array(Vec::new()))
}

/// Bytes.
pub fn bytes(data: impl Into<Vec<u8>>) -> Expected {
    Expected::Bytes(data.into())
}

/// An error that the server reports.
pub fn sqlstate(sqlstate: &'static str) -> Expected {
    let failure = FailureExpected { sqlstate: Some(sqlstate), ..FailureExpected::of(ErrorKind::Server) };
    Expected::Failure(failure)
}

/// An error of a kind.
pub fn fails(kind: ErrorKind) -> Expected {
    Expected::Failure(FailureExpected::of(kind))
}

impl FailureExpected {
    fn of(kind: ErrorKind) -> Self {
        Self { kind, sqlstate: None, message: None, constraint: None, table: None, column: None, index: None }
    }

    fn unmet(&self, failure: &Failure) -> Option<String> {
        let [_, _, _, table, column, constraint] = &failure.fields;
        let wanted = [
            (self.sqlstate, failure.sqlstate.as_deref()),
            (self.message, Some(failure.message.as_str())),
            (self.constraint, constraint.as_deref()),
            (self.table, table.as_deref()),
            (self.column, column.as_deref()),
        ];
        let there = self.index.is_none() || self.index == failure.index;
        let met =
            there && self.kind == failure.kind && wanted.iter().all(|(want, have)| want.is_none() || want == have);
        (!met).then(|| format!("expected {self:?}, was {failure:?}"))
    }
}

impl Expected {
    /// These rows, of each of which this was read.
    #[must_use]
    pub fn reading<S: Into<String>>(mut self, reads: impl IntoIterator<Item = S>) -> Self {
        if let Self::Rows(rows) | Self::RowsThen(rows, _) = &mut self {
            rows.reads.push(reads.into_iter().map(Into::into).collect());
        }
        self
    }

    /// These rows or bytes, and then an error that the server reports.
    #[must_use]
    pub fn then(self, sqlstate: &'static str) -> Self {
        let failure = FailureExpected { sqlstate: Some(sqlstate), ..FailureExpected::of(ErrorKind::Server) };
        match self {
            Self::Rows(rows) => Self::RowsThen(rows, failure),
            Self::Bytes(bytes) => Self::BytesThen(bytes, failure),
            other => other,
        }
    }

    /// This error, with this message.
    #[must_use]
    pub fn message(self, message: &'static str) -> Self {
        self.failure(|failure| failure.message = Some(message))
    }

    /// This error, of this constraint.
    #[must_use]
    pub fn constraint(self, name: &'static str) -> Self {
        self.failure(|failure| failure.constraint = Some(name))
    }

    /// This error, of this table.
    #[must_use]
    pub fn table(self, name: &'static str) -> Self {
        self.failure(|failure| failure.table = Some(name))
    }

    /// This error, of this column.
    #[must_use]
    pub fn column(self, name: &'static str) -> Self {
        self.failure(|failure| failure.column = Some(name))
    }

    /// This error, of this one of many.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.failure(|failure| failure.index = Some(index))
    }

    fn failure(mut self, change: impl FnOnce(&mut FailureExpected)) -> Self {
        if let Self::Failure(failure) = &mut self {
            change(failure);
        }
        self
    }

    /// How an outcome differs from this, if it does.
    pub fn unmet(&self, outcome: &Outcome) -> Option<String> {
        let met = match (self, outcome) {
            (Self::Done, Outcome::Done) => true,
            (Self::Count(want), Outcome::Count(have)) => want == have,
            (Self::Each(want), Outcome::Each(have)) if want.len() == have.len() => {
                return want.iter().zip(have).find_map(|(want, have)| want.unmet(have));
            }
            (Self::Rows(want), Outcome::Rows(have, None)) => return want.unmet(have),
            (Self::RowsThen(want, error), Outcome::Rows(have, Some(failure))) => {
                return want.unmet(have).or_else(|| error.unmet(failure));
            }
            (Self::Bytes(want), Outcome::Bytes(have, None)) => want == have,
            (Self::BytesThen(want, error), Outcome::Bytes(have, Some(failure))) if want == have => {
                return error.unmet(failure);
            }
            (Self::Description(params, columns), Outcome::Description(have_params, have_columns)) => {
                params == have_params && columns == have_columns
            }
            (Self::Status(max), Outcome::Status(have, fits)) => max == have && *fits,
            (Self::Failure(want), Outcome::Failed(have)) => return want.unmet(have),
            (Self::Read(want), Outcome::Rows(have, None)) => have.reads.as_slice() == std::slice::from_ref(want),
            (Self::Texts(want), Outcome::Texts(have)) => want == have,
            (Self::Any, _) => true,
            _ => false,
        };
        (!met).then(|| format!("expected {self:?}, was {outcome:?}"))
    }
}

impl RowsExpected {
    fn unmet(&self, have: &Rows) -> Option<String> {
        let met = self.rows == Json::Array(have.rows.clone())
            && (have.rows.is_empty() || self.columns == have.columns)
            && (have.rows.is_empty() || self.reads == have.reads || (self.reads.is_empty() && no_reads(have)));
        (!met).then(|| format!("expected {self:?}, was {have:?}"))
    }
}

fn no_reads(have: &Rows) -> bool {
    have.reads.iter().all(Vec::is_empty)
}
