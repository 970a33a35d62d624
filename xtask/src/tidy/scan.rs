//! Rust as far as rules need it: code told from comments, literals and tests. Lines stay where they are.

/// Blanks comments and what stands in literals.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_comment(&chars, at).or_else(|| end_of_literal(&chars, at));
        match end {
            Some(end) => {
                out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

fn starts(chars: &[char], at: usize, text: &str) -> bool {
    text.chars().enumerate().all(|(offset, c)| chars.get(at + offset) == Some(&c))
}

/// Behind the first of these texts from a place on, or the end.
fn behind(chars: &[char], from: usize, text: &str) -> usize {
    (from..chars.len()).find(|at| starts(chars, *at, text)).map_or(chars.len(), |at| at + text.chars().count())
}

fn end_of_comment(chars: &[char], at: usize) -> Option<usize> {
    if starts(chars, at, "//") {
        return Some((at..chars.len()).find(|at| chars[*at] == '\n').unwrap_or(chars.len()));
    }
    if !starts(chars, at, "/*") {
        return None;
    }
    let (mut depth, mut at) = (1, at + 2);
    while depth > 0 && at < chars.len() {
        match (starts(chars, at, "/*"), starts(chars, at, "*/")) {
            (true, _) => (depth, at) = (depth + 1, at + 2),
            (_, true) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(at)
}

fn end_of_literal(chars: &[char], at: usize) -> Option<usize> {
    match chars[at] {
        '"' => Some(end_of_string(chars, at + 1, '"')),
        // A lifetime has no second quote where a character has one.
        '\'' if chars.get(at + 1) == Some(&'\\') => Some(end_of_string(chars, at + 1, '\'')),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        'r' if at == 0 || !is_word(chars[at - 1]) || is_prefix(chars, at - 1) => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            (chars.get(at + 1 + hashes) == Some(&'"')).then(|| behind(chars, at + 2 + hashes, &end))
        }
        _ => None,
    }
}

/// Whether this is the `b` of `br"…"` or the `c` of `cr"…"`.
fn is_prefix(chars: &[char], at: usize) -> bool {
    matches!(chars[at], 'b' | 'c') && (at == 0 || !is_word(chars[at - 1]))
}

fn end_of_string(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// Blanks what stands behind `#[cfg(test)]`, in code without comments and literals.
pub(crate) fn without_tests(code: &str) -> String {
    let chars: Vec<char> = code.chars().collect();
    let mut out = chars.clone();
    let mut at = 0;
    while at < chars.len() {
        if !starts(&chars, at, "#[cfg(test)]") {
            at += 1;
            continue;
        }
        let end = end_of_item(&chars, at);
        for c in &mut out[at..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
        at = end;
    }
    out.into_iter().collect()
}

/// Behind the `;` or the closing brace of the item that begins here.
fn end_of_item(chars: &[char], from: usize) -> usize {
    let mut depth = 0u32;
    for (offset, c) in chars[from..].iter().enumerate() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return from + offset + 1;
        }
    }
    chars.len()
}

/// The lines, from 1, on which a text stands as whole words.
pub(crate) fn lines_with(code: &str, text: &str) -> Vec<usize> {
    code.lines().enumerate().filter(|(_, line)| has_words(line, text)).map(|(index, _)| index + 1).collect()
}

fn has_words(line: &str, text: &str) -> bool {
    let joins =
        |outside: Option<char>, inside: Option<char>| outside.is_some_and(is_word) && inside.is_some_and(is_word);
    line.match_indices(text).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + text.len()..]);
        !joins(before.chars().next_back(), text.chars().next())
            && !joins(after.chars().next(), text.chars().next_back())
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        for (text, kept) in [
            ("a // b\nc", "a\nc"),
            ("a /* b /* c */ d\n */ e", "a\n e"),
            (r#"a("b \" c", d)"#, "a(, d)"),
            (r##"a(r#"b " c"#, br"d", e)"##, "a(, b, e)"),
            ("f::<'a>('b', '\\'', '\"', 'c')", "f::<'a>(, , , )"),
            ("for r in x { r }", "for r in x { r }"),
        ] {
            let code = code(text);
            assert_eq!(code.chars().count(), text.chars().count(), "{text}");
            let squeezed: Vec<_> = code.lines().map(str::trim_end).collect();
            let squeezed = squeezed.join("\n").replace("  ", "");
            assert_eq!(squeezed.replace(' ', ""), kept.replace(' ', ""), "{text}");
        }
    }

    #[test]
    fn tests_are_blanked() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c(); }\n}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let product = without_tests(code);
        assert!(product.contains("fn a") && product.contains("fn d"), "{product}");
        assert!(!product.contains("fn b") && !product.contains("more"), "{product}");
        assert_eq!(lines_with(&product, "fn d"), [8]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(lines_with("unsafe_code\nunsafe {\nx.unwrap_or()\nx.unwrap()", "unsafe"), [2]);
        assert_eq!(lines_with("x.unwrap_or()\nx.unwrap()", ".unwrap("), [2]);
        assert_eq!(lines_with("spawn_blocking(x)\nsuper::blocking::x", "blocking"), [2]);
    }
}
