//! What statements may leave on a connection, and the SQL that undoes it before someone else gets the connection.
//!
//! The text of each statement is read, as the server's lexer reads it. What it does by functions, triggers or rules of
//! the user's own can't be read there. Reading too much into a text costs one round trip; so it errs on that side.

use std::time::Duration;

use crate::{
    Error, ErrorKind, Result,
    lexer::{Tokens, each_statement},
    token::{Form, Token},
};

mod settings;
mod travel;

use settings::keeps_meaning;
pub(crate) use travel::Travel;

/// How long a statement that nobody waits for may go on before it is cancelled on the server.
pub(crate) const GRACE: Duration = Duration::from_millis(250);
/// How long undoing what was left may take before the connection is closed instead.
#[cfg(feature = "async")]
pub(crate) const CLEANING: Duration = Duration::from_secs(5);

/// How many literals may stand within each other, all of which are read.
const DEEPEST: u8 = 4;

/// The text that a token is of.
#[derive(Debug, Clone, Copy)]
struct Text {
    /// It is run as a language of its own, or may be.
    is_body: bool,
    /// In how many literals it is.
    depth: u8,
}

/// What may have been left: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traces(u8);

/// Words with which a statement begins that reads or changes rows.
const ROWS: &[&str] = &["select", "insert", "update", "delete", "merge", "with", "values", "table"];

/// Words with which other statements begin that leave nothing on the connection.
const PLAIN: &[&str] = &[
    "copy",
    "explain",
    "truncate",
    "grant",
    "revoke",
    "comment",
    "analyze",
    "analyse",
    "vacuum",
    "reindex",
    "refresh",
    "lock",
    "savepoint",
    "release",
    "notify",
    "checkpoint",
    "cluster",
];

/// Words with which a statement begins that changes the session, and not what names mean.
const SESSION_ONLY: &[&str] = &["listen", "unlisten", "close"];

/// Words with which a text begins that may be in a literal to be run.
const RUN_BY_OTHERS: &[&str] = &["set", "reset", "create", "listen", "declare"];

/// Words of which the server makes a date or a time where it reads a literal.
const MOMENTS: &[&str] = &["now", "today", "tomorrow", "yesterday"];

