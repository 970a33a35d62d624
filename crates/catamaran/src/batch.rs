//! Several statements in one trip, and what came of each.

use postgres_types::{FromSqlOwned, ToSql};

use crate::{Error, ErrorKind, FromRow, Result, Row};

/// Several statements for [`run_batch`](crate::Executor::run_batch), each with its parameters.
///
/// Parameters are borrowed: what is not a constant must live as long as the batch does.
///
/// ```
/// use catamaran::{Batch, prelude::*};
///
/// fn start(db: &dyn Executor, agent: i64, text: &str) -> catamaran::Result<(i64, String)> {
///     let batch = Batch::new()
///         .execute("UPDATE agents SET last_seen = now() WHERE id = $1", &[&agent])
///         .fetch_all("INSERT INTO messages (agent, text) VALUES ($1, $2) RETURNING id", &[&agent, &text])
///         .fetch_all("SELECT name FROM agents WHERE id = $1", &[&agent]);
///     let outcomes = db.run_batch(&batch)?;
///     Ok((outcomes[1].scalar()?, outcomes[2].scalar()?))
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch<'a> {
    statements: Vec<BatchStatement<'a>>,
}

/// One statement of a [`Batch`].
#[derive(Clone)]
pub struct BatchStatement<'a> {
    sql: &'a str,
    params: Vec<&'a (dyn ToSql + Sync)>,
    fetches: bool,
}

impl<'a> Batch<'a> {
    /// A batch without statements; running it asks nothing of the server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a statement of which the number of rows that it affected is wanted, as of
    /// [`execute`](crate::Executor::execute).
    #[must_use]
    pub fn execute(self, sql: &'a str, params: &[&'a (dyn ToSql + Sync)]) -> Self {
        self.with(sql, params, false)
    }

    /// Adds a statement whose rows are wanted, as of [`fetch_all`](crate::Executor::fetch_all).
    #[must_use]
    pub fn fetch_all(self, sql: &'a str, params: &[&'a (dyn ToSql + Sync)]) -> Self {
        self.with(sql, params, true)
    }

    fn with(mut self, sql: &'a str, params: &[&'a (dyn ToSql + Sync)], fetches: bool) -> Self {
        self.statements.push(BatchStatement { sql, params: params.to_vec(), fetches });
        self
    }

    /// The statements, in their order.
    pub fn statements(&self) -> &[BatchStatement<'a>] {
        &self.statements
    }

    /// The number of statements.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

impl<'a> BatchStatement<'a> {
    /// Its text.
    pub fn sql(&self) -> &'a str {
        self.sql
    }

    /// Its parameters.
    pub fn params(&self) -> &[&'a (dyn ToSql + Sync)] {
        &self.params
    }

    /// Whether its rows are wanted, and not only their number.
    pub fn fetches(&self) -> bool {
        self.fetches
    }
}

/// The text and the number of parameters, not their values.
impl std::fmt::Debug for BatchStatement<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchStatement")
            .field("sql", &self.sql)
            .field("params", &self.params.len())
            .field("fetches", &self.fetches)
            .finish()
    }
}

/// What came of one statement of a [`Batch`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Of [`Batch::execute`]: the number of rows that it affected.
    Count(u64),
    /// Of [`Batch::fetch_all`]: its rows.
    Rows(Vec<Row>),
}

impl Outcome {
    /// The number of rows that were affected, or that came.
    pub fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Rows(rows) => rows.len() as u64,
        }
    }

    /// The rows; none where only their number was asked for.
    pub fn rows(&self) -> &[Row] {
        match self {
            Self::Count(_) => &[],
            Self::Rows(rows) => rows,
        }
    }

    /// The rows themselves; none where only their number was asked for.
    pub fn into_rows(self) -> Vec<Row> {
        match self {
            Self::Count(_) => Vec::new(),
            Self::Rows(rows) => rows,
        }
    }

    /// Reads all rows as `T`.
    ///
    /// # Errors
    ///
    /// `UnknownColumn` and `Decode` if a row can't be read as `T`.
    pub fn all_as<T: FromRow>(&self) -> Result<Vec<T>> {
        self.rows().iter().map(T::from_row).collect()
    }

    /// Reads the one row as `T`.
    ///
    /// # Errors
    ///
    /// `NoRows` and `TooManyRows`; `UnknownColumn` and `Decode` if the row can't be read as `T`.
    pub fn one_as<T: FromRow>(&self) -> Result<T> {
        T::from_row(self.one()?)
    }

    /// Reads the first column of the one row. `Option<T>` admits NULL.
    ///
    /// # Errors
    ///
    /// `NoRows` and `TooManyRows`; `Decode` if the column can't be read as `T`, `UnknownColumn` if there is none.
    pub fn scalar<T: FromSqlOwned>(&self) -> Result<T> {
        self.one()?.get(0)
    }

    fn one(&self) -> Result<&Row> {
        match self.rows() {
            [row] => Ok(row),
            [] => Err(Error::new(ErrorKind::NoRows, "the statement returned no rows; one was expected")),
            rows => {
                let message = format!("the statement returned {} rows; one was expected", rows.len());
                Err(Error::new(ErrorKind::TooManyRows, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row;

    #[test]
    fn outcomes_are_read_like_what_they_stand_for() {
        let rows = Outcome::Rows(vec![row! { "id" => 1i64 }, row! { "id" => 2i64 }]);
        assert_eq!(rows.count(), 2);
        assert_eq!(rows.all_as::<(i64,)>().unwrap(), [(1,), (2,)]);
        assert_eq!(rows.scalar::<i64>().unwrap_err().kind(), ErrorKind::TooManyRows);
        assert_eq!(Outcome::Count(3).count(), 3);
        assert_eq!(Outcome::Count(3).one_as::<(i64,)>().unwrap_err().kind(), ErrorKind::NoRows);
        assert!(Outcome::Count(3).into_rows().is_empty());
    }

    #[test]
    fn debug_shows_no_parameter() {
        let batch = Batch::new().execute("SELECT $1", &[&"hunter2"]);
        assert!(!format!("{batch:?}").contains("hunter2"), "{batch:?}");
    }
}
