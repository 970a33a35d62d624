//! The process that cleans up after a cluster.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::account::Account;
use crate::{Error, eventually};

const FUNCTIONS: &str = include_str!("janitor.sh");

/// How long the cleaning may take before it is given up waiting for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that removes a cluster once the process that owns it is gone.
///
/// It holds the reading end of a pipe whose only writing end is here, so the
/// system itself tells it of our end, whatever the cause. That writing end is
/// closed on exec and thus not passed on to other children.
#[derive(Debug)]
pub(crate) struct Janitor {
    process: Child,
}

impl Janitor {
    /// Starts watching over the cluster in `root`.
    pub(crate) fn start(root: &Path, account: Account) -> Result<Self, Error> {
        let process = shell("watch", root, account)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(Error::io("starting the process that cleans up"))?;
        Ok(Self { process })
    }

    /// Cleans up now and waits until that is done.
    pub(crate) fn finish(&mut self) {
        drop(self.process.stdin.take());
        // The caller removes what is left over if the janitor was killed.
        let _ = eventually(PATIENCE, || !matches!(self.process.try_wait(), Ok(None)));
    }
}

/// Kills all processes of the cluster in `root` and waits until they are gone.
pub(crate) fn kill_all(root: &Path, account: Account) -> Result<(), Error> {
    shell("end KILL", root, account)
        .stdin(Stdio::null())
        .status()
        .map(drop)
        .map_err(Error::io("killing the server's processes"))
}

fn shell(call: &str, root: &Path, account: Account) -> Command {
    let mut command = Command::new("sh");
    // A test runner waits until all copies of its output's pipe are closed.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.arg("-c").arg(format!("{FUNCTIONS}\n{call}")).arg("janitor").arg(root).current_dir("/");
    account.apply(&mut command);
    command
}
