//! The process that cleans up after a cluster.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::account::Account;
use crate::{Error, eventually};

const FUNCTIONS: &str = include_str!("janitor.sh");

/// How long the cleaning may take before it is given up waiting for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many names are tried for a directory.
const NAME_ATTEMPTS: u32 = 10;

/// A process that removes a cluster once the process that owns it is gone.
///
/// It holds the reading end of a pipe whose only writing end is here, so the
/// system itself tells it of our end, whatever the cause. That writing end is
/// closed on exec and thus not passed on to other children.
#[derive(Debug)]
pub(crate) struct Janitor {
    process: Child,
    root: PathBuf,
    account: Account,
}

impl Janitor {
    /// Starts the process, which makes a new directory in `parent` and watches
    /// over it.
    ///
    /// Were the directory made here, it would be left behind by an end between
    /// the making and the start of the janitor.
    pub(crate) fn start(parent: &Path, account: Account) -> Result<Self, Error> {
        let doing = || Error::io(format!("creating a directory in {}", parent.display()));
        for attempt in 0..NAME_ATTEMPTS {
            let root = parent.join(random_name(attempt));
            let mut process = shell("make\nwatch", &root, account)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(Error::io("starting the process that cleans up"))?;
            let mut answer = String::new();
            if let Some(mut output) = process.stdout.take() {
                // It closes its output after the one word.
                output.read_to_string(&mut answer).map_err(doing())?;
            }
            if answer.trim_end() == "made" {
                return Ok(Self { process, root, account });
            }
            process.wait().map_err(doing())?;
        }
        Err(doing()(io::Error::other("mkdir failed")))
    }

    /// The directory it watches over.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cleans up now and waits until that is done.
    pub(crate) fn finish(&mut self) {
        drop(self.process.stdin.take());
        self.wait();
        // Somebody may have killed the janitor; another one does the work then.
        if self.root.exists()
            && let Ok(process) = shell("watch", &self.root, self.account).stdin(Stdio::null()).spawn()
        {
            self.process = process;
            self.wait();
        }
    }

    fn wait(&mut self) {
        let ended = eventually(PATIENCE, || !matches!(self.process.try_wait(), Ok(None)));
        if !ended {
            // It must not meet the one that is started in its place.
            let _ = self.process.kill().and_then(|()| self.process.wait());
        }
    }
}

/// Returns a name for a cluster's directory.
fn random_name(attempt: u32) -> String {
    // The standard library seeds each of these anew.
    let random = RandomState::new().hash_one((std::process::id(), attempt));
    format!("catamaran-{:06x}", random & 0xff_ffff)
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
