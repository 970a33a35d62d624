//! How long a file may be.

use super::{
    exceptions::{Exception, Exceptions},
    finding::Finding,
    tree::Tree,
};

const LONGEST: usize = 500;

/// Files that are longer, each with a reason.
const LONG: &[Exception] = &[];

/// Prose and configuration may be longer.
pub(crate) fn files_are_short(tree: &Tree) -> Vec<Finding> {
    short_but_for(tree, LONG)
}

fn short_but_for(tree: &Tree, exceptions: &[Exception]) -> Vec<Finding> {
    let exceptions = Exceptions::new(exceptions);
    let sources = tree.files().filter(|file| [".rs", ".sql", ".sh"].iter().any(|end| file.path.ends_with(end)));
    let long = sources.map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > LONGEST);
    let mut findings: Vec<_> = long
        .filter(|(file, _)| !exceptions.has(&file.path))
        .map(|(file, lines)| Finding::in_file(&file.path, format!("{lines} lines, where {LONGEST} are permitted")))
        .collect();
    findings.extend(exceptions.unused());
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_idle_exceptions_are_found() {
        let (long, longer) = ("\n".repeat(500), "\n".repeat(501));
        let tree = Tree::of(&[("a.rs", &long), ("b.rs", &longer), ("c.rs", &longer), ("d.md", &longer)]);
        let findings: Vec<_> = short_but_for(&tree, &[("c.rs", "a table"), ("a.rs", "was a table")])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            findings,
            ["b.rs: 501 lines, where 500 are permitted", "a.rs: needs no exception any more: was a table"]
        );
    }
}
