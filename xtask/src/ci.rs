//! Everything that a change must pass, cheapest first. What fails does not keep the rest from being run.

use std::{fs, process::Stdio};

use crate::{
    error::{Error, Result},
    features, instructions, test, tidy,
    workspace::{self, Workspace},
};

/// The performance harness.
const BENCHES: &str = "catamaran-benches";

/// What is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Leave {
    tests: bool,
    /// They are on record for one compiler.
    instructions: bool,
}

impl Leave {
    /// Reads the command's arguments.
    pub(crate) fn parse(args: &[String]) -> Option<Self> {
        args.iter().try_fold(Self::default(), |leave, arg| match arg.as_str() {
            "--no-test" => Some(Self { tests: true, ..leave }),
            "--no-instructions" => Some(Self { instructions: true, ..leave }),
            _ => None,
        })
    }
}

pub(crate) fn run(workspace: &Workspace, leave: Leave) -> Result<()> {
    let mut failures = Vec::new();
    let mut note = |result: Result<()>| failures.extend(result.err().map(|error| error.to_string()));

    note(workspace::run(&mut workspace.cargo(["fmt", "--all", "--check"])));
    note(tidy::run(workspace));
    let mut lock = workspace.cargo(["metadata", "--locked", "--format-version", "1"]);
    note(workspace::run(lock.stdout(Stdio::null())));
    // The harness is checked without the peers, which take as long to build as all the rest.
    for packages in [&["--workspace", "--exclude", BENCHES, "--all-features"][..], &["--package", BENCHES]] {
        let mut lints = workspace.cargo(["clippy", "--all-targets", "--keep-going"]);
        note(workspace::run(lints.args(packages).args(["--", "-D", "warnings"])));
    }
    let manifest = workspace.root().join("crates/catamaran/Cargo.toml");
    let manifest = fs::read_to_string(&manifest).map_err(Error::io(manifest.display()))?;
    for features in features::combinations(&manifest) {
        // As `cargo check`, but that warnings can be denied without building the dependencies anew.
        let mut check = workspace.cargo(["clippy", "--package", "catamaran"]);
        note(workspace::run(check.args(features).args(["--", "-D", "warnings", "-A", "clippy::all"])));
    }
    let mut docs = workspace.cargo(["doc", "--workspace", "--exclude", BENCHES, "--no-deps", "--all-features"]);
    note(workspace::run(docs.env("RUSTDOCFLAGS", "-D warnings")));
    // Advisories change without a change here: the workflow asks for them by itself.
    note(workspace::run(&mut workspace.cargo(["deny", "--all-features", "check", "licenses", "sources"])));
    // Peers that are compared have versions of their own of much that the library has.
    let bans = ["deny", "--all-features", "--exclude", BENCHES, "check", "bans"];
    note(workspace::run(&mut workspace.cargo(bans)));
    if !leave.instructions {
        note(instructions::run(workspace, false));
    }
    if !leave.tests {
        note(test::run(workspace, &[]));
    }

    match failures.len() {
        0 => Ok(()),
        count => Err(Error::new(format!("{count} checks failed:\n  {}", failures.join("\n  ")))),
    }
}