/// Types of which the server makes an object's number where it reads a literal, and is not told when that is another.
const NAMED_OBJECTS: &[&str] = &[
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

/// Parts of names that tell of something left behind wherever they stand, also in literals.
const TELLING: &[(&str, Traces)] = &[
    ("search_path", Traces::SCHEMA),
    ("pg_settings", Traces::CHANGED),
    ("pg_temp", Traces::CHANGED),
    ("set_config", Traces::CHANGED),
    ("set_limit", Traces::SESSION),
    ("advisory", Traces::SESSION),
    ("dblink_connect", Traces::EVERYTHING),
    ("replication_origin_session", Traces::EVERYTHING),
    ("_physical_replication_slot", Traces::EVERYTHING),
    ("_logical_replication_slot", Traces::EVERYTHING),
    ("pg_backup_start", Traces::EVERYTHING),
    ("pg_start_backup", Traces::EVERYTHING),
];

/// Whether a statement may change what the texts behind it mean, so that these are prepared only after it.
pub(crate) fn changes_meaning(sql: &str) -> bool {
    !first_word(sql).is_some_and(|first| first.is_one_of(ROWS)) || Traces::of_statement(sql).has(Traces::SCHEMA)
}

/// Whether a text begins by ending the transaction so that it is kept: `COMMIT`, `END` or `PREPARE TRANSACTION`.
pub(crate) fn commits(sql: &str) -> bool {
    let mut tokens = Tokens::new(sql, false).skip_while(|token| token.is(";"));
    let (first, second) = (tokens.next(), tokens.next());
    let second = |word: &str| second.is_some_and(|second| second.is(word));
    first.is_some_and(|first| match () {
        () if first.is("commit") => !second("prepared"),
        () if first.is("prepare") => second("transaction"),
        () => first.is("end"),
    })
}

/// Whether the first statement of a text ends a whole transaction.
fn begins_with_end(sql: &str) -> bool {
    let tokens = Tokens::new(sql, false).skip_while(|token| token.is(";")).take_while(|token| !token.is(";"));
    Traces::of_tokens(&tokens.collect::<Vec<_>>()).has(Traces::ENDED)
}

/// Fails for a text that neither the driver nor the server can take, before anything is noted or sent.
pub(crate) fn check_sendable(sql: &str) -> Result<()> {
    /// What the protocol has room for.
    const MOST: u32 = 65_535;

    if sql.contains('\0') {
        return Err(Error::new(ErrorKind::Encode, "the statement can't be sent: it has a null byte in it"));
    }
    let number = |token: Token<'_>| token.text.get(1..).and_then(|digits| digits.parse::<u64>().ok());
    let mut parameters = Tokens::new(sql, false).filter(|token| token.form == Form::Parameter);
    // Only a long text or a long number can have so many.
    if sql.len() > 6 && sql.contains('$') && parameters.any(|token| number(token).is_none_or(|n| n > MOST.into())) {
        let message = format!("a statement has {MOST} parameters at most");
        return Err(Error::new(ErrorKind::ParameterCount, message));
    }
    Ok(())
}

/// Whether a statement runs a procedure, which may commit by itself.
pub(crate) fn runs_procedure(sql: &str) -> bool {
    first_word(sql).is_some_and(|first| first.is_one_of(&["call", "do"]))
}

/// The first token, but for the parentheses in front of a query, and semicolons, which begin no statement.
#[inline]
pub(crate) fn first_word(sql: &str) -> Option<Token<'_>> {
    Tokens::new(sql, false).find(|token| !token.is("(") && !token.is(";"))
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
    /// A transaction has ended, wholly or in part: what it changed for a while is as it was.
    pub(crate) const ENDS: Self = Self(16);
    /// Names mean something else for as long as the session's state is not undone.
    const RENAMED: Self = Self(32);
    /// A literal of it is read when it is prepared, and tells of that moment.
    pub(crate) const MOMENT: Self = Self(128);
    /// A statement has ended a whole transaction; one that is open behind it is another.
    pub(crate) const ENDED: Self = Self(64);
    /// The session is another, and so is what names mean in it.
    const CHANGED: Self = Self(Self::SESSION.0 | Self::SCHEMA.0);

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

    /// Outside a transaction a change of tables is final; within one it is undone if that is rolled back. What the
    /// session has changed is undone with it.
    pub(crate) fn settled(self) -> Self {
        let noted = if self.has(Self::SESSION) && self.has(Self::SCHEMA) { self.and(Self::RENAMED) } else { self };
        let final_now = if self.has(Self::TRANSACTION) { Self::NONE } else { Self::SCHEMA };
        noted.without(final_now).without(Self::ENDS).without(Self::MOMENT)
    }

    /// What is left when a transaction has ended, or is about to begin.
    pub(crate) fn after_transaction(self) -> Self {
        self.without(Self::TRANSACTION).without(Self::ENDED).settled()
    }

    /// Whether kept statements may mean something else where this is left and `next` is run.
    pub(crate) fn unsettled_by(self, next: Self) -> bool {
        next.has(Self::SCHEMA) || next.has(Self::ENDS) && self.has(Self::SCHEMA)
    }

    /// Whether kept statements may mean something else once this is undone.
    pub(crate) fn is_unsettled_by_undoing(self) -> bool {
        self.has(Self::SCHEMA.and(Self::RENAMED))
    }

    /// What one prepared statement may leave.
    pub(crate) fn of_statement(sql: &str) -> Self {
        let traces = Self::of_batch(sql);
        // What stands behind a semicolon is the body of a function.
        if traces.has(Self::ENDED) && !begins_with_end(sql) { traces.without(Self::ENDED) } else { traces }
    }

    /// What a text of several statements may leave, however the server reads it.
    pub(crate) fn of_batch(sql: &str) -> Self {
        let mut traces = Self::NONE;
        each_statement(sql, |_, tokens| traces = traces.and(Self::of_tokens(tokens)));
        traces
    }

    fn of_tokens(tokens: &[Token<'_>]) -> Self {
        let Some(first) = tokens.iter().find(|token| !token.is("(")) else { return Self::NONE };
        let has = |words: &[&str]| tokens.iter().any(|token| token.is_one_of(words));
        let traces = match () {
            // These leave nothing but a transaction, whatever stands in them.
            () if first.is_one_of(&["begin", "start"]) => return Self::TRANSACTION,
            () if first.is_one_of(&["commit", "end", "rollback", "abort"]) => {
                let in_part = has(&["to", "prepared"]);
                let ends = if in_part { Self::ENDS } else { Self::ENDS.and(Self::ENDED) };
                return if has(&["chain"]) { ends.and(Self::TRANSACTION) } else { ends };
            }
            () if first.is("show") => return Self::NONE,
            () if first.is("prepare") && tokens.get(1).is_some_and(|next| next.is("transaction")) => {
                return Self::ENDS.and(Self::ENDED);
            }
            () if first.is_one_of(ROWS) => Self::NONE,
            () if first.is("explain") && has(&["create", "execute", "declare"]) => Self::CHANGED,
            () if first.is_one_of(PLAIN) => Self::NONE,
            () if first.is_one_of(&["alter", "drop"]) => Self::SCHEMA,
            () if first.is_one_of(&["prepare", "deallocate", "discard", "load"]) => Self::EVERYTHING.and(Self::CHANGED),
            () if first.is_one_of(SESSION_ONLY) => Self::SESSION,
            () if first.is_one_of(&["set", "reset"]) && keeps_meaning(tokens) => Self::SESSION,
            () => Self::CHANGED,
        };
        traces.and(Self::of_each(tokens, Text { is_body: first.is_one_of(&["do", "create"]), depth: 0 }))
    }

    fn of_each(tokens: &[Token<'_>], text: Text) -> Self {
        let each = tokens.iter().enumerate();
        each.fold(Self::NONE, |traces, (index, token)| traces.and(Self::of_token(*token, index, tokens, text)))
    }

    /// What a statement may leave with this token in it.
    fn of_token(token: Token<'_>, index: usize, tokens: &[Token<'_>], text: Text) -> Self {
        let mut traces = if token.closed { Self::NONE } else { Self::CHANGED.and(Self::TRANSACTION) };
        match token.form {
            Form::Word if token.is("into") => {
                if !is_of_rows(tokens.get(..index).unwrap_or_default()) {
                    traces = traces.and(Self::CHANGED);
                }
            }
            // The backslash of what follows is another character.
            Form::Word if token.is("uescape") => traces = traces.and(Self::CHANGED).and(Self::EVERYTHING),
            // An array's type begins with an underscore.
            Form::Word if is_one_of(token.text.trim_start_matches('_'), NAMED_OBJECTS) => {
                traces = traces.and(Self::MOMENT);
            }
            Form::Word if token.is("set_config") && keeps_meaning(tokens.get(index..).unwrap_or_default()) => {
                traces = traces.and(Self::SESSION);
            }
            Form::Word => traces = traces.and(Self::of_mention(token.text)),
            Form::Number | Form::Parameter | Form::Symbol | Form::Bits => {}
            Form::Name | Form::UnicodeName => {
                let name = token.content();
                traces = traces.and(Self::of_inner(&name, text));
                if is_one_of(name.trim_start_matches('_'), NAMED_OBJECTS) {
                    traces = traces.and(Self::MOMENT);
                }
            }
            Form::Literal | Form::Escaped | Form::UnicodeLiteral | Form::Dollar => {
                let content = token.content();
                traces = traces.and(Self::of_inner(&content, text)).and(Self::of_literal(&content, text));
                if first_word(&content).is_some_and(|first| first.is_one_of(RUN_BY_OTHERS)) {
                    traces = traces.and(Self::CHANGED);
                }
                // A range's bounds may be quoted in part.
                let unquoted = content.replace(['"', '\\'], "");
                if unquoted.split(|char: char| !char.is_ascii_alphabetic()).any(|word| is_one_of(word, MOMENTS)) {
                    traces = traces.and(Self::MOMENT);
                }
            }
        }
        traces
    }

    /// What may be left by what a literal has in it if it is run.
    fn of_literal(content: &str, text: Text) -> Self {
        // The words in it are looked at anyway. They can be hidden only by what is written in another way there.
        if !content.contains(['\\', '\''])
            || !text.is_body && !first_word(content).is_some_and(|first| first.is_one_of(ROWS))
        {
            return Self::NONE;
        }
        if text.depth == DEEPEST {
            return Self::EVERYTHING.and(Self::CHANGED);
        }
        let (mut traces, inner) = (Self::NONE, Text { depth: text.depth + 1, ..text });
        each_statement(content, |_, tokens| traces = traces.and(Self::of_each(tokens, inner)));
        traces.without(Self::TRANSACTION).without(Self::MOMENT)
    }

    /// What may be left where the words of a text within a text stand.
    fn of_inner(content: &str, text: Text) -> Self {
        let in_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$') || !char.is_ascii();
        content.split(|char| !in_word(char)).fold(Self::NONE, |traces, word| {
            let closes = text.is_body && is_one_of(word, &["prepare", "deallocate", "discard", "load"]);
            traces.and(if closes { Self::EVERYTHING } else { Self::of_mention(word) })
        })
    }

    /// What may be left where this word stands.
    fn of_mention(word: &str) -> Self {
        if !word.contains('_') {
            return if is_one_of(word, &["setval", "setseed"]) { Self::SESSION } else { Self::NONE };
        }
        let told = TELLING.iter().filter(|(part, _)| has_part(word, part));
        told.fold(Self::NONE, |traces, (_, told)| traces.and(*told))
    }

    /// The statements that undo what was left; `None` where only closing the connection does.
    pub(crate) fn undo_sql(self) -> Option<&'static str> {
        if self.has(Self::EVERYTHING) {
            None
        } else if self.has(Self::SESSION) {
            // Within a transaction of its own, since the settings to be undone may have one wait for others. The random
            // numbers of a session begin anew, since they may have been made to repeat.
            Some(
                "ROLLBACK; BEGIN ISOLATION LEVEL READ COMMITTED; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; \
                 RESET ROLE; CLOSE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
                 SELECT pg_catalog.setseed(('x' || pg_catalog.left(pg_catalog.md5(pg_catalog.concat(\
                 pg_catalog.clock_timestamp(), pg_catalog.pg_backend_pid())), 8))::bit(32)::int4 / 2147483648.0); \
                 COMMIT",
            )
        } else if self.has(Self::TRANSACTION) {
            Some("ROLLBACK")
        } else {
            Some("")
        }
    }
}

/// Whether an `INTO` behind these tokens is that of an `INSERT` or a `MERGE`. The words are also labels of columns, which a
/// `SELECT` has in front of its own `INTO`.
fn is_of_rows(before: &[Token<'_>]) -> bool {
    let Some((_, before)) = before.split_last().filter(|(last, _)| last.is_one_of(&["insert", "merge"])) else {
        return false;
    };
    let mut inner = 0_usize;
    for token in before.iter().rev() {
        match token.text {
            ")" => inner += 1,
            "(" if inner == 0 => return true,
            "(" => inner -= 1,
            _ if inner == 0 && token.is("select") => return false,
            _ => {}
        }
    }
    true
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other))
}

/// Whether a word has this part, in any case.
fn has_part(word: &str, part: &str) -> bool {
    word.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests;
