//! A statement's text without the values that are written in it.

use crate::{
    lexer::Tokens,
    token::{Form, Token},
};

/// The longest fingerprint, in characters.
const LONGEST: usize = 200;

/// The text with `?` for each literal, without comments, and with one space where there are more.
///
/// It ends where the text does not tell on its own which part of it is a value.
pub(crate) fn fingerprint(sql: &str) -> String {
    let mut out = String::new();
    let (mut end, mut behind_value) = (0, false);
    for token in Tokens::new(sql, false) {
        let adjoins = token.at == end;
        end = token.at + token.text.len();
        // What follows a number at once belongs to it for some versions of the server.
        if behind_value && adjoins && token.form == Form::Word {
            continue;
        }
        if !adjoins && !out.is_empty() {
            out.push(' ');
        }
        behind_value = token.is_value();
        if behind_value {
            out.push('?');
        } else if token.closed {
            out.push_str(token.text);
        }
        if !token.closed || is_ambiguous(&token) {
            break;
        }
        if out.len() > 4 * LONGEST {
            break;
        }
    }
    out.truncate(out.trim_end().len());
    if let Some((at, _)) = out.char_indices().nth(LONGEST) {
        out.truncate(at);
        out.push('…');
    }
    out
}

/// Whether a literal ends elsewhere with `standard_conforming_strings = off`, where its backslashes escape.
fn is_ambiguous(token: &Token<'_>) -> bool {
    token.form == Form::Literal && token.text.contains("\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out() {
        for (sql, expected) in [
            ("SELECT  *\n FROM t\tWHERE id = $1 ", "SELECT * FROM t WHERE id = $1"),
            ("SELECT 'it''s' || name, 12, 1.5e-3 FROM t2", "SELECT ? || name, ?, ? FROM t2"),
            (r"SELECT E'a\'b', n'c', B'01', X'ff' FROM t", "SELECT ?, ?, ?, ? FROM t"),
            ("SELECT 'a' -- it's\n 'b' FROM t", "SELECT ? FROM t"),
            ("SELECT E'a'\n'\\' s' FROM t", "SELECT ? FROM t"),
            ("SELECT U&'\\0041''b' UESCAPE '!', U&\"c\" FROM t", "SELECT ? UESCAPE ?, U&\"c\" FROM t"),
            (r"SELECT 'it\'s secret' FROM t", "SELECT ?"),
            (r"SELECT 'C:\dir' FROM t", "SELECT ? FROM t"),
            ("SELECT \"never closed", "SELECT"),
            ("SELECT $1$$secret$$, a$$b", "SELECT $1?, a$$b"),
            ("SELECT 1 -- secret\r, x", "SELECT ? , x"),
            ("SELECT 0xFFsecret, 1e5x", "SELECT ?, ?"),
            ("SELECT \"a 1 'x'\" FROM t", "SELECT \"a 1 'x'\" FROM t"),
            ("SELECT $$it's$$, $body$ $$ 'x' $body$, $2", "SELECT ?, ?, $2"),
            ("-- secret\nSELECT /* a /* b */ 's' */ 1", "SELECT ?"),
            ("SELECT 'never closed", "SELECT ?"),
            ("SELECT /* never closed 'x'", "SELECT"),
            ("SELECT $tag$ never closed", "SELECT ?"),
            ("UPDATE t SET a1 = 0xFF, b=-7 WHERE x IN (1,2)", "UPDATE t SET a1 = ?, b=-? WHERE x IN (?,?)"),
            ("SELECT a$1b$c", "SELECT a$1b$c"),
            ("", ""),
        ] {
            assert_eq!(fingerprint(sql), expected, "{sql}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let cut = fingerprint(&format!("SELECT {}", "ä, ".repeat(1000)));
        assert_eq!(cut.chars().count(), LONGEST + 1);
        assert!(cut.ends_with('…'));
    }
}
