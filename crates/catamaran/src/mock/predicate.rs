//! What an expected call looks like.

use std::fmt;

use mockall::Predicate;
use postgres_types::FromSqlOwned;
use predicates_core::reflection::PredicateReflection;

use super::Params;

/// Accepts a statement by its text; see [`sql`] and [`sql_is`].
#[derive(Debug, Clone)]
pub struct SqlMatches {
    text: String,
    whole: bool,
}

/// Accepts a statement that contains this text, wherever either of them breaks its lines: a run of white space counts as
/// one space. Upper and lower case differ.
///
/// ```
/// use catamaran::{Executor, mock::{MockDatabaseService, always, sql}};
///
/// let mut db = MockDatabaseService::new();
/// db.expect_execute().with(sql("UPDATE agents SET name"), always()).returning(|_, _| Ok(1));
/// assert_eq!(db.execute("UPDATE agents\n   SET name = $1", &[&"ada"])?, 1);
/// # Ok::<(), catamaran::Error>(())
/// ```
pub fn sql(part: impl AsRef<str>) -> SqlMatches {
    SqlMatches { text: on_one_line(part.as_ref()), whole: false }
}

/// Accepts a statement that is this text, wherever either of them breaks its lines.
///
/// ```
/// use catamaran::{Executor, mock::{MockDatabaseService, sql_is}};
///
/// let mut db = MockDatabaseService::new();
/// db.expect_batch_execute().with(sql_is("DELETE FROM agents")).returning(|_| Ok(()));
/// db.batch_execute("DELETE\nFROM agents")?;
/// # Ok::<(), catamaran::Error>(())
/// ```
pub fn sql_is(whole: impl AsRef<str>) -> SqlMatches {
    SqlMatches { text: on_one_line(whole.as_ref()), whole: true }
}

fn on_one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Predicate<str> for SqlMatches {
    fn eval(&self, sql: &str) -> bool {
        let sql = on_one_line(sql);
        if self.whole { sql == self.text } else { sql.contains(&self.text) }
    }
}

impl fmt::Display for SqlMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.whole { "is" } else { "contains" };
        write!(f, "sql {verb} {:?}", self.text)
    }
}

impl PredicateReflection for SqlMatches {}

/// Accepts parameters by one of them; see [`param`].
pub struct ParamMatches {
    index: usize,
    test: Box<dyn Fn(&Params) -> bool + Send + Sync>,
}

/// Accepts parameters of which one, counted from 0, is a `T` that passes a test. Parameters that have no such one, or
/// have another type there, are not accepted.
///
/// ```
/// use catamaran::{Executor, mock::{MockDatabaseService, PredicateBooleanExt, param, sql}};
///
/// let mut db = MockDatabaseService::new();
/// db.expect_execute()
///     .with(sql("DELETE FROM agents"), param(0, |id: i64| id > 5).and(param(1, |name: String| !name.is_empty())))
///     .returning(|_, _| Ok(1));
/// assert_eq!(db.execute("DELETE FROM agents WHERE id = $1 AND name = $2", &[&7i64, &"ada"])?, 1);
/// # Ok::<(), catamaran::Error>(())
/// ```
pub fn param<T: FromSqlOwned>(index: usize, test: impl Fn(T) -> bool + Send + Sync + 'static) -> ParamMatches {
    ParamMatches { index, test: Box::new(move |params| params.get::<T>(index).is_ok_and(&test)) }
}

impl Predicate<Params> for ParamMatches {
    fn eval(&self, params: &Params) -> bool {
        (self.test)(params)
    }
}

impl fmt::Display for ParamMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "param {} passes a test", self.index)
    }
}

impl fmt::Debug for ParamMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParamMatches").field("index", &self.index).finish_non_exhaustive()
    }
}

impl PredicateReflection for ParamMatches {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::params;

    #[test]
    fn white_space_makes_no_difference() {
        assert!(sql("FROM x WHERE").eval("SELECT *\n  FROM x\n\tWHERE id = $1"));
        assert!(sql("FROM  x").eval("SELECT * FROM x"));
        assert!(!sql("FROM x").eval("SELECT * from x"));
        assert!(sql_is(" SELECT 1 ").eval("SELECT\n1"));
        assert!(!sql_is("SELECT 1").eval("SELECT 1, 2"));
    }

    #[test]
    fn a_parameter_of_another_type_does_not_match() {
        assert!(param(0, |id: i64| id > 5).eval(&params![7i64]));
        assert!(!param(0, |id: i64| id > 5).eval(&params![5i64]));
        assert!(!param(0, |id: i64| id > 5).eval(&params![7i32]));
        assert!(!param(1, |_: i64| true).eval(&params![7i64]));
        assert!(param(0, |id: Option<i64>| id.is_none()).eval(&params![None::<i64>]));
    }
}
