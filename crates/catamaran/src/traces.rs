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

/// What may have been left: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traces(u8);

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
const TELLING: &[&str] = &["advisory", "set_config", "temp"];

/// Words with which a statement begins that changes rows at most, and no table.
const ROWS_ONLY: &[&str] = &["select", "insert", "update", "delete", "merge", "with", "values", "table"];

/// Whether a statement may change what the texts behind it mean, so that these are prepared only after it.
pub(crate) fn changes_meaning(sql: &str) -> bool {
    let rows_only =
        words(sql).next().is_some_and(|first| ROWS_ONLY.iter().any(|word| first.eq_ignore_ascii_case(word)));
    !rows_only || Traces::of_statement(sql).has(Traces::SCHEMA)
}

/// Whether the first statement of a text keeps what a transaction did, one that was begun by hand.
pub(crate) fn commits(sql: &str) -> bool {
    let mut words = words(sql).map(str::to_ascii_lowercase);
    match words.next().as_deref() {
        Some("commit" | "end") => words.next().as_deref() != Some("prepared"),
        Some("prepare") => words.next().as_deref() == Some("transaction"),
        _ => false,
    }
}

/// Whether a statement runs a procedure, which may commit by itself.
pub(crate) fn runs_procedure(sql: &str) -> bool {
    words(sql).next().is_some_and(|first| first.eq_ignore_ascii_case("call") || first.eq_ignore_ascii_case("do"))
}

impl Traces {
    pub(crate) const NONE: Self = Self(0);
    /// A transaction may be open.
    pub(crate) const TRANSACTION: Self = Self(1);
    /// Settings, temporary tables, advisory locks, cursors, `LISTEN`.
    pub(crate) const SESSION: Self = Self(2);
    /// What can't be undone without disturbing the statements kept on the connection.
    pub(crate) const EVERYTHING: Self = Self(4);
    /// Tables or names have changed, and kept statements may not fit any more.
    pub(crate) const SCHEMA: Self = Self(8);
    /// A statement has ended a transaction; one that is open behind it is another.
    pub(crate) const ENDED: Self = Self(16);

    #[cfg(feature = "async")]
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    #[cfg(feature = "async")]
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// A change of tables is final, unless it may be undone: with the transaction that is open, or with the session's
    /// state, if that says what names mean.
    pub(crate) fn settled(self) -> Self {
        if self.has(Self::TRANSACTION) || self.has(Self::SESSION) { self } else { self.without(Self::SCHEMA) }
    }

    /// What is left when a transaction has ended, or is about to begin.
    pub(crate) fn after_transaction(self) -> Self {
        self.without(Self::TRANSACTION).without(Self::ENDED).settled()
    }

    /// What one prepared statement may leave.
    pub(crate) fn of_statement(sql: &str) -> Self {
        let Some(first) = words(sql).next() else { return Self::NONE };
        let is = |word: &&str| first.eq_ignore_ascii_case(word);
        let lower = sql.to_ascii_lowercase();
        let mut traces = Self::of_word(first);
        if !PLAIN.iter().any(is) || TELLING.iter().any(|word| lower.contains(word)) {
            traces = traces.and(Self::SESSION);
        }
        if lower.contains("search_path") {
            traces = traces.and(Self::SCHEMA);
        }
        if lower.contains("chain") {
            traces = traces.and(Self::TRANSACTION);
        }
        // A transaction leaves nothing but itself.
        if is(&"begin") || is(&"start") { Self::TRANSACTION } else { traces }
    }

    /// What a text of several statements may leave.
    pub(crate) fn of_batch(sql: &str) -> Self {
        words(sql).map(Self::of_word).fold(Self::NONE, Self::and)
    }

    /// What a statement with this word in it may leave.
    fn of_word(word: &str) -> Self {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "begin" | "start" | "chain" => Self::TRANSACTION,
            "prepare" | "deallocate" | "discard" | "load" => Self::EVERYTHING.and(Self::SCHEMA),
            "alter" | "drop" | "search_path" => Self::SCHEMA,
            "set" | "declare" | "listen" | "call" | "do" | "execute" => Self::SESSION,
            word if TELLING.iter().any(|telling| word.contains(telling)) => Self::SESSION,
            _ => Self::NONE,
        }
    }

    /// The statements that undo what was left; `None` where only closing the connection does.
    pub(crate) fn undo_sql(self) -> Option<&'static str> {
        if self.has(Self::EVERYTHING) {
            None
        } else if self.has(Self::SESSION) {
            Some(
                "ROLLBACK; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; \
                 SELECT pg_advisory_unlock_all(); DISCARD TEMP",
            )
        } else if self.has(Self::TRANSACTION) {
            Some("ROLLBACK")
        } else {
            Some("")
        }
    }
}

