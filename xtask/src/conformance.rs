//! The conformance cases, over a database of their own.

use catamaran_testkit::Cluster;

use crate::{
    error::Result,
    packages,
    workspace::{self, Workspace},
};

pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    packages::ensure_postgres()?;
    let cluster = Cluster::start()?;
    let mut cases = workspace.cargo(["run", "--package", "catamaran-tests", "--bin", "conformance", "--"]);
    workspace::run(cluster.export_to(&mut cases).args(args))
}
