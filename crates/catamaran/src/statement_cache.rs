//! The prepared statements that a connection keeps.

use std::num::NonZeroUsize;

use lru::LruCache;
use tokio_postgres::Statement;

use crate::{Error, ErrorKind, Result, traces::Traces};

/// A statement the server has prepared, and what running it may leave on the connection.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) statement: Statement,
    pub(crate) traces: Traces,
}

impl Kept {
    pub(crate) fn new(sql: &str, statement: Statement) -> Self {
        Self { statement, traces: Traces::of_statement(sql) }
    }

    /// Fails unless the statement has this number of parameters.
    pub(crate) fn check(&self, given: usize) -> Result<()> {
        match self.statement.params().len() {
            wanted if wanted == given => Ok(()),
            wanted => {
                let message = format!("the statement has {wanted} parameters, and {given} were given");
                Err(Error::new(ErrorKind::ParameterCount, message))
            }
        }
    }
}

/// The statements used last, by their text; the one not used for longest makes room.
///
/// The driver closes a statement on the server when its last clone is dropped, so what falls out here is really closed.
pub(crate) struct StatementCache(Option<LruCache<Box<str>, Kept>>);

impl StatementCache {
    /// Keeps up to `size` statements; with 0, none.
    pub(crate) fn new(size: usize) -> Self {
        Self(NonZeroUsize::new(size).map(LruCache::new))
    }

    pub(crate) fn get(&mut self, sql: &str) -> Option<Kept> {
        self.0.as_mut()?.get(sql).cloned()
    }

    pub(crate) fn insert(&mut self, sql: &str, kept: Kept) {
        if let Some(entries) = &mut self.0 {
            entries.put(sql.into(), kept);
        }
    }

    pub(crate) fn clear(&mut self) {
        if let Some(entries) = &mut self.0 {
            entries.clear();
        }
    }

    pub(crate) fn remove(&mut self, sql: &str) {
        if let Some(entries) = &mut self.0 {
            entries.pop(sql);
        }
    }
}
