//! What statements may leave on a connection, and the SQL that undoes it before someone else gets the connection.
//!
//! No driver tells whether the server is inside a transaction, so the text of each statement is read instead. Reading
//! too much into a text costs one round trip; so it errs on that side.

use std::time::Duration;

/// How long a statement that nobody waits for may go on before it is cancelled on the server.
pub(crate) const GRACE: Duration = Duration::from_millis(250);
/// How long undoing what was left may take before the connection is closed instead.
#[cfg(feature = "async")]
pub(crate) const CLEANING: Duration = Duration::from_secs(5);

/// What may have been left, least first: undoing one undoes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Traces {
    /// Nothing.
    None,
    /// An open transaction.
    Transaction,
    /// Settings, temporary tables, advisory locks, cursors, `LISTEN`.
    Session,
    /// What can't be undone without disturbing the statements kept on the connection.
    Everything,
}

/// Words with which a statement begins that leaves nothing, unless one of [`TELLING`] stands in it.
const PLAIN: &[&str] = &[
    "select",
    "insert",
    "update",
    "delete",
    "with",
    "values",
    "table",
    "merge",
    "copy",
    "explain",
    "show",
    "create",
    "alter",
    "drop",
    "truncate",
    "grant",
    "revoke",
    "comment",
    "analyze",
    "vacuum",
    "reindex",
    "refresh",
    "lock",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "notify",
    "checkpoint",
    "cluster",
];

/// Words that tell of something left behind wherever they stand: `pg_advisory_lock`, `set_config`, `CREATE TEMP TABLE`.
const TELLING: &[&str] = &["advisory", "set_config", "temp", "pg_temp"];

impl Traces {
    /// What one prepared statement may leave.
    pub(crate) fn of_statement(sql: &str) -> Self {
        let Some(first) = words(sql).next() else { return Self::None };
        let is = |word: &&str| first.eq_ignore_ascii_case(word);
        if is(&"begin") || is(&"start") {
            return Self::Transaction;
        }
        if is(&"prepare") || is(&"deallocate") || is(&"discard") || is(&"load") {
            return Self::Everything;
        }
        let lower = sql.to_ascii_lowercase();
        if !PLAIN.iter().any(is) || TELLING.iter().any(|word| lower.contains(word)) {
            return Self::Session;
        }
        if lower.contains("chain") { Self::Transaction } else { Self::None }
    }

    /// What a text of several statements may leave.
    pub(crate) fn of_batch(sql: &str) -> Self {
        words(sql).map(Self::of_word_in_batch).max().unwrap_or(Self::None)
    }

    fn of_word_in_batch(word: &str) -> Self {
        let is = |other: &&str| word.eq_ignore_ascii_case(other);
        if ["prepare", "deallocate", "discard", "load"].iter().any(is) {
            Self::Everything
        } else if ["set", "declare", "listen", "call", "do", "execute"].iter().any(is) || {
            let lower = word.to_ascii_lowercase();
            TELLING.iter().any(|telling| lower.contains(telling))
        } {
            Self::Session
        } else if ["begin", "start", "chain"].iter().any(is) {
            Self::Transaction
        } else {
            Self::None
        }
    }

    /// The statements that undo what was left; `None` where only closing the connection does.
    pub(crate) fn undo_sql(self) -> Option<&'static str> {
        match self {
            Self::None => Some(""),
            Self::Transaction => Some("ROLLBACK"),
            Self::Session => Some(
                "ROLLBACK; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; \
                 SELECT pg_advisory_unlock_all(); DISCARD TEMP",
            ),
            Self::Everything => None,
        }
    }
}

/// The words of a text, without its comments. Words inside quotes count too.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-' || c == '/'));
            if let Some(comment) = rest.strip_prefix("--") {
                rest = comment.find('\n').map_or("", |end| &comment[end..]);
            } else if let Some(comment) = rest.strip_prefix("/*") {
                rest = after_comment(comment);
            } else if rest.starts_with(['-', '/']) {
                rest = &rest[1..];
            } else if rest.is_empty() {
                return None;
            } else {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                rest = behind;
                return Some(word);
            }
        }
    })
}

/// What follows a block comment; block comments nest.
fn after_comment(mut text: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        let Some(at) = text.find(['*', '/']) else { return "" };
        text = &text[at..];
        if let Some(behind) = text.strip_prefix("*/") {
            depth -= 1;
            text = behind;
        } else if let Some(behind) = text.strip_prefix("/*") {
            depth += 1;
            text = behind;
        } else {
            text = &text[1..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Traces::{self, Everything, None, Session, Transaction};

    #[test]
    fn statements() {
        for (sql, traces) in [
            ("SELECT 1", None),
            ("  /* a /* b */ BEGIN */ -- SET\n (select 1)", None),
            ("update t set x = 1", None),
            ("begin", Transaction),
            ("-- why\nSTART TRANSACTION", Transaction),
            ("COMMIT AND CHAIN", Transaction),
            ("COMMIT", None),
            ("SET search_path = x", Session),
            ("SELECT pg_advisory_lock(1)", Session),
            ("CREATE TEMPORARY TABLE t (x int)", Session),
            ("DECLARE c CURSOR FOR SELECT 1", Session),
            ("DO $$ BEGIN END $$", Session),
            ("DISCARD ALL", Everything),
            ("", None),
            ("/* open", None),
        ] {
            assert_eq!(Traces::of_statement(sql), traces, "{sql}");
        }
    }

    #[test]
    fn batches() {
        for (sql, traces) in [
            ("INSERT INTO t VALUES (1); DELETE FROM t", None),
            ("SELECT 1; BEGIN; SELECT 2", Transaction),
            ("SELECT 1; /* BEGIN */ SELECT 2", None),
            ("BEGIN; SET LOCAL x = 1", Session),
            ("SELECT 1;DEALLOCATE ALL", Everything),
        ] {
            assert_eq!(Traces::of_batch(sql), traces, "{sql}");
        }
    }
}
