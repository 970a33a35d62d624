//! A statement's text without the values that are written in it.

/// The longest fingerprint, in characters.
const LONGEST: usize = 200;

/// The text with `?` for each literal, without comments, and with one space where there are more.
pub(crate) fn fingerprint(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' => {
                let length = quoted(rest, '\'', escapes(&out));
                literal(&mut out, length)
            }
            '"' => copied(&mut out, rest, quoted(rest, '"', false)),
            '-' if rest.starts_with("--") => blank(&mut out, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => blank(&mut out, comment(rest)),
            '$' => match dollar_quoted(rest) {
                Some(length) if !in_word(&out) => literal(&mut out, length),
                _ => copied(&mut out, rest, 1 + digits(rest.get(1..).unwrap_or_default())),
            },
            '0'..='9' if !in_word(&out) => literal(&mut out, number(rest)),
            _ if first.is_whitespace() => blank(&mut out, first.len_utf8()),
            _ => copied(&mut out, rest, first.len_utf8()),
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.truncate(out.trim_end().len());
    if let Some((at, _)) = out.char_indices().nth(LONGEST) {
        out.truncate(at);
        out.push('…');
    }
    out
}

fn blank(out: &mut String, length: usize) -> usize {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
    length
}

fn copied(out: &mut String, rest: &str, length: usize) -> usize {
    out.push_str(rest.get(..length).unwrap_or(rest));
    length
}

/// Takes a literal's prefix with it, such as that of `E'…'`.
fn literal(out: &mut String, length: usize) -> usize {
    out.push('?');
    length
}

/// Whether what comes next belongs to a name or a number that has begun.
fn in_word(out: &str) -> bool {
    out.ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

/// Whether a backslash escapes in the literal that begins: `E'…'`.
fn escapes(out: &str) -> bool {
    let before = |name: &str| !name.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    out.strip_suffix(['e', 'E']).is_some_and(before)
}

/// The length of what is in quotes, which are doubled inside. Without an end it goes on to the end of the text.
fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if escapes && char == '\\' {
            chars.next();
        } else if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

/// The length of a comment, which may have others in it.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(next) = rest.get(at..).filter(|next| !next.is_empty()) {
        if next.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if next.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += next.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of `$tag$…$tag$`, if that is what begins here.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let name = rest.get(1..)?.find('$')?;
    let tag = rest.get(..name + 2)?;
    let inside = tag.trim_matches('$');
    let named = !inside.starts_with(|first: char| first.is_ascii_digit());
    if !named || !inside.chars().all(|char| char.is_alphanumeric() || char == '_') {
        return None;
    }
    let body = rest.get(tag.len()..)?;
    Some(body.find(tag).map_or(rest.len(), |end| tag.len() + end + tag.len()))
}

fn digits(rest: &str) -> usize {
    rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())
}

/// The length of a number: `12`, `1.5`, `1e-3`, `0xff`, `1_000`.
fn number(rest: &str) -> usize {
    let mut last = '0';
    let end = rest.find(|char: char| {
        let goes_on = char.is_ascii_alphanumeric()
            || matches!(char, '.' | '_')
            || (matches!(char, '+' | '-') && matches!(last, 'e' | 'E'));
        last = char;
        !goes_on
    });
    end.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out() {
        for (sql, expected) in [
            ("SELECT  *\n FROM t\tWHERE id = $1 ", "SELECT * FROM t WHERE id = $1"),
            ("SELECT 'it''s' || name, 12, 1.5e-3 FROM t2", "SELECT ? || name, ?, ? FROM t2"),
            (r"SELECT E'a\'b', 'c\' FROM t", "SELECT E?, ? FROM t"),
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
