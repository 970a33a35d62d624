//! A case: steps on an executor as data, and what must come of them.

use std::{fmt, sync::Arc, time::Duration};

use catamaran::{Bytes, Error, FromSqlOwned, Result, Row, ToSql, TransactionOptions};

use super::{
    expected::Expected,
    typed::{Pair, Typed},
};

/// A parameter as data.
pub type Param = Arc<dyn ToSql + Send + Sync>;

/// Parameters as data: `p![1i64, "x"]`.
#[macro_export]
macro_rules! p {
    ($($value:expr),* $(,)?) => {
        vec![$(::std::sync::Arc::new($value) as $crate::conformance::case::Param),*]
    };
}

/// What is done to an executor and what comes of it, whoever it is.
#[derive(Debug, Clone)]
pub struct Case {
    /// What must hold, unique among all cases.
    pub name: String,
    /// SQL that a superuser runs on an empty schema before the case.
    pub setup: String,
    /// What is done, in this order.
    pub steps: Vec<Step>,
}

/// One action and what must come of it.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// What must come of it; of the opening, for actions that have inner steps.
    pub expected: Expected,
    /// What is read of each row.
    pub reads: Vec<Read>,
}

/// What can be done to an executor.
#[derive(Debug, Clone)]
pub enum Action {
    /// `execute`
    Execute(String, Vec<Param>),
    /// `fetch_all`
    FetchAll(String, Vec<Param>),
    /// `fetch_each`, the rows collected
    FetchEach(String, Vec<Param>),
    /// `fetch_one`
    FetchOne(String, Vec<Param>),
    /// `fetch_optional`
    FetchOptional(String, Vec<Param>),
    /// `batch_execute`
    Batch(String),
    /// `fetch_iter` or `fetch_stream`: some rows or all of them, then steps while it is open, then its drop.
    Stream(String, Vec<Param>, Option<usize>, Vec<Step>),
    /// `copy_in`
    CopyIn(String, Vec<Result<Bytes>>),
    /// `copy_out`: some chunks or all of them, then its drop.
    CopyOut(String, Option<usize>),
    /// `describe`
    Describe(String),
    /// `execute_many`
    Many(String, Vec<Vec<Param>>),
    /// `run_batch`, of statements whose rows are wanted or only their number.
    RunBatch(Vec<(Want, String, Vec<Param>)>),
    /// `begin` on a service or a session, steps in the transaction, and its end.
    Begin(TransactionOptions, Vec<Step>, End),
    /// `savepoint` on a transaction, steps in it, and its end.
    Savepoint(Vec<Step>, End),
    /// `session` on a service, steps on it, and its drop.
    Session(Vec<Step>),
    /// Steps on the service while a session or a transaction is open.
    OnService(Vec<Step>),
    /// A method of an extension trait.
    Typed(Typed),
    /// `transaction` on a service: what each run of the closure does. A run returns the first error of its steps, or
    /// else what it is told to.
    Closure(TransactionOptions, Vec<(Vec<Step>, Result<()>)>),
    /// `execute_rows_in_transaction` on a service: the statement, the rows, and how many at a time.
    RowsInTransaction(String, Vec<Pair>, usize),
    /// `ping`
    Ping,
    /// `status`
    Status,
    /// `holders`, as the methods that took the connections.
    Holders,
    /// `close`
    Close(Duration),
}

/// What is wanted of a statement of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// The number of rows that it affected.
    Count,
    /// Its rows.
    Rows,
}

/// How a transaction ends.
#[derive(Debug, Clone)]
pub enum End {
    /// `commit`, and what must come of it.
    Commit(Expected),
    /// `rollback`, and what must come of it.
    Rollback(Expected),
    /// It is dropped.
    Drop,
}

/// Reads a row as text.
pub type Reader = Arc<dyn Fn(&Row) -> Result<String> + Send + Sync>;

/// How a column is read: the Rust type's name and the reading itself, which gives the value's `Debug` text.
#[derive(Clone)]
pub struct Read {
    /// What is read, for reports.
    pub what: String,
    /// Reads it.
    pub read: Reader,
}

/// Reads a column as a type.
pub fn read<T: FromSqlOwned + fmt::Debug>(column: &'static str) -> Read {
    Read {
        what: format!("{column} as {}", std::any::type_name::<T>()),
        read: Arc::new(move |row| row.get::<T>(column).map(|value| format!("{value:?}"))),
    }
}

