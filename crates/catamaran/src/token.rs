//! One token of SQL.

#[cfg(feature = "driver")]
use std::borrow::Cow;

#[cfg(feature = "driver")]
use crate::lexer::continued;

/// How a token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A keyword, or a name without quotes.
    Word,
    /// `"…"`
    Name,
    /// `U&"…"`
    UnicodeName,
    /// `'…'`
    Literal,
    /// `E'…'`
    Escaped,
    /// `U&'…'`
    UnicodeLiteral,
    /// `B'…'` and `X'…'`
    Bits,
    /// `$tag$…$tag$`
    Dollar,
    Number,
    /// `$1`
    Parameter,
    /// One character, or a comment without an end.
    Symbol,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) form: Form,
    pub(crate) text: &'a str,
    /// Where it begins in the whole text.
    pub(crate) at: usize,
    /// Whether it has its end.
    pub(crate) closed: bool,
}

impl<'a> Token<'a> {
    /// Whether it is this word, in any case, or this symbol.
    #[cfg(feature = "driver")]
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self.form, Form::Word | Form::Symbol) && self.text.eq_ignore_ascii_case(word)
    }

    #[cfg(feature = "driver")]
    pub(crate) fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Whether it is a value: a literal or a number.
    pub(crate) fn is_value(&self) -> bool {
        self.form == Form::Number || self.is_literal()
    }

    pub(crate) fn is_literal(&self) -> bool {
        matches!(self.form, Form::Literal | Form::Escaped | Form::UnicodeLiteral | Form::Bits | Form::Dollar)
    }

    /// What it means to the server: the value of a literal, the name in quotes.
    #[cfg(feature = "driver")]
    pub(crate) fn content(&self) -> Cow<'a, str> {
        let inside = match self.form {
            Form::Dollar => {
                let tag = self.text.get(1..).and_then(|rest| rest.find('$')).map_or(0, |end| end + 2);
                let body = self.text.get(tag..).unwrap_or_default();
                return Cow::Borrowed(if self.closed { less(body, tag) } else { body });
            }
            Form::Name | Form::UnicodeName => self.inside('"'),
            Form::Literal | Form::Escaped | Form::UnicodeLiteral | Form::Bits => self.inside('\''),
            Form::Word | Form::Number | Form::Parameter | Form::Symbol => return Cow::Borrowed(self.text),
        };
        if inside.contains(['\'', '"', '\\']) { Cow::Owned(self.decoded(inside)) } else { Cow::Borrowed(inside) }
    }

    #[cfg(feature = "driver")]
    fn inside(&self, quote: char) -> &'a str {
        let body = self.text.find(quote).and_then(|at| self.text.get(at + 1..)).unwrap_or_default();
        if self.closed { less(body, 1) } else { body }
    }

    #[cfg(feature = "driver")]
    fn decoded(&self, inside: &str) -> String {
        let quote = if matches!(self.form, Form::Name | Form::UnicodeName) { '"' } else { '\'' };
        let mut out = String::with_capacity(inside.len());
        let mut rest = inside;
        while let Some(at) = rest.find([quote, '\\']) {
            let (before, behind) = rest.split_at(at);
            out.push_str(before);
            let after = behind.get(1..).unwrap_or_default();
            rest = if behind.starts_with('\\') {
                let (char, length) = match self.form {
                    Form::Escaped => escape(after),
                    Form::UnicodeLiteral | Form::UnicodeName => unicode_escape(after),
                    _ => (Some('\\'), 0),
                };
                out.extend(char);
                after.get(length..).unwrap_or_default()
            } else if let Some(after) = after.strip_prefix(quote) {
                out.push(quote);
                after
            } else {
                let next = continued(after.as_bytes(), 0).map(|quote| quote + 1);
                next.and_then(|next| after.get(next..)).unwrap_or_default()
            };
        }
        out.push_str(rest);
        out
    }
}

#[cfg(feature = "driver")]
fn less(text: &str, end: usize) -> &str {
    text.len().checked_sub(end).and_then(|end| text.get(..end)).unwrap_or_default()
}

/// What is written behind the backslash of an `E'…'`, and its length.
#[cfg(feature = "driver")]
fn escape(after: &str) -> (Option<char>, usize) {
    let Some(first) = after.chars().next() else { return (None, 0) };
    match first {
        'b' => (Some('\u{8}'), 1),
        'f' => (Some('\u{c}'), 1),
        'n' => (Some('\n'), 1),
        'r' => (Some('\r'), 1),
        't' => (Some('\t'), 1),
        '0'..='7' => code(after, 0, 3, 8),
        'x' => code(after, 1, 2, 16),
        'u' => code(after, 1, 4, 16),
        'U' => code(after, 1, 8, 16),
        other => (Some(other), other.len_utf8()),
    }
}

#[cfg(feature = "driver")]
fn unicode_escape(after: &str) -> (Option<char>, usize) {
    match after.as_bytes().first() {
        Some(b'\\') => (Some('\\'), 1),
        Some(b'+') => code(after, 1, 6, 16),
        _ => code(after, 0, 4, 16),
    }
}

/// The character of a number with `most` digits at `from`.
#[cfg(feature = "driver")]
fn code(after: &str, from: usize, most: usize, radix: u32) -> (Option<char>, usize) {
    let digits = after.get(from..).unwrap_or_default();
    let length = digits.chars().take(most).take_while(|char| char.is_digit(radix)).count();
    let number = digits.get(..length).and_then(|digits| u32::from_str_radix(digits, radix).ok());
    (number.and_then(char::from_u32), from + length)
}

#[cfg(test)]
#[cfg(feature = "driver")]
mod tests {
    use crate::lexer::Tokens;

    #[test]
    fn contents_are_what_the_server_makes_of_them() {
        for (sql, expected) in [
            ("name", "name"),
            ("'it''s \\x'", "it's \\x"),
            ("\"a\"\"b'\"", "a\"b'"),
            ("'set_' -- it's\n 'config'", "set_config"),
            (r"E'set\x5fcon\146ig\'\_\n\u0061\U00000062'", "set_config'_\nab"),
            (r"U&'set\005fconfig\\\+00005f'''", "set_config\\_'"),
            ("U&\"set\\005fconfig\"", "set_config"),
            ("$a$it's$$ \\x$a$", "it's$$ \\x"),
            ("$$$$", ""),
            ("X'ff'", "ff"),
            ("N'x'", "x"),
            ("'open", "open"),
            ("$a$open", "open"),
            ("E'\\", ""),
        ] {
            assert_eq!(Tokens::new(sql, false).next().unwrap().content(), expected, "{sql}");
        }
        assert_eq!(Tokens::new(r"'set\x5fconfig'", true).next().unwrap().content(), "set_config");
    }
}