/// How a statement's data travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Travel {
    /// As parameters and rows.
    Rows,
    /// `COPY … FROM STDIN`.
    CopyIn,
    /// `COPY … TO STDOUT`.
    CopyOut,
}

impl Travel {
    pub(crate) fn of(sql: &str) -> Self {
        let mut words = words(sql);
        if !words.next().is_some_and(|first| first.eq_ignore_ascii_case("copy")) {
            return Self::Rows;
        }
        // The last of them: in `COPY (SELECT stdin FROM t) TO STDOUT` the first is a column.
        let ends = words.filter_map(|word| match word {
            word if word.eq_ignore_ascii_case("stdin") => Some(Self::CopyIn),
            word if word.eq_ignore_ascii_case("stdout") => Some(Self::CopyOut),
            _ => None,
        });
        ends.last().unwrap_or(Self::Rows)
    }
}

/// The words of a text, without its comments. Words inside quotes count too.
pub(crate) fn words(sql: &str) -> impl Iterator<Item = &str> {
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
    use super::{Traces, Travel, changes_meaning};

    const NONE: Traces = Traces::NONE;
    const TRANSACTION: Traces = Traces::TRANSACTION;
    const SESSION: Traces = Traces::SESSION;
    const SCHEMA: Traces = Traces::SCHEMA;

    #[test]
    fn statements() {
        for (sql, traces) in [
            ("SELECT 1", NONE),
            ("  /* a /* b */ BEGIN */ -- SET\n (select 1)", NONE),
            ("update t set x = 1", NONE),
            ("begin", TRANSACTION),
            ("-- why\nSTART TRANSACTION", TRANSACTION),
            ("COMMIT AND CHAIN", TRANSACTION),
            ("COMMIT", NONE),
            ("ALTER TABLE t ADD COLUMN x int", SCHEMA),
            ("SET search_path = x", SESSION.and(SCHEMA)),
            ("SET lock_timeout = 1", SESSION),
            ("SELECT pg_advisory_lock(1)", SESSION),
            ("CREATE TEMPORARY TABLE t (x int)", SESSION),
            ("DECLARE c CURSOR FOR SELECT 1", SESSION),
            ("DO $$ BEGIN END $$", SESSION),
            ("", NONE),
            ("/* open", NONE),
        ] {
            assert_eq!(Traces::of_statement(sql), traces, "{sql}");
        }
        assert!(Traces::of_statement("DISCARD ALL").has(Traces::EVERYTHING));
    }

    #[test]
    fn batches() {
        for (sql, traces) in [
            ("INSERT INTO t VALUES (1); DELETE FROM t", NONE),
            ("SELECT 1; BEGIN; SELECT 2", TRANSACTION),
            ("SELECT 1; /* BEGIN */ SELECT 2", NONE),
            ("BEGIN; SET LOCAL x = 1", SESSION.and(TRANSACTION)),
            ("BEGIN; DROP TABLE t", TRANSACTION.and(SCHEMA)),
        ] {
            assert_eq!(Traces::of_batch(sql), traces, "{sql}");
        }
        assert!(Traces::of_batch("SELECT 1;DEALLOCATE ALL").has(Traces::EVERYTHING));
    }

    #[test]
    fn copies() {
        for (sql, travel) in [
            ("copy t (a, b) from stdin (format binary)", Travel::CopyIn),
            ("/* why */ COPY (SELECT stdin FROM t) TO STDOUT", Travel::CopyOut),
            ("COPY t FROM '/file'", Travel::Rows),
            ("INSERT INTO t VALUES ('copy from stdin')", Travel::Rows),
            ("", Travel::Rows),
        ] {
            assert_eq!(Travel::of(sql), travel, "{sql}");
        }
    }

    #[test]
    fn what_the_next_statement_must_wait_for() {
        for (sql, changes) in [
            ("select 1", false),
            ("-- why\nINSERT INTO t VALUES (1)", false),
            ("CREATE TEMP TABLE t (x int)", true),
            ("SET ROLE x", true),
            ("SELECT set_config('search_path', 'x', true)", true),
            ("", true),
        ] {
            assert_eq!(changes_meaning(sql), changes, "{sql}");
        }
    }

    #[test]
    fn what_undoes_them() {
        assert_eq!(NONE.and(SCHEMA).undo_sql(), Some(""));
        assert_eq!(TRANSACTION.undo_sql(), Some("ROLLBACK"));
        assert!(TRANSACTION.and(SESSION).undo_sql().is_some_and(|sql| sql.starts_with("ROLLBACK; ")));
        assert_eq!(SESSION.and(Traces::EVERYTHING).undo_sql(), None);
    }
}