/// Reads a row in any way.
pub fn read_with(what: &str, read: impl Fn(&Row) -> Result<String> + Send + Sync + 'static) -> Read {
    Read { what: what.to_owned(), read: Arc::new(read) }
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A case without setup.
pub fn case(name: impl Into<String>) -> Case {
    Case { name: name.into(), setup: String::new(), steps: Vec::new() }
}

impl Case {
    /// Adds to the SQL that is run before the case.
    #[must_use]
    pub fn setup(mut self, sql: &str) -> Self {
        self.setup.push_str(sql);
        self.setup.push_str(";\n");
        self
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Adds steps.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }
}

impl From<Action> for Step {
    fn from(action: Action) -> Self {
        Self { action, expected: Expected::Done, reads: Vec::new() }
    }
}

impl Step {
    /// Says what must come of it; without, it must succeed with `()`.
    #[must_use]
    pub fn gives(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    /// Says what is read of each row, after the columns have been made JSON.
    #[must_use]
    pub fn reads(mut self, reads: impl IntoIterator<Item = Read>) -> Self {
        self.reads.extend(reads);
        self
    }
}

/// `execute`
pub fn execute(sql: impl Into<String>, params: Vec<Param>) -> Step {
    Action::Execute(sql.into(), params).into()
}

/// `fetch_all`
pub fn fetch_all(sql: impl Into<String>, params: Vec<Param>) -> Step {
    Action::FetchAll(sql.into(), params).into()
}

/// `fetch_each`
pub fn fetch_each(sql: impl Into<String>, params: Vec<Param>) -> Step {
    Action::FetchEach(sql.into(), params).into()
}

/// `fetch_one`
pub fn fetch_one(sql: impl Into<String>, params: Vec<Param>) -> Step {
    Action::FetchOne(sql.into(), params).into()
}

/// `fetch_optional`
pub fn fetch_optional(sql: impl Into<String>, params: Vec<Param>) -> Step {
    Action::FetchOptional(sql.into(), params).into()
}

/// `batch_execute`
pub fn batch(sql: impl Into<String>) -> Step {
    Action::Batch(sql.into()).into()
}

/// `fetch_iter` or `fetch_stream`, to its end.
pub fn stream(sql: impl Into<String>, params: Vec<Param>) -> Step {
    Action::Stream(sql.into(), params, None, Vec::new()).into()
}

/// `fetch_iter` or `fetch_stream`, dropped after some rows.
pub fn stream_some(sql: impl Into<String>, params: Vec<Param>, take: usize) -> Step {
    Action::Stream(sql.into(), params, Some(take), Vec::new()).into()
}

/// `fetch_iter` or `fetch_stream`, with steps on the same executor after some rows, while it is open.
pub fn stream_while(sql: impl Into<String>, take: usize, meanwhile: Vec<Step>) -> Step {
    Action::Stream(sql.into(), Vec::new(), Some(take), meanwhile).into()
}

/// `copy_in`
pub fn copy_in(sql: impl Into<String>, chunks: &[&'static str]) -> Step {
    let chunks = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
    Action::CopyIn(sql.into(), chunks).into()
}

/// `copy_in` of bytes.
pub fn copy_in_bytes(sql: impl Into<String>, data: Vec<u8>) -> Step {
    Action::CopyIn(sql.into(), vec![Ok(data.into())]).into()
}

/// `copy_in` of which a chunk is an error.
pub fn copy_in_failing(sql: impl Into<String>, chunk: &'static str, error: Error) -> Step {
    Action::CopyIn(sql.into(), vec![Ok(Bytes::from_static(chunk.as_bytes())), Err(error)]).into()
}

/// `copy_out`, to its end.
pub fn copy_out(sql: impl Into<String>) -> Step {
    Action::CopyOut(sql.into(), None).into()
}

/// `copy_out`, dropped after some chunks.
pub fn copy_out_some(sql: impl Into<String>, take: usize) -> Step {
    Action::CopyOut(sql.into(), Some(take)).into()
}

/// `describe`
pub fn describe(sql: impl Into<String>) -> Step {
    Action::Describe(sql.into()).into()
}

/// `execute_many`
pub fn execute_many(sql: impl Into<String>, sets: Vec<Vec<Param>>) -> Step {
    Action::Many(sql.into(), sets).into()
}

/// `run_batch`
pub fn run_batch(statements: Vec<(Want, &str, Vec<Param>)>) -> Step {
    let statements = statements.into_iter().map(|(want, sql, params)| (want, sql.to_owned(), params));
    Action::RunBatch(statements.collect()).into()
}

/// `begin` with the server's defaults, steps, and an end.
pub fn begin(end: End, steps: Vec<Step>) -> Step {
    begin_with(TransactionOptions::new(), end, steps)
}

/// `begin` with options, steps, and an end.
pub fn begin_with(options: TransactionOptions, end: End, steps: Vec<Step>) -> Step {
    Action::Begin(options, steps, end).into()
}

/// `savepoint`, steps, and an end.
pub fn savepoint(end: End, steps: Vec<Step>) -> Step {
    Action::Savepoint(steps, end).into()
}

/// `session` and steps on it.
pub fn session(steps: Vec<Step>) -> Step {
    Action::Session(steps).into()
}

/// Steps on the service, from within a session or a transaction.
pub fn on_service(steps: Vec<Step>) -> Step {
    Action::OnService(steps).into()
}

/// `transaction` with a closure that is run once, and returns the first error of its steps or `Ok`.
pub fn transaction(steps: Vec<Step>) -> Step {
    transaction_of(TransactionOptions::new(), vec![(steps, Ok(()))])
}

/// `transaction` with options and what each run of the closure does.
pub fn transaction_of(options: TransactionOptions, runs: Vec<(Vec<Step>, Result<()>)>) -> Step {
    Action::Closure(options, runs).into()
}

/// A `commit` that succeeds.
pub const COMMIT: End = End::Commit(Expected::Done);
/// A `rollback` that succeeds.
pub const ROLLBACK: End = End::Rollback(Expected::Done);
