//! What may not stand in code at all.

use super::{
    finding::Finding,
    scan::lines_with,
    tree::{File, Tree},
};

const PANICS: &[&str] =
    &[".unwrap()", ".expect(", ".unwrap_err()", ".expect_err(", "panic!(", "todo!(", "unimplemented!("];

/// No `unsafe`, anywhere.
pub(crate) fn nothing_is_unsafe(tree: &Tree) -> Vec<Finding> {
    let find = |file: &File| lines_with(&file.code, "unsafe").into_iter().map(|line| (line, "`unsafe`")).collect();
    each(tree.rust(), find, "is not used in this project")
}

/// No panic outside tests.
pub(crate) fn nothing_panics(tree: &Tree) -> Vec<Finding> {
    let find = |file: &File| {
        let lines = PANICS.iter().map(|word| (lines_with(&file.product, word), *word));
        lines.flat_map(|(lines, word)| lines.into_iter().map(move |line| (line, word))).collect()
    };
    let products = tree.rust().filter(|file| file.in_crate().is_some() || file.path.starts_with("xtask/src/"));
    each(products, find, "panics, which is for tests")
}

/// Features only add: nothing public is there only while a feature is off.
pub(crate) fn features_only_add(tree: &Tree) -> Vec<Finding> {
    let find = |file: &File| {
        let lines: Vec<&str> = file.product.lines().collect();
        let negated = |line: &str| line.contains("cfg(") && line.contains("not(") && line.contains("feature");
        // What follows the attribute, past other attributes.
        let public = |from: usize| {
            let item = lines[from..].iter().map(|line| line.trim()).find(|line| !line.starts_with("#["));
            item.is_some_and(|item| item.starts_with("pub ") || item.starts_with("mod "))
        };
        let found = (0..lines.len()).filter(|index| negated(lines[*index]) && public(index + 1));
        found.map(|index| (index + 1, "`not(feature)` before something public")).collect()
    };
    each(tree.rust().filter(|file| file.in_crate().is_some()), find, "makes a feature take away")
}

fn each<'a>(
    files: impl Iterator<Item = &'a File>,
    find: impl Fn(&File) -> Vec<(usize, &'static str)>,
    why: &str,
) -> Vec<Finding> {
    let found = files.flat_map(|file| find(file).into_iter().map(move |(line, what)| (file, line, what)));
    found.map(|(file, line, what)| Finding::at(&file.path, line, format!("{what} {why}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unsafe_is_found_in_tests_too() {
        let tree = Tree::of(&[
            ("tests/tests/x.rs", "#![forbid(unsafe_code)]\n// unsafe\nfn f() { unsafe { g() } }\n"),
            ("crates/a/src/lib.rs", "const S: &str = \"unsafe\";\n"),
        ]);
        assert_eq!(lines(&nothing_is_unsafe(&tree)), ["tests/tests/x.rs:3: `unsafe` is not used in this project"]);
    }

    #[test]
    fn panics_are_found_outside_tests() {
        let text = "/// x.unwrap()\nfn f() { x.unwrap_or(1); }\nfn g() { x.unwrap() }\n#[cfg(test)]\nmod tests { fn h() { panic!(\"x\") } }\n";
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", text),
            ("crates/a/src/b/tests.rs", text),
            ("crates/a/tests/c.rs", text),
            ("tests/src/hull.rs", text),
            ("xtask/src/d.rs", "fn f() { panic!(\"x\") }"),
        ]);
        let found = [
            "crates/a/src/lib.rs:3: .unwrap() panics, which is for tests",
            "xtask/src/d.rs:1: panic!( panics, which is for tests",
        ];
        assert_eq!(lines(&nothing_panics(&tree)), found);
    }

    #[test]
    fn a_feature_that_takes_away_is_found() {
        let text = "#[cfg(not(feature = \"x\"))]\npub(crate) type A = ();\n#[cfg(not(feature = \"x\"))]\n#[derive(Debug)]\npub struct B;\n";
        let tree = Tree::of(&[("crates/a/src/lib.rs", text)]);
        let findings = lines(&features_only_add(&tree));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("crates/a/src/lib.rs:3:"), "{findings:?}");
    }
}
