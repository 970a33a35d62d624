//! Who depends on what, by the manifests.

use super::{
    exceptions::{Exception, Exceptions},
    finding::Finding,
    tree::{File, Tree},
};

/// Crates that speak HTTP or stand for one that does.
const HTTP: &[&str] =
    &["axum", "axum-core", "http", "http-body", "hyper", "hyper-util", "reqwest", "tower", "tower-http"];

/// Packages that may know HTTP.
const KNOW_HTTP: &[Exception] =
    &[("crates/catamaran-axum", "it is what knows axum"), ("examples", "they are what people write with it")];

/// A dependency as it stands in a manifest.
struct Dependency<'a> {
    line: usize,
    name: &'a str,
    is_inherited: bool,
}

/// Nothing but [`KNOW_HTTP`] depends on HTTP, not even in tests.
pub(crate) fn http_stays_out(tree: &Tree) -> Vec<Finding> {
    no_http_but_in(tree, KNOW_HTTP)
}

fn no_http_but_in(tree: &Tree, exceptions: &[Exception]) -> Vec<Finding> {
    let exceptions = Exceptions::new(exceptions);
    let mut findings = Vec::new();
    for file in members(tree) {
        let found = dependencies(&file.text).into_iter().filter(|dependency| HTTP.contains(&dependency.name));
        let found = found.filter(|_| !exceptions.has(&file.path));
        findings.extend(
            found.map(|found| Finding::at(&file.path, found.line, format!("`{}`: HTTP stays out of here", found.name))),
        );
    }
    findings.extend(exceptions.unused());
    findings
}

/// Versions and lints are said once, in the workspace's manifest.
pub(crate) fn what_is_shared_is_inherited(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in members(tree) {
        let own = dependencies(&file.text).into_iter().filter(|dependency| !dependency.is_inherited);
        findings.extend(own.map(|own| {
            Finding::at(&file.path, own.line, format!("`{}` belongs in [workspace.dependencies]", own.name))
        }));
        if !file.text.contains("[lints]\nworkspace = true") {
            findings.push(Finding::in_file(&file.path, "does not inherit the lints of the workspace"));
        }
    }
    findings
}

fn members(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files().filter(|file| file.path.ends_with("/Cargo.toml"))
}

/// Those of a manifest's sections `[dependencies]`, `[dev-dependencies]`, `[target.….dependencies]` and the like, which
/// are written one a line.
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in manifest.lines().map(str::trim).enumerate() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with("dependencies");
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) else { continue };
        let (name, rest) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
        // One without a version is of a crate that is published later.
        let is_ours = value.contains("path = ") && !value.contains("version");
        let is_inherited = rest.trim() == "workspace" || value.contains("workspace = true") || is_ours;
        found.push(Dependency { line: index + 1, name, is_inherited });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[dependencies]\n# axum = \"1\"\nserde.workspace = true\n\n[dev-dependencies]\naxum = { workspace = true }\n\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\n[lints]\nworkspace = true\n";

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn http_in_a_wrong_place_is_found() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", MANIFEST),
            ("crates/catamaran-axum/Cargo.toml", MANIFEST),
            ("crates/b/Cargo.toml", "[package]\nname = \"axum\"\n"),
        ]);
        let findings = no_http_but_in(&tree, &[("crates/catamaran-axum", "x"), ("examples", "y")]);
        let expected =
            ["crates/a/Cargo.toml:9: `axum`: HTTP stays out of here", "examples: needs no exception any more: y"];
        assert_eq!(lines(&findings), expected);
    }

    #[test]
    fn a_version_or_lints_of_ones_own_are_found() {
        let tree = Tree::of(&[("crates/a/Cargo.toml", MANIFEST), ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n")]);
        assert_eq!(
            lines(&what_is_shared_is_inherited(&tree)),
            [
                "crates/a/Cargo.toml:12: `libc` belongs in [workspace.dependencies]",
                "crates/b/Cargo.toml: does not inherit the lints of the workspace",
            ]
        );
    }
}
