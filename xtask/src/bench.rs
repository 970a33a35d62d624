//! The performance harness, over servers that it starts itself.

use crate::{
    error::Result,
    packages,
    workspace::{self, Workspace},
};

const PACKAGE: [&str; 3] = ["--release", "--package", "catamaran-benches"];

/// Builds the harness, with every peer unless `--lean` is among the arguments, and hands it the others.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    packages::ensure_postgres()?;
    let is_lean = args.iter().any(|arg| arg == "--lean");
    if !is_lean {
        packages::ensure(&packages::LIBPQ)?;
    }
    if let Err(error) = packages::ensure(&packages::VALGRIND) {
        // One case needs it, and says that it is left out.
        eprintln!("xtask: {error}");
    }
    let features: &[&str] = if is_lean { &[] } else { &["--features", "peers"] };
    let mut build = workspace.cargo(["build"]);
    workspace::run(build.args(PACKAGE).args(features).arg("--bins"))?;
    let mut bench = workspace.cargo(["run", "--quiet"]);
    bench.args(PACKAGE).args(features).args(["--bin", "catamaran-benches", "--"]);
    workspace::run(bench.args(args.iter().filter(|arg| *arg != "--lean")))
}
