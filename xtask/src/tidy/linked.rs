//! What whoever depends on the library gets with it.

use super::finding::Finding;
use crate::{
    error::{Error, Result},
    workspace::{Workspace, line_of},
};

/// HTTP, other TLS stacks and other drivers: none of them is needed to reach PostgreSQL.
const FOREIGN: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "axum",
    "diesel",
    "http",
    "hyper",
    "native-tls",
    "openssl",
    "openssl-sys",
    "sqlx",
    "sqlx-core",
];

/// `catamaran`, with all its features and on every platform, links nothing of that.
pub(crate) fn only_what_belongs(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut tree = workspace.cargo(["tree", "--package", "catamaran", "--all-features", "--edges", "normal"]);
    tree.args(["--target", "all", "--prefix", "none", "--format", "{p}"]);
    let output = tree.output().map_err(Error::io("running cargo tree"))?;
    if !output.status.success() {
        return Err(Error::new(format!("{}: {}", line_of(&tree), String::from_utf8_lossy(&output.stderr).trim())));
    }
    Ok(foreign(&String::from_utf8_lossy(&output.stdout)))
}

/// The output has a package a line: `name v1.2.3`, and what else cargo has to say of it.
fn foreign(packages: &str) -> Vec<Finding> {
    let names = packages.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<_> = names.filter(|name| FOREIGN.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    let told = |name| Finding::in_file("crates/catamaran/Cargo.toml", format!("`{name}` is linked with the library"));
    found.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_belong_is_found_once() {
        let packages = "catamaran v0.1.0 (/x)\nopenssl-probe v0.2.1\nhyper v1.0.0\nring v0.17.14\nhyper v1.0.0 (*)\n";
        let findings: Vec<_> = foreign(packages).iter().map(ToString::to_string).collect();
        assert_eq!(findings, ["crates/catamaran/Cargo.toml: `hyper` is linked with the library"]);
    }
}
