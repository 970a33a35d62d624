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
const SESSION_ONLY: &[&str] = &["listen", "unlisten", "declare", "fetch", "move", "close", "call"];

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

/// Whether it hinges on the setting `standard_conforming_strings` if a text ends a whole transaction.
pub(crate) fn hinges_on_backslashes(sql: &str) -> bool {
    sql.contains('\\') && {
        let (_, [plain, escaping]) = Traces::read(sql);
        plain != escaping
    }
}

/// Whether a statement begins a function's body `BEGIN ATOMIC … END`, the statements of which are apart here.
fn opens_body(tokens: &[Token<'_>]) -> bool {
    let creates = tokens.first().is_some_and(|first| first.is("create"));
    if !creates || !tokens.iter().take(4).any(|token| token.is_one_of(&["function", "procedure"])) {
        return false;
    }
    let mut depth = 0_usize;
    tokens.windows(2).any(|pair| {
        match pair[0].text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && pair[0].is("begin") && pair[1].is("atomic")
    })
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

/// The first token, but for the parentheses in front of a query.
#[inline]
pub(crate) fn first_word(sql: &str) -> Option<Token<'_>> {
    Tokens::new(sql, false).find(|token| !token.is("("))
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
        Self::of_batch(sql)
    }

    /// What a text of several statements may leave. A commit is refused for an end of the transaction, and so it is told
    /// only if it is there however the text is read.
    pub(crate) fn of_batch(sql: &str) -> Self {
        let (traces, [plain, escaping]) = Self::read(sql);
        if plain && (escaping || !sql.contains('\\')) { traces.and(Self::ENDED) } else { traces }
    }

    /// The same, where it is known whether a backslash escapes in every literal.
    pub(crate) fn of_batch_where(sql: &str, escaping: bool) -> Self {
        let (traces, ended) = Self::read(sql);
        if ended[usize::from(escaping)] { traces.and(Self::ENDED) } else { traces }
    }

    /// What a text may leave, and whether it ends a whole transaction as a text without and with escaping backslashes.
    fn read(sql: &str) -> (Self, [bool; 2]) {
        let (mut traces, mut in_body, mut ended) = (Self::NONE, [false; 2], [false; 2]);
        each_statement(sql, |escaping, tokens| {
            let at = usize::from(escaping);
            let told = Self::of_tokens(tokens);
            // The body of a function has an `END` of its own.
            let ends_body = in_body[at] && tokens.first().is_some_and(|first| first.is("end"));
            in_body[at] = opens_body(tokens) || in_body[at] && !ends_body;
            ended[at] |= told.has(Self::ENDED) && !ends_body;
            traces = traces.and(told.without(Self::ENDED));
        });
        (traces, ended)
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
        let is_body = first.is_one_of(&["do", "create"]);
        let each = tokens.iter().enumerate();
        each.fold(traces, |traces, (index, token)| traces.and(Self::of_token(*token, index, tokens, is_body)))
    }

    /// What a statement may leave with this token in it.
    fn of_token(token: Token<'_>, index: usize, tokens: &[Token<'_>], is_body: bool) -> Self {
        let mut traces = if token.closed { Self::NONE } else { Self::CHANGED.and(Self::TRANSACTION) };
        match token.form {
            Form::Word if token.is("into") => {
                let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                let of_rows = before.is_some_and(|before| before.is_one_of(&["insert", "merge"]));
                if !of_rows {
                    traces = traces.and(Self::CHANGED);
                }
            }
            // The backslash of what follows is another character.
            Form::Word if token.is("uescape") => traces = traces.and(Self::CHANGED).and(Self::EVERYTHING),
            Form::Word if token.is_one_of(NAMED_OBJECTS) => traces = traces.and(Self::MOMENT),
            Form::Word if token.is("set_config") && keeps_meaning(tokens.get(index..).unwrap_or_default()) => {
                traces = traces.and(Self::SESSION);
            }
            Form::Word => traces = traces.and(Self::of_mention(token.text)),
            Form::Number | Form::Parameter | Form::Symbol | Form::Bits => {}
            Form::Name | Form::UnicodeName => traces = traces.and(Self::of_inner(&token.content(), is_body)),
            Form::Literal | Form::Escaped | Form::UnicodeLiteral | Form::Dollar => {
                let content = token.content();
                traces = traces.and(Self::of_inner(&content, is_body));
                if first_word(&content).is_some_and(|first| first.is_one_of(RUN_BY_OTHERS)) {
                    traces = traces.and(Self::CHANGED);
                }
                if content.split(|char: char| !char.is_ascii_alphabetic()).any(|word| is_one_of(word, MOMENTS)) {
                    traces = traces.and(Self::MOMENT);
                }
            }
        }
        traces
    }

    /// What may be left by a text within a text.
    fn of_inner(content: &str, is_body: bool) -> Self {
        let in_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$') || !char.is_ascii();
        content.split(|char| !in_word(char)).fold(Self::NONE, |traces, word| {
            let closes = is_body && is_one_of(word, &["prepare", "deallocate", "discard", "load"]);
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
            // The random numbers of a session begin anew, since they may have been made to repeat.
            Some(
                "ROLLBACK; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; RESET ROLE; CLOSE ALL; UNLISTEN *; \
                 SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
                 SELECT pg_catalog.setseed(('x' || pg_catalog.left(pg_catalog.md5(pg_catalog.concat(\
                 pg_catalog.clock_timestamp(), pg_catalog.pg_backend_pid())), 8))::bit(32)::int4 / 2147483648.0)",
            )
        } else if self.has(Self::TRANSACTION) {
            Some("ROLLBACK")
        } else {
            Some("")
        }
    }
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
