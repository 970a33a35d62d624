//! The account a server runs as, and the directories that account can use.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The longest path of a socket that every supported system accepts, in bytes.
const SOCKET_PATH_MAX: usize = 103;

/// The environment variable that names the directory in which clusters make
/// theirs.
///
/// By default that is `/dev/shm` if 2 GiB are free there, else the system's
/// directory for temporary files or, where the server's account cannot use
/// that, `/tmp`.
pub const DIRECTORY_VARIABLE: &str = "CATAMARAN_PG_DIR";

/// The space that must be free in memory for clusters to be made there: the
/// default size in a container, 64 MiB, is not enough for one. In KiB.
const MEMORY_NEEDED: u64 = 2 * 1024 * 1024;

/// What follows a cluster's parent directory in the path of its socket.
const SOCKET_PATH_TAIL: usize = "/catamaran-XXXXXX/s/.s.PGSQL.65535".len();

/// The account of the server's processes and files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// User and group id, `None` for the account of this process.
    ids: Option<(u32, u32)>,
}

impl Account {
    /// Returns this process's account or, for root, one PostgreSQL accepts.
    pub(crate) fn choose() -> Result<Self, Error> {
        // The owner of a new file is the effective user, which std does not
        // tell in any other way.
        let probe = tempfile::tempfile().map_err(Error::io("creating a temporary file"))?;
        let owner = probe.metadata().map_err(Error::io("reading the owner of a temporary file"))?.uid();
        if owner != 0 {
            return Ok(Self { ids: None });
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
            .filter(|(uid, _)| *uid != 0)
            .map(|ids| Self { ids: Some(ids) })
            .ok_or(Error::NoAccount)
    }

    /// Makes `command` run as this account, out of reach of the signals a
    /// terminal or a test runner sends to the group of this process.
    pub(crate) fn apply(self, command: &mut Command) {
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command.process_group(0);
    }

    /// Hands a file or directory to this account.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self.ids {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid))
                .map_err(Error::io(format!("handing {} to the server's account", path.display()))),
            None => Ok(()),
        }
    }

    /// Writes a file that only this account can read.
    pub(crate) fn write(self, path: &Path, contents: &str) -> Result<(), Error> {
        let doing = || Error::io(format!("writing {}", path.display()));
        fs::write(path, contents).map_err(doing())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(doing())?;
        self.own(path)
    }

    /// Chooses where to make the directory of a cluster, with a path short
    /// enough for its socket's.
    pub(crate) fn parent(self, asked: Option<&Path>) -> Result<PathBuf, Error> {
        // The janitor recognises the server by its working directory, which the
        // system reports without symbolic links.
        let resolved = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let chosen = match asked {
            Some(asked) => Some(("the directory of a cluster", asked.to_owned())),
            None => std::env::var_os(DIRECTORY_VARIABLE)
                .filter(|value| !value.is_empty())
                .map(|value| (DIRECTORY_VARIABLE, PathBuf::from(value))),
        };
        if let Some((name, chosen)) = chosen {
            let chosen = resolved(chosen);
            return if self.can_use(&chosen) {
                Ok(chosen)
            } else {
                Err(Error::Setting(format!(
                    "{name} must be the absolute path of a directory, at most {} bytes long, that the server's account \
                     can write to; {} is not",
                    SOCKET_PATH_MAX - SOCKET_PATH_TAIL,
                    chosen.display()
                )))
            };
        }
        // A database is hundreds of files, which some disks take long to make.
        let memory = PathBuf::from("/dev/shm");
        if self.can_use(&memory) && is_open(&memory) && free_space(&memory) >= MEMORY_NEEDED {
            return Ok(memory);
        }
        let temporary = resolved(std::env::temp_dir());
        Ok(if self.can_use(&temporary) { temporary } else { resolved(PathBuf::from("/tmp")) })
    }

    /// Whether a cluster's directory may be made in `parent`.
    fn can_use(self, parent: &Path) -> bool {
        // A relative path would mean something else in the server's directory.
        let fits = parent.is_absolute()
            && parent.is_dir()
            && parent.to_str().is_some()
            && parent.as_os_str().len() + SOCKET_PATH_TAIL <= SOCKET_PATH_MAX;
        // Another account must also be able to remove the directory again.
        fits && (self.ids.is_none() || is_open(parent))
    }
}

/// Whether every account can reach a directory and write to it.
fn is_open(directory: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |data| data.permissions().mode());
    mode(directory) & 0o002 != 0 && directory.ancestors().all(|above| mode(above) & 0o001 != 0)
}

/// The free space of a file system in KiB, 0 if it cannot be told.
fn free_space(path: &Path) -> u64 {
    let output = Command::new("df").arg("-Pk").arg(path).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let available = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    available.unwrap_or(0)
}

/// Asks the system for the user or group id of an account.
fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
