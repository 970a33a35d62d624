//! The extension traits' methods: each is done by the base methods first, which is what mocks repeat, and then typed.

use std::fmt::Debug;

use catamaran::{
    AsyncBulkExt as _, AsyncExecutor, AsyncExecutorExt as _, BulkExt as _, BulkOptions, Executor, ExecutorExt as _,
    Result,
};
use futures_util::stream;

use super::{
    blocking::{self, borrowed},
    case::{Action, Param, Step},
    nonblocking,
    outcome::{Failure, Reply},
};

/// The row that everything here is read or written as.
pub type Pair = (i64, Option<String>);

/// A method of an extension trait.
#[derive(Debug, Clone)]
pub enum Typed {
    /// `fetch_one_as`
    One(String, Vec<Param>),
    /// `fetch_all_as`
    All(String, Vec<Param>),
    /// `fetch_optional_as`
    Optional(String, Vec<Param>),
    /// `fetch_scalar`, of an `Option<i64>`
    Scalar(String, Vec<Param>),
    /// `fetch_iter_as` or `fetch_stream_as`
    Stream(String, Vec<Param>),
    /// `copy_rows_in`, into a table's columns
    RowsIn(String, Vec<&'static str>, Vec<Pair>),
    /// `copy_iter_in` or `copy_stream_in`
    IterIn(String, Vec<&'static str>, Vec<Result<Pair>>),
    /// `copy_rows_out`
    RowsOut(String),
    /// `copy_rows_in_with`
    RowsInTold(String, Vec<&'static str>, Vec<Pair>),
    /// `copy_iter_in_with` or `copy_stream_in_with`
    IterInTold(String, Vec<&'static str>, Vec<Result<Pair>>),
    /// `execute_rows`, so many rows at a time
    Execute(String, Vec<Pair>, usize),
    /// `execute_unnest`, so many rows at a time
    Unnest(String, Vec<Pair>, usize),
    /// `fetch_unnest`
    FetchUnnest(String, Vec<Pair>),
}

impl From<Typed> for Step {
    fn from(typed: Typed) -> Self {
        Action::Typed(typed).into()
    }
}

impl Typed {
    /// What the base methods do of it, with the texts that this crate makes.
    pub(super) fn base(&self) -> Vec<Action> {
        match self.clone() {
            Self::One(sql, params) | Self::Scalar(sql, params) => vec![Action::FetchOne(sql, params)],
            Self::All(sql, params) => vec![Action::FetchEach(sql, params)],
            Self::Optional(sql, params) => vec![Action::FetchOptional(sql, params)],
            Self::Stream(sql, params) => vec![Action::Stream(sql, params, None, Vec::new())],
            Self::Execute(..) | Self::Unnest(..) | Self::FetchUnnest(..) => Vec::new(),
            Self::RowsIn(table, columns, _)
            | Self::IterIn(table, columns, _)
            | Self::RowsInTold(table, columns, _)
            | Self::IterInTold(table, columns, _) => {
                vec![Action::Describe(format!("SELECT {} FROM {table}", columns.join(", ")))]
            }
            Self::RowsOut(query) => {
                let copy = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
                vec![Action::Describe(query), Action::CopyOut(copy, None)]
            }
        }
    }

    /// Does it, blocking.
    pub(super) fn run(&self, db: &dyn Executor) -> Reply {
        match self {
            Self::One(sql, params) => Reply::Texts(db.fetch_one_as::<Pair>(sql, &borrowed(params)).map(one)),
            Self::All(sql, params) => Reply::Texts(db.fetch_all_as::<Pair>(sql, &borrowed(params)).map(all)),
            Self::Optional(sql, params) => Reply::Texts(db.fetch_optional_as::<Pair>(sql, &borrowed(params)).map(all)),
            Self::Scalar(sql, params) => Reply::Texts(db.fetch_scalar::<Option<i64>>(sql, &borrowed(params)).map(one)),
            Self::Stream(sql, params) => {
                let rows = db.fetch_iter_as::<Pair>(sql, &borrowed(params));
                Reply::Texts(rows.map(|rows| rows.map(item).collect()))
            }
            Self::RowsIn(table, columns, rows) => Reply::Count(db.copy_rows_in(table, columns, rows.clone())),
            Self::IterIn(table, columns, rows) => {
                Reply::Count(db.copy_iter_in(table, columns, rows.clone().into_iter()))
            }
            Self::RowsOut(query) => Reply::Stream(match db.copy_rows_out(query) {
                Ok(mut rows) => Ok(blocking::take(&mut rows, None)),
                Err(error) => Err(error),
            }),
            Self::RowsInTold(table, columns, rows) => {
                let (mut told, options) = (Vec::new(), BulkOptions::new());
                let options = options.progress(|rows| told.push(rows));
                let count = db.copy_rows_in_with(table, columns, rows.clone(), options);
                Reply::Texts(count.map(|count| vec![told_as_text(count, &told)]))
            }
            Self::IterInTold(table, columns, rows) => {
                let (mut told, options) = (Vec::new(), BulkOptions::new());
                let options = options.progress(|rows| told.push(rows));
                let count = db.copy_iter_in_with(table, columns, rows.clone().into_iter(), options);
                Reply::Texts(count.map(|count| vec![told_as_text(count, &told)]))
            }
            Self::Execute(sql, rows, chunk) => {
                let mut told = Vec::new();
                let options = BulkOptions::new().chunk(*chunk).progress(|rows| told.push(rows));
                let affected = db.execute_rows(sql, rows.clone(), options);
                Reply::Texts(affected.map(|affected| vec![told_as_text(affected, &told)]))
            }
            Self::Unnest(sql, rows, chunk) => {
                let mut told = Vec::new();
                let options = BulkOptions::new().chunk(*chunk).progress(|rows| told.push(rows));
                let affected = db.execute_unnest(sql, rows.clone(), options);
                Reply::Texts(affected.map(|affected| vec![told_as_text(affected, &told)]))
            }
            Self::FetchUnnest(sql, rows) => Reply::Rows(db.fetch_unnest(sql, rows.clone())),
        }
    }

    /// Does it, async.
    pub(super) async fn run_async(&self, db: &dyn AsyncExecutor) -> Reply {
        match self {
            Self::One(sql, params) => Reply::Texts(db.fetch_one_as::<Pair>(sql, &borrowed(params)).await.map(one)),
            Self::All(sql, params) => Reply::Texts(db.fetch_all_as::<Pair>(sql, &borrowed(params)).await.map(all)),
            Self::Optional(sql, params) => {
                Reply::Texts(db.fetch_optional_as::<Pair>(sql, &borrowed(params)).await.map(all))
            }
            Self::Scalar(sql, params) => {
                Reply::Texts(db.fetch_scalar::<Option<i64>>(sql, &borrowed(params)).await.map(one))
            }
            Self::Stream(sql, params) => Reply::Texts(match db.fetch_stream_as::<Pair>(sql, &borrowed(params)).await {
                Ok(mut rows) => {
                    let mut texts = Vec::new();
                    while let Some(row) = rows.next().await {
                        texts.push(item(row));
                    }
                    Ok(texts)
                }
                Err(error) => Err(error),
            }),
            Self::RowsIn(table, columns, rows) => Reply::Count(db.copy_rows_in(table, columns, rows.clone()).await),
            Self::IterIn(table, columns, rows) => {
                Reply::Count(db.copy_stream_in(table, columns, stream::iter(rows.clone())).await)
            }
            Self::RowsOut(query) => Reply::Stream(match db.copy_rows_out(query).await {
                Ok(mut rows) => Ok(nonblocking::take(&mut rows, None).await),
                Err(error) => Err(error),
            }),
            Self::RowsInTold(table, columns, rows) => {
                let (mut told, options) = (Vec::new(), BulkOptions::new());
                let options = options.progress(|rows| told.push(rows));
                let count = db.copy_rows_in_with(table, columns, rows.clone(), options).await;
                Reply::Texts(count.map(|count| vec![told_as_text(count, &told)]))
            }
            Self::IterInTold(table, columns, rows) => {
                let (mut told, options) = (Vec::new(), BulkOptions::new());
                let options = options.progress(|rows| told.push(rows));
                let count = db.copy_stream_in_with(table, columns, stream::iter(rows.clone()), options).await;
                Reply::Texts(count.map(|count| vec![told_as_text(count, &told)]))
            }
            Self::Execute(sql, rows, chunk) => {
                let mut told = Vec::new();
                let options = BulkOptions::new().chunk(*chunk).progress(|rows| told.push(rows));
                let affected = db.execute_rows(sql, rows.clone(), options).await;
                Reply::Texts(affected.map(|affected| vec![told_as_text(affected, &told)]))
            }
            Self::Unnest(sql, rows, chunk) => {
                let mut told = Vec::new();
                let options = BulkOptions::new().chunk(*chunk).progress(|rows| told.push(rows));
                let affected = db.execute_unnest(sql, rows.clone(), options).await;
                Reply::Texts(affected.map(|affected| vec![told_as_text(affected, &told)]))
            }
            Self::FetchUnnest(sql, rows) => Reply::Rows(db.fetch_unnest(sql, rows.clone()).await),
        }
    }
}

/// How many rows there were in all, and what the progress callback was told.
pub(super) fn told_as_text(rows: u64, told: &[u64]) -> String {
    format!("{rows} rows, told {told:?}")
}

fn one(value: impl Debug) -> Vec<String> {
    vec![format!("{value:?}")]
}

fn all<T: Debug>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| format!("{value:?}")).collect()
}

fn item(item: Result<impl Debug>) -> String {
    match item {
        Ok(value) => format!("{value:?}"),
        Err(error) => Failure::from(&error).to_string(),
    }
}
