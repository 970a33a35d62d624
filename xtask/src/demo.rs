//! The example service, over a database of its own unless `DATABASE_URL` names another.

use std::{env, os::unix::process::CommandExt as _};

use crate::{
    error::{Error, Result},
    packages,
    workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    if env::var_os("DATABASE_URL").is_none_or(|url| url.is_empty()) {
        packages::ensure_postgres()?;
    }
    let mut demo = workspace.cargo(["run", "--package", "gathering", "--bin", "demo", "--"]);
    // This process becomes cargo, which becomes the demo: signals reach it directly.
    Err(Error::io("running cargo")(demo.args(args).exec()))
}
