//! The prepared statements that a connection keeps.

use std::{hash::BuildHasher, num::NonZeroUsize};

use lru::{DefaultHasher, LruCache};
use tokio_postgres::Statement;

use crate::{
    Error, ErrorKind, Result,
    traces::{Traces, Travel},
};

/// A statement the server has prepared, and what running it may leave on the connection.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) statement: Statement,
    pub(crate) traces: Traces,
    travel: Travel,
}

impl Kept {
    pub(crate) fn new(sql: &str, statement: Statement) -> Self {
        Self { statement, traces: Traces::of_statement(sql), travel: Travel::of(sql) }
    }

    /// Fails unless the statement's data travels like this.
    pub(crate) fn travels(self, travel: Travel) -> Result<Self> {
        self.check_travel(travel).map(|()| self)
    }

    /// Fails unless the statement's data travels like this, and it has this number of parameters.
    #[inline]
    pub(crate) fn check_for(&self, travel: Travel, given: usize) -> Result<()> {
        self.check_travel(travel)?;
        self.check(given)
    }

    #[inline]
    fn check_travel(&self, travel: Travel) -> Result<()> {
        let message = match self.travel {
            actual if actual == travel => return Ok(()),
            Travel::Rows => "this is no COPY with STDIN or STDOUT",
            Travel::CopyIn => "COPY … FROM STDIN is run by copy_in",
            Travel::CopyOut => "COPY … TO STDOUT is run by copy_out",
        };
        Err(Error::new(ErrorKind::WrongStatement, message))
    }

    /// Fails unless the statement has this number of parameters.
    #[inline]
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
pub(crate) struct StatementCache<S = DefaultHasher>(Option<LruCache<Box<str>, Kept, S>>);

impl<S: BuildHasher + Default> StatementCache<S> {
    /// Keeps up to `size` statements; with 0, none.
    pub(crate) fn new(size: usize) -> Self {
        Self(NonZeroUsize::new(size).map(|size| LruCache::with_hasher(size, S::default())))
    }

    pub(crate) fn get(&mut self, sql: &str) -> Option<Kept> {
        let entries = self.0.as_mut()?;
        // The same again is found without a search.
        if let Some((_, last)) = entries.peek_mru().filter(|(last, _)| ***last == *sql) {
            return Some(last.clone());
        }
        entries.get(sql).cloned()
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
