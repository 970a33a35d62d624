//! Tests that are not run.

use super::{
    finding::Finding,
    scan::lines_with,
    tree::{File, Tree},
};

/// Before the name of the test that runs an ignored one in a process of its own.
const RUN_BY: &str = "run by ";

/// An ignored test has a reason, which the README repeats, unless another test in the same file runs it.
pub(crate) fn reasons_are_told(tree: &Tree) -> Vec<Finding> {
    let readme = tree.file("README.md").map_or("", |file| file.text.as_str());
    let found = tree.rust().flat_map(|file| {
        let lines = lines_with(&file.code, "#[ignore");
        lines.into_iter().filter_map(move |line| Some((file, line, wrong(file, line, readme)?)))
    });
    found.map(|(file, line, wrong)| Finding::at(&file.path, line, wrong)).collect()
}

fn wrong(file: &File, line: usize, readme: &str) -> Option<String> {
    let text = file.text.lines().nth(line - 1).unwrap_or_default();
    let reason = text.split_once("#[ignore = \"").and_then(|(_, rest)| rest.split_once("\"]"));
    match reason.map(|(reason, _)| reason) {
        None | Some("") => Some("an ignored test has no reason".to_owned()),
        Some(reason) => match reason.strip_prefix(RUN_BY) {
            Some(test) if lines_with(&file.code, &format!("fn {test}")).is_empty() => {
                Some(format!("there is no test `{test}` in this file to run it"))
            }
            None if !readme.contains(reason) => Some(format!("README.md does not say: {reason}")),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_are_not_told_are_found() {
        let text = "#[ignore]\nfn a() {}\n#[ignore = \"needs a cluster of machines\"]\nfn b() {}\n#[ignore = \"takes an hour\"]\nfn c() {}\n\
            #[ignore = \"run by a\"]\nfn d() {}\n#[ignore = \"run by e\"]\nfn f() {}\n// #[ignore]\n";
        let tree = Tree::of(&[("README.md", "One test takes an hour."), ("tests/x.rs", text)]);
        let findings: Vec<_> = reasons_are_told(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "tests/x.rs:1: an ignored test has no reason",
                "tests/x.rs:3: README.md does not say: needs a cluster of machines",
                "tests/x.rs:9: there is no test `e` in this file to run it",
            ]
        );
    }
}
