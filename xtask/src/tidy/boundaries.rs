//! Who may know whom inside the library.

use super::{
    finding::Finding,
    scan::lines_with,
    tree::{File, Tree},
};

/// Parts of the library that are more than nouns and decisions.
const DOING: &[&str] = &["blocking/", "nonblocking/", "bridge/", "guard/", "mock/"];

/// What opens a socket, starts a thread, a task or a process.
const DEEDS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "tokio::net",
    "thread::spawn",
    "thread::scope",
    "thread::Builder",
    "tokio::spawn",
    "task::spawn",
    "spawn_blocking",
    ".spawn(",
    "Command::new",
];

const BLOCKING: &[&str] = &["blocking", "R2d2Database", "r2d2", "r2d2_postgres"];
const NONBLOCKING: &[&str] = &["nonblocking", "DeadpoolDatabase", "deadpool", "deadpool_postgres"];

/// Shared nouns open no socket and start no thread: what waits is in one of the twins.
pub(crate) fn shared_nouns_do_nothing(tree: &Tree) -> Vec<Finding> {
    let shared = |inside: &str| !DOING.iter().any(|part| inside.starts_with(part));
    mentions(tree, shared, DEEDS, "shared code opens no socket and starts no thread")
}

/// The twins never see each other.
pub(crate) fn twins_are_strangers(tree: &Tree) -> Vec<Finding> {
    let mut findings =
        mentions(tree, |inside| inside.starts_with("blocking/"), NONBLOCKING, "belongs to the other twin");
    findings.extend(mentions(tree, |inside| inside.starts_with("nonblocking/"), BLOCKING, "belongs to the other twin"));
    findings
}

/// A bridge turns any executor of one kind into the other; a backend it knew would be the only one it works with.
pub(crate) fn bridges_know_traits(tree: &Tree) -> Vec<Finding> {
    let backends = [BLOCKING, NONBLOCKING].concat();
    mentions(tree, |inside| inside.starts_with("bridge/"), &backends, "a bridge knows only the traits")
}

fn mentions(tree: &Tree, part: impl Fn(&str) -> bool, words: &[&str], why: &str) -> Vec<Finding> {
    let inside = |file: &&File| matches!(file.in_crate(), Some(("catamaran", inside)) if part(inside));
    let files = tree.rust().filter(inside);
    files
        .flat_map(|file| words.iter().map(move |word| (file, *word)))
        .flat_map(|(file, word)| {
            let lines = lines_with(&file.product, word);
            lines.into_iter().map(move |line| Finding::at(&file.path, line, format!("`{word}`: {why}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_in_shared_code_are_found() {
        let planted = "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { std::thread::spawn(h); } }\n// tokio::spawn\nfn i() { tokio::spawn(j()); }\n";
        let tree = Tree::of(&[
            ("crates/catamaran/src/status.rs", planted),
            ("crates/catamaran/src/blocking/manager.rs", planted),
            ("crates/catamaran/src/status/tests.rs", planted),
            ("crates/catamaran-testkit/src/relay.rs", planted),
        ]);
        let findings = shared_nouns_do_nothing(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let line = "crates/catamaran/src/status.rs:5: `tokio::spawn`: shared code opens no socket and starts no thread";
        assert_eq!(findings[0].to_string(), line);
    }

    #[test]
    fn twins_that_meet_are_found() {
        let tree = Tree::of(&[
            ("crates/catamaran/src/blocking/lease.rs", "//! Like nonblocking.\nuse crate::nonblocking::Lease;\n"),
            ("crates/catamaran/src/nonblocking/lease.rs", "use crate::nonblocking::x;\nuse super::super::blocking;\n"),
            ("crates/catamaran/src/nonblocking/mod.rs", "tokio::task::spawn_blocking(f)"),
        ]);
        let findings: Vec<_> = twins_are_strangers(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "crates/catamaran/src/blocking/lease.rs:2: `nonblocking`: belongs to the other twin",
                "crates/catamaran/src/nonblocking/lease.rs:2: `blocking`: belongs to the other twin",
            ]
        );
    }

    #[test]
    fn a_bridge_that_knows_a_backend_is_found() {
        let tree = Tree::of(&[("crates/catamaran/src/bridge/lent.rs", "use crate::{Executor, R2d2Database};\n")]);
        assert_eq!(bridges_know_traits(&tree).len(), 1);
    }
}
