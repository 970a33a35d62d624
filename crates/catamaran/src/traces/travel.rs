//! How a statement's data travels, by the grammar of COPY.

use crate::{
    Error, ErrorKind, Result,
    lexer::each_statement,
    token::{Form, Token},
};

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
        copies(sql).unwrap_or(Self::Rows)
    }

    /// Fails for a text of several statements if one is a COPY with STDIN or STDOUT: the driver can't go on after it.
    pub(crate) fn refuse_copies(sql: &str) -> Result<()> {
        let message = match copies(sql) {
            None | Some(Self::Rows) => return Ok(()),
            Some(Self::CopyIn) => "COPY … FROM STDIN is run by copy_in, and on its own",
            Some(Self::CopyOut) => "COPY … TO STDOUT is run by copy_out, and on its own",
        };
        Err(Error::new(ErrorKind::WrongStatement, message))
    }
}

/// The first COPY of a text whose data travels.
fn copies(sql: &str) -> Option<Travel> {
    let mut found = None;
    // Where a backslash escapes is rare: nothing is refused for what only that makes of a text.
    each_statement(sql, |escaping, tokens| found = found.or_else(|| copy(tokens).filter(|_| !escaping)));
    found
}

/// The direction is in `FROM` and `TO`; of STDIN and STDOUT the server takes either for both.
fn copy(tokens: &[Token<'_>]) -> Option<Travel> {
    let (first, rest) = tokens.split_first()?;
    if !first.is("copy") {
        return None;
    }
    let mut depth = 0_usize;
    let mut before = first;
    for (index, token) in rest.iter().enumerate() {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.form == Form::Word && !before.is(".") && token.is_one_of(&["from", "to"]) {
            let travels = rest.get(index + 1).is_some_and(|end| end.is_one_of(&["stdin", "stdout"]));
            let travel = if token.is("from") { Travel::CopyIn } else { Travel::CopyOut };
            return travels.then_some(travel);
        }
        before = token;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_known_by_their_grammar() {
        for (sql, travel) in [
            ("copy t (a, b) from stdin (format binary)", Travel::CopyIn),
            ("copy binary t from stdin", Travel::CopyIn),
            ("COPY t FROM STDIN WITH (NULL 'stdout')", Travel::CopyIn),
            ("COPY t FROM STDIN DELIMITERS ',' WITH NULL AS 'stdout'", Travel::CopyIn),
            ("COPY t FROM STDOUT", Travel::CopyIn),
            ("COPY public.from FROM STDIN", Travel::CopyIn),
            ("COPY t(\"to\") FROM STDIN;", Travel::CopyIn),
            ("/* why */ COPY (SELECT stdin FROM t) TO STDOUT", Travel::CopyOut),
            ("COPY (SELECT '--') TO STDOUT", Travel::CopyOut),
            ("COPY (SELECT E'\\')') TO STDOUT", Travel::CopyOut),
            ("COPY \"from\" (a) TO STDOUT", Travel::CopyOut),
            ("COPY t TO STDIN CSV HEADER", Travel::CopyOut),
            ("COPY t FROM '/file'", Travel::Rows),
            ("COPY t FROM PROGRAM 'stdin'", Travel::Rows),
            ("COPY (SELECT 1 FROM stdin) TO PROGRAM 'cat'", Travel::Rows),
            ("COPY t TO 'stdout'", Travel::Rows),
            ("INSERT INTO t VALUES ('copy from stdin')", Travel::Rows),
            ("SELECT copy FROM stdin", Travel::Rows),
            ("", Travel::Rows),
        ] {
            assert_eq!(Travel::of(sql), travel, "{sql}");
        }
    }

    #[test]
    fn batches_with_copies_are_refused() {
        for sql in ["COPY t FROM STDIN", "SELECT ';'; copy t to stdout", r"SELECT 'a\'; COPY t TO STDOUT --'"] {
            assert_eq!(Travel::refuse_copies(sql).unwrap_err().kind(), ErrorKind::WrongStatement, "{sql}");
        }
        for sql in ["SELECT 1; SELECT '; COPY t TO STDOUT'", "COPY t TO '/file'; -- COPY t TO STDOUT", ""] {
            Travel::refuse_copies(sql).unwrap();
        }
    }
}
