//! All tests, over one database server that they share. What disturbs the server starts its own.

use catamaran_testkit::Cluster;

use crate::{
    error::Result,
    packages, totals,
    workspace::{self, Workspace},
};

/// Runs the documentation's tests, then all others, whose totals come last. With arguments, only those they ask for.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    packages::ensure_postgres()?;
    packages::ensure_pgbouncer()?;
    let cluster = Cluster::start()?;
    let mut documented = Ok(());
    if args.is_empty() {
        let mut docs = workspace.cargo(["test", "--doc", "--all-features"]);
        documented = workspace::run(cluster.export_to(&mut docs));
    }
    let tested = if workspace.has("nextest") {
        let mut tests = workspace.cargo(["nextest", "run", "--all-features"]);
        workspace::run(cluster.export_to(&mut tests).args(args))
    } else {
        let mut tests = workspace.cargo(["test", "--all-targets", "--all-features", "--no-fail-fast"]);
        totals::run(cluster.export_to(&mut tests).args(args))
    };
    documented.and(tested)
}
