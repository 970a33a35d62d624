//! The tokens of SQL, as PostgreSQL's own lexer (`scan.l`) reads them.

use crate::token::{Form, Token};

/// Reads a text token by token, past blanks and comments.
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    escaping: bool,
}

/// Hands over the tokens of each statement, with as many readings of the text as it may have on the server, and whether a
/// backslash escapes everywhere in that reading.
///
/// Every semicolon ends a statement here, also within parentheses or `BEGIN ATOMIC … END`: to tell these apart takes the
/// server's grammar, and whoever asks what a text may do loses nothing by a part that is judged twice.
#[cfg(feature = "driver")]
pub(crate) fn each_statement<'a>(sql: &'a str, mut each: impl FnMut(bool, &[Token<'a>])) {
    // With `standard_conforming_strings = off` a backslash escapes everywhere, which the text does not tell.
    for escaping in [false, true].into_iter().take(if sql.contains('\\') { 2 } else { 1 }) {
        let mut statement = Vec::new();
        for token in Tokens::new(sql, escaping) {
            if !token.is(";") {
                statement.push(token);
            } else if !statement.is_empty() {
                each(escaping, &statement);
                statement.clear();
            }
        }
        if !statement.is_empty() {
            each(escaping, &statement);
        }
    }
}

impl<'a> Tokens<'a> {
    /// Whether a backslash escapes in a literal without a prefix depends on `standard_conforming_strings`.
    pub(crate) fn new(sql: &'a str, escaping: bool) -> Self {
        Self { sql, at: 0, escaping }
    }

    /// Goes on to where a token begins. `false` if a comment never ends.
    fn skip_blanks(&mut self) -> bool {
        let bytes = self.sql.as_bytes();
        loop {
            match (bytes.get(self.at), bytes.get(self.at + 1)) {
                (Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C), _) => self.at += 1,
                (Some(b'-'), Some(b'-')) => self.at = end_of_line(bytes, self.at),
                (Some(b'/'), Some(b'*')) => match end_of_comment(bytes, self.at) {
                    Some(end) => self.at = end,
                    None => return false,
                },
                _ => return true,
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.sql.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn token(&mut self, form: Form, end: Option<usize>) -> Token<'a> {
        let (at, end) = (self.at, end.unwrap_or(self.sql.len()));
        self.at = end;
        Token { form, text: self.sql.get(at..end).unwrap_or_default(), at, closed: true }
    }

    /// A token that goes on to the end of the text if it has no end of its own.
    fn closed(&mut self, form: Form, end: Option<usize>) -> Token<'a> {
        Token { closed: end.is_some(), ..self.token(form, end) }
    }

    fn literal(&mut self, form: Form, prefix: usize) -> Token<'a> {
        let end = end_of_literal(self.sql.as_bytes(), self.at + prefix, form);
        self.closed(form, end)
    }

    fn name(&mut self, form: Form, prefix: usize) -> Token<'a> {
        let end = end_of_name(self.sql.as_bytes(), self.at + prefix);
        self.closed(form, end)
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`, or a `$` that is nothing of these.
    fn dollar(&mut self) -> Token<'a> {
        let after = self.rest().get(1..).unwrap_or_default();
        let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 {
            return self.token(Form::Parameter, Some(self.at + 1 + digits));
        }
        let named = after.iter().take_while(|byte| goes_on(**byte) && **byte != b'$').count();
        if after.get(named) != Some(&b'$') {
            return self.token(Form::Symbol, Some(self.at + 1));
        }
        let begin = self.at + named + 2;
        let tag = self.sql.get(self.at..begin).unwrap_or_default();
        let end = self.sql.get(begin..).and_then(|body| body.find(tag)).map(|end| begin + end + tag.len());
        self.closed(Form::Dollar, end)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if !self.skip_blanks() {
            return Some(self.closed(Form::Symbol, None));
        }
        let plain = if self.escaping { Form::Escaped } else { Form::Literal };
        Some(match *self.rest() {
            [] => return None,
            [b'\'', ..] => self.literal(plain, 0),
            [b'n' | b'N', b'\'', ..] => self.literal(plain, 1),
            [b'e' | b'E', b'\'', ..] => self.literal(Form::Escaped, 1),
            [b'b' | b'B' | b'x' | b'X', b'\'', ..] => self.literal(Form::Bits, 1),
            [b'u' | b'U', b'&', b'\'', ..] => self.literal(Form::UnicodeLiteral, 2),
            [b'u' | b'U', b'&', b'"', ..] => self.name(Form::UnicodeName, 2),
            [b'"', ..] => self.name(Form::Name, 0),
            [b'$', ..] => self.dollar(),
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => {
                let end = self.at + number(self.rest());
                self.token(Form::Number, Some(end))
            }
            [first, ..] if goes_on(first) => {
                let end = self.at + self.rest().iter().take_while(|byte| goes_on(**byte)).count();
                self.token(Form::Word, Some(end))
            }
            // Of the server's operators, which end where a comment begins, one character at a time.
            _ => self.token(Form::Symbol, Some(self.at + 1)),
        })
    }
}

/// Whether a word goes on with this byte, which may be a part of a letter that is not ASCII.
fn goes_on(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
}

/// Where a comment ends, which may have others in it.
fn end_of_comment(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) if depth == 1 => return Some(at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
}

fn end_of_name(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Where a literal ends whose first quote stands at `open`.
fn end_of_literal(bytes: &[u8], open: usize, form: Form) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\\', Some(_)) if form == Form::Escaped => at += 2,
            (b'\'', Some(b'\'')) if form != Form::Bits => at += 2,
            (b'\'', _) => match continued(bytes, at + 1) {
                Some(quote) => at = quote + 1,
                None => return Some(at + 1),
            },
            _ => at += 1,
        }
    }
}

/// The quote with which a literal goes on, on another line, behind the one that seemed to end it.
pub(crate) fn continued(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut on_another_line = false;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\n' | b'\r', _) => (on_another_line, at) = (true, at + 1),
            (b' ' | b'\t' | 0x0B | 0x0C, _) => at += 1,
            (b'-', Some(b'-')) => at = end_of_line(bytes, at),
            (b'\'', _) if on_another_line => return Some(at),
            _ => return None,
        }
    }
}

/// The length of a number: `12`, `1.5`, `1e-3`, `0xff`, `1_000`. A word may follow at once.
fn number(bytes: &[u8]) -> usize {
    let run = |from: usize, radix: u32| {
        let digit = |byte: &&u8| char::from(**byte).is_digit(radix) || **byte == b'_';
        from + bytes.get(from..).unwrap_or_default().iter().take_while(digit).count()
    };
    if let [b'0', prefix, digit, ..] = *bytes {
        let radix = match prefix {
            b'x' | b'X' => 16,
            b'o' | b'O' => 8,
            b'b' | b'B' => 2,
            _ => 0,
        };
        if radix > 0 && char::from(digit).is_digit(radix) {
            return run(2, radix);
        }
    }
    let mut end = run(0, 10);
    if bytes.get(end) == Some(&b'.') {
        end = run(end + 1, 10);
    }
    match bytes.get(end..) {
        Some([b'e' | b'E', b'0'..=b'9', ..]) => run(end + 1, 10),
        Some([b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..]) => run(end + 2, 10),
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens, with a bar between each two.
    fn read(sql: &str, escaping: bool) -> String {
        Tokens::new(sql, escaping).map(|token| token.text).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn tokens_are_those_of_the_server() {
        for (sql, expected) in [
            ("SELECT 'it''s', 1", "SELECT|'it''s'|,|1"),
            ("'image/*'; SET x", "'image/*'|;|SET|x"),
            (r"E'a\'b' 'c\' d", r"E'a\'b'|'c\'|d"),
            ("'a'\n'b' 'c'", "'a'\n'b'|'c'"),
            ("'a' -- it's\r 'b';", "'a' -- it's\r 'b'|;"),
            ("'a' /*\n*/ 'b'", "'a'|'b'"),
            ("E'a'\n'\\'b' c", "E'a'\n'\\'b'|c"),
            ("'a'\nE'b'", "'a'|E'b'"),
            (r"U&'\0041''' U&x u&1", r"U&'\0041'''|U|&|x|u|&|1"),
            ("U&\"a\"\"b\" \"c\"\"'\"", "U&\"a\"\"b\"|\"c\"\"'\""),
            ("B'01''x' X'ff' n'x'", "B'01'|'x'|X'ff'|n'x'"),
            ("nameE'x' eE'y'", "nameE|'x'|eE|'y'"),
            ("$$it's$$ $a$ $$ $b$ $a$ $1$2", "$$it's$$|$a$ $$ $b$ $a$|$1|$2"),
            ("a$1$b$ $é$x$é$ $1a$x$ $", "a$1$b$|$é$x$é$|$1|a$x$|$"),
            ("1$a$x$a$", "1|$a$x$a$"),
            ("/*/ /* x */ ' */ a */**/b", "a|*|b"),
            ("a--x\rb--y\nc--", "a|b|c"),
            ("1-/*x*/-2*/**/3+--x", "1|-|-|2|*|3|+"),
            ("ärger_1 \u{a0}x", "ärger_1|\u{a0}x"),
            ("1e5 1e-3x .5 1else 0xFFg 1..2 1_000", "1e5|1e-3|x|.5|1|else|0xFF|g|1.|.2|1_000"),
        ] {
            assert_eq!(read(sql, false), expected, "{sql}");
        }
        assert_eq!(read(r"'a\' ; SET ' N'\'' B'\'", true), r"'a\' ; SET '|N'\''|B'\'");
    }

    #[test]
    fn what_has_no_end_is_said_to_have_none() {
        for sql in ["'a", "'a''", "E'a\\'", "E'\\", "\"a", "U&\"a", "$$a$", "$a$ $b$", "/* a /* */", "'a'\n'b"] {
            assert!(Tokens::new(sql, false).last().is_some_and(|token| !token.closed), "{sql}");
        }
        assert!(Tokens::new("'a'\n--", false).all(|token| token.closed));
    }

    #[cfg(feature = "driver")]
    #[test]
    fn statements_end_at_semicolons() {
        let count = |sql: &str| {
            let mut count = 0;
            each_statement(sql, |_, _| count += 1);
            count
        };
        for (sql, expected) in [
            ("", 0),
            (" ; -- ;\n;", 0),
            ("SELECT 1", 1),
            ("SELECT ';', \";\", $$;$$; /* ; */ SELECT 2;", 2),
            (r"SELECT 'a\'; SELECT 2 --'", 3),
        ] {
            assert_eq!(count(sql), expected, "{sql}");
        }
    }
}
