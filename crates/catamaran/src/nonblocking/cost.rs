//! What statements cost on the server, learned by their text, and which of them may share a connection.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use lru::LruCache;

use super::clock::Nanos;
use crate::{
    lexer::each_statement,
    traces::{Traces, changes_meaning, first_word},
};

/// Texts whose costs are remembered; whoever makes more of them by hand gains nothing from it.
const TEXTS: usize = 1024;
/// How many of them are found by where they stand.
const RECENT: usize = 32;
/// The first executions are slowed by what is done only once: planning, loading pages, filling caches.
const WARMING: u32 = 4;
/// One execution counts for this part of the moving average.
const PART: u64 = 8;
/// A read that takes this many budgets on the server gains nothing from sharing.
const DEAR_READ: Nanos = 4;
/// A write waits for the disk together with others.
const DEAR_WRITE: Nanos = 16;
/// More bytes than this in one reply could wait in the driver for their caller, and others behind them.
const BULKY: usize = 16 * 1024;

/// How a statement may be placed beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// May wait for a lock or for the disk, and is committed together with others if it runs beside them.
    Write,
    /// Changes the connection or the tables: it never shares.
    Own,
}

impl Kind {
    pub(crate) fn of(sql: &str) -> Self {
        let rows_only = !changes_meaning(sql) && Traces::of_statement(sql) == Traces::NONE;
        let Some(first) = first_word(sql).filter(|_| rows_only) else { return Self::Own };
        if first.is_one_of(&["insert", "update", "delete", "merge"]) {
            return Self::Write;
        }
        // `FOR UPDATE` and its like, or a `WITH` that changes rows; a column of such a name costs little.
        let mut writes = false;
        each_statement(sql, |_, tokens| {
            writes |= tokens.iter().any(|token| token.is_one_of(&["insert", "update", "delete", "merge", "share"]));
        });
        if writes { Self::Write } else { Self::Read }
    }
}

/// What one statement costs, as far as it is known.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) kind: Kind,
    /// The moving average of its service time.
    average: AtomicU64,
    seen: AtomicU32,
    bulky: AtomicBool,
}

impl Cost {
    pub(crate) fn unknown() -> Self {
        Self::new(Kind::Own)
    }

    fn new(kind: Kind) -> Self {
        Self { kind, average: AtomicU64::new(0), seen: AtomicU32::new(0), bulky: AtomicBool::new(false) }
    }

    /// What it is expected to cost, if it may stand beside others where the backlog has this budget.
    pub(crate) fn cheap(&self, budget: Nanos) -> Option<Nanos> {
        let dear = match self.kind {
            Kind::Read => DEAR_READ,
            Kind::Write => DEAR_WRITE,
            Kind::Own => return None,
        };
        let expected = self.average.load(Relaxed);
        let cheap = expected <= budget.saturating_mul(dear) && !self.bulky.load(Relaxed);
        (cheap && self.seen.load(Relaxed) > 0).then_some(expected)
    }

    /// Notes how long it took this time, and how many bytes came.
    ///
    /// Executions that end at the same moment may overwrite each other, which an average bears.
    pub(crate) fn learn(&self, took: Nanos, bytes: usize) {
        let (seen, old) = (self.seen.load(Relaxed), self.average.load(Relaxed));
        let new = match seen {
            0 => took,
            1..WARMING => took.min(old),
            _ if took > old => old + (took - old) / PART,
            _ => old - (old - took) / PART,
        };
        self.average.store(new, Relaxed);
        if seen < WARMING {
            self.seen.store(seen + 1, Relaxed);
        }
        if bytes > BULKY {
            self.bulky.store(true, Relaxed);
        }
    }
}

/// The costs of the texts that came last.
pub(crate) struct Costs {
    all: LruCache<Arc<str>, Arc<Cost>>,
    /// Those found last, by where their texts stood: a text that is part of the program stands there again, and is
    /// found without its hash.
    recent: [Option<(Arc<str>, Arc<Cost>)>; RECENT],
}

impl Costs {
    pub(crate) fn new() -> Self {
        Self {
            all: LruCache::new(NonZeroUsize::new(TEXTS).unwrap_or(NonZeroUsize::MIN)),
            recent: [const { None }; RECENT],
        }
    }

    #[inline]
    pub(crate) fn of(&mut self, sql: &str) -> Arc<Cost> {
        let recent = &mut self.recent[place(sql)];
        if let Some((_, cost)) = recent.as_ref().filter(|(text, _)| **text == *sql) {
            return cost.clone();
        }
        // What is found above is not noted as used: whatever falls out is learned again soon.
        let (text, cost) = match self.all.get_key_value(sql) {
            Some((text, cost)) => (text.clone(), cost.clone()),
            None => {
                let (text, cost) = (Arc::<str>::from(sql), Arc::new(Cost::new(Kind::of(sql))));
                self.all.put(text.clone(), cost.clone());
                (text, cost)
            }
        };
        *recent = Some((text, cost.clone()));
        cost
    }
}

/// Where a text would be among the recent ones.
fn place(sql: &str) -> usize {
    // Texts of a program stand close to each other: the multiplication spreads them.
    let spread = (sql.as_ptr().addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> 32) as usize % RECENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (sql, kind) in [
            ("SELECT id FROM t WHERE id = $1", Kind::Read),
            ("/* x */ with a as (select 1) table a", Kind::Read),
            ("VALUES (1)", Kind::Read),
            ("SELECT id FROM t FOR NO KEY UPDATE", Kind::Write),
            ("SELECT id FROM t FOR SHARE", Kind::Write),
            ("WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone", Kind::Write),
            ("INSERT INTO t VALUES ($1)", Kind::Write),
            ("SELECT 'for update', \"share\" FROM t -- delete", Kind::Read),
            ("SELECT temp, attempts FROM t", Kind::Read),
            ("SELECT 1 AS x INTO newt", Kind::Own),
            ("UPDATE pg_settings SET setting = $1 WHERE name = $2", Kind::Own),
            ("SET SCHEMA 'b'", Kind::Own),
            ("SELECT pg_advisory_lock(1)", Kind::Own),
            ("BEGIN", Kind::Own),
            ("CREATE INDEX i ON t (id)", Kind::Own),
            ("EXPLAIN ANALYZE DELETE FROM t", Kind::Own),
            ("COPY t TO STDOUT", Kind::Own),
            ("", Kind::Own),
        ] {
            assert_eq!(Kind::of(sql), kind, "{sql}");
        }
    }

    #[test]
    fn what_is_unknown_dear_or_bulky_is_not_cheap() {
        const BUDGET: Nanos = 300_000;
        let (short, long) = (10_000, 10_000_000);
        let mut costs = Costs::new();
        let read = costs.of("SELECT 1");
        assert_eq!(read.cheap(BUDGET), None);
        read.learn(long, 8);
        assert_eq!(read.cheap(BUDGET), None);
        read.learn(short, 8);
        assert_eq!(costs.of("SELECT 1").cheap(BUDGET), Some(short), "the first executions are slow");
        for _ in 0..10 {
            read.learn(short, 8);
        }
        read.learn(90_000, 8);
        assert_eq!(read.cheap(BUDGET), Some(20_000));
        read.learn(long, 8);
        assert_eq!(read.cheap(BUDGET), None);
        let bulky = costs.of("SELECT 2");
        bulky.learn(short, BULKY + 1);
        assert_eq!(bulky.cheap(BUDGET), None);
        assert_eq!(costs.of("BEGIN").cheap(BUDGET), None);
    }
}
