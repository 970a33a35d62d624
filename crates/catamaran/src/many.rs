//! Many statements in one call: sets of parameters for one text, or a batch of several. Decisions without I/O.

use std::ops::Range;

use postgres_types::ToSql;

use crate::{Batch, Error, Outcome, statement_cache::Kept, traces::changes_meaning};

/// What is run, in its order.
#[derive(Clone, Copy)]
pub(crate) enum Many<'a> {
    Sets(&'a str, &'a [&'a [&'a (dyn ToSql + Sync)]]),
    Batch(&'a Batch<'a>),
}

/// One of many.
#[derive(Clone, Copy)]
pub(crate) struct One<'a> {
    pub(crate) sql: &'a str,
    pub(crate) params: &'a [&'a (dyn ToSql + Sync)],
    /// Whether its rows are wanted.
    pub(crate) fetches: bool,
}

/// Whether someone else's transaction is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// None but what statements of a session may have left open.
    Connection,
    Transaction,
}

impl<'a> Many<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Sets(_, sets) => sets.len(),
            Self::Batch(batch) => batch.len(),
        }
    }

    /// Those in a range, which must exist.
    pub(crate) fn each(&self, range: Range<usize>) -> impl Iterator<Item = (usize, One<'a>)> + use<'a> {
        let many = *self;
        range.filter_map(move |index| Some((index, many.get(index)?)))
    }

    fn get(&self, index: usize) -> Option<One<'a>> {
        match *self {
            Self::Sets(sql, sets) => sets.get(index).map(|params| One { sql, params, fetches: false }),
            Self::Batch(batch) => batch.statements().get(index).map(|statement| One {
                sql: statement.sql(),
                params: statement.params(),
                fetches: statement.fetches(),
            }),
        }
    }

    /// Where those end that can be prepared before the one at `from` is run.
    pub(crate) fn prepared_until(&self, from: usize) -> usize {
        let end = self.len();
        match self {
            Self::Sets(..) => end,
            Self::Batch(_) => {
                self.each(from..end).find(|(_, one)| changes_meaning(one.sql)).map_or(end, |(index, _)| index + 1)
            }
        }
    }

    /// The error of one of them.
    pub(crate) fn failed(&self, index: usize, error: Error) -> Error {
        match self {
            Self::Sets(..) => error.in_set(index),
            Self::Batch(_) => error.in_statement(index),
        }
    }

    /// The texts, as often as they have to be told apart at most.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let texts = match self {
            Self::Sets(..) => self.len().min(1),
            Self::Batch(_) => self.len(),
        };
        self.each(0..texts).map(|(_, one)| one.sql)
    }

    /// The text that an error is of.
    pub(crate) fn text_of(&self, error: &Error) -> Option<&'a str> {
        self.get(error.index()?).map(|one| one.sql)
    }
}

/// The statements that are run together, from the one at `from`, and whether each was kept before.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) from: usize,
    pub(crate) kept: Vec<(Kept, bool)>,
}

impl Prepared {
    pub(crate) fn get(&self, index: usize) -> Option<&(Kept, bool)> {
        self.kept.get(index.checked_sub(self.from)?)
    }

    /// Whether the first of all keeps what a transaction did that was begun by hand.
    pub(crate) fn begins_with_commit(&self) -> bool {
        self.from == 0 && self.kept.first().is_some_and(|(kept, _)| kept.commits)
    }
}

/// The numbers of rows that each set affected.
pub(crate) fn counts(outcomes: Vec<Outcome>) -> Vec<u64> {
    outcomes.iter().map(Outcome::count).collect()
}

/// Whether a transaction is open, asked of the server where it may be: this changes nothing within one, and fails with
/// [`NO_TRANSACTION`] outside.
pub(crate) const ASK: &str = "SAVEPOINT catamaran_many; RELEASE SAVEPOINT catamaran_many";
pub(crate) const NO_TRANSACTION: &str = "25P01";
/// What the server says to a savepoint that does not exist.
pub(crate) const NO_SAVEPOINT: &str = "3B001";
/// What any statement fails with in a transaction that has failed.
pub(crate) const FAILED_TRANSACTION: &str = "25P02";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_together() {
        let batch = Batch::new()
            .execute("INSERT INTO t VALUES (1)", &[])
            .execute("CREATE TABLE u (x int)", &[])
            .fetch_all("SELECT * FROM u", &[])
            .execute("DELETE FROM u", &[]);
        let many = Many::Batch(&batch);
        assert_eq!([many.prepared_until(0), many.prepared_until(2)], [2, 4]);
        assert_eq!(Many::Sets("DROP TABLE t", &[&[], &[]]).prepared_until(0), 2);
        assert_eq!(Many::Batch(&Batch::new()).prepared_until(0), 0);
    }
}
