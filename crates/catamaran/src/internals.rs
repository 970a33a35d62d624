//! What the benchmarks of this repository measure and users have no use for. Anything here may change or go at any time.

#![allow(missing_docs, reason = "not for use")]

use foldhash::fast::FixedState;
use tokio_postgres::Statement;

use crate::{
    Executor, Row,
    guard::{Guard, Guarded},
    statement_cache::{Kept, StatementCache},
};

/// A row as a server sent it.
pub fn row(row: tokio_postgres::Row) -> Row {
    Row::from_driver(row)
}

/// An executor whose calls are looked at.
pub fn guarded(executor: impl Executor) -> impl Executor {
    Guarded::new(executor, Guard::default())
}

/// The statements that a connection keeps, by the same hashes but for their seed, so that counts repeat.
pub struct Statements(StatementCache<FixedState>);

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statements").finish_non_exhaustive()
    }
}

impl Statements {
    pub fn new(size: usize) -> Self {
        Self(StatementCache::new(size))
    }

    pub fn insert(&mut self, sql: &str, statement: Statement) {
        self.0.insert(sql, Kept::new(sql, statement));
    }

    /// The number of parameters of a statement that is kept.
    pub fn find(&mut self, sql: &str) -> Option<usize> {
        self.0.get(sql).map(|kept| kept.statement.params().len())
    }
}
