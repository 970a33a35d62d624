//! Finding the programs of a PostgreSQL server.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The environment variable that names the directory of the server's programs.
///
/// When it is set, no other place is searched.
pub const BINARIES_VARIABLE: &str = "CATAMARAN_PG_BIN";

/// The environment variable that names the major version to use, such as `16`.
pub const MAJOR_VARIABLE: &str = "CATAMARAN_PG_MAJOR";

/// The directory of one installed server's programs, and its version.
#[derive(Clone, Debug)]
pub struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// Finds the server to use.
    ///
    /// Searches the directory in [`BINARIES_VARIABLE`] and nothing else if that
    /// is set. Otherwise `PATH`, following symbolic links and passing over
    /// wrapper scripts, then `pg_config --bindir`, then the places where
    /// packages of Linux distributions and Homebrew install servers, newest
    /// version first. The first one found is used, or the first of the version
    /// in [`MAJOR_VARIABLE`] if that is set.
    ///
    /// # Errors
    ///
    /// [`Error::BinariesMissing`] if there is none, [`Error::Setting`] if
    /// [`MAJOR_VARIABLE`] is not a number.
    pub fn find() -> Result<Self, Error> {
        let major = match env::var(MAJOR_VARIABLE) {
            Ok(text) if !text.trim().is_empty() => Some(text.trim().parse().map_err(|_| {
                Error::Setting(format!("{MAJOR_VARIABLE} must be a major version such as 16, not {text:?}"))
            })?),
            _ => None,
        };
        Self::find_major(major)
    }

    /// Finds a server of one major version, or of any for `None`.
    ///
    /// Searches the same places as [`Binaries::find`], without regard to
    /// [`MAJOR_VARIABLE`].
    ///
    /// # Errors
    ///
    /// [`Error::BinariesMissing`] if there is none.
    pub fn find_major(major: Option<u32>) -> Result<Self, Error> {
        let mut searched = Vec::new();
        for directory in candidates() {
            if searched.contains(&directory) {
                continue;
            }
            if let Some(found) = Self::in_directory(&directory)
                && major.is_none_or(|wanted| wanted == found.major)
            {
                return Ok(found);
            }
            searched.push(directory);
        }
        Err(Error::BinariesMissing { major, searched, install: install_command(major) })
    }

    /// The directory that holds the programs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The major version, such as `16`.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// A command that runs `program`, untouched by the caller's settings.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        for (name, _) in env::vars_os() {
            // PGDATA, PGPORT, PGOPTIONS and the like would change the server.
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn in_directory(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(directory.join("postgres")).arg("--version").stdin(Stdio::null()).output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { directory: directory.to_owned(), major })
    }
}

/// Reads the 16 of `postgres (PostgreSQL) 16.4 (Debian 16.4-1)` or of `17beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL)").nth(1)?.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

/// The directories to look into, best first; not all of them exist.
fn candidates() -> Vec<PathBuf> {
    if let Some(directory) = env::var_os(BINARIES_VARIABLE).filter(|value| !value.is_empty()) {
        return vec![PathBuf::from(directory)];
    }
    let mut found = Vec::new();
    for directory in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        if let Ok(program) = directory.join("postgres").canonicalize()
            && !is_script(&program)
            && let Some(parent) = program.parent()
        {
            found.push(parent.to_owned());
        }
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output()
        && let Ok(directory) = String::from_utf8(output.stdout)
        && !directory.trim().is_empty()
    {
        found.push(PathBuf::from(directory.trim()));
    }
    found.extend(versioned("/usr/lib/postgresql", "", "bin"));
    found.extend(versioned("/usr", "pgsql-", "bin"));
    found.extend(versioned("/usr/libexec", "postgresql", ""));
    found.extend(versioned("/opt/homebrew/opt", "postgresql", "bin"));
    found.extend(versioned("/usr/local/opt", "postgresql", "bin"));
    found.extend(versioned("/usr/lib", "postgresql", "bin"));
    found.push(PathBuf::from("/usr/local/pgsql/bin"));
    found
}

/// Lists `parent/<prefix><version>/child`, highest version first.
fn versioned(parent: &str, prefix: &str, child: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            // `postgresql` alone is the distribution's or Homebrew's default.
            let version = version.trim_start_matches(['@', '-']);
            let number = if version.is_empty() { 0 } else { version.parse().ok()? };
            Some((number, entry.path().join(child)))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Whether a program is a script, whose directory says nothing about the
/// installation it calls.
fn is_script(program: &Path) -> bool {
    let mut start = [0; 2];
    File::open(program).is_ok_and(|mut file| file.read_exact(&mut start).is_ok() && &start == b"#!")
}

/// The command that installs a server on this system.
fn install_command(major: Option<u32>) -> String {
    let number = |separator: &str| major.map_or(String::new(), |m| format!("{separator}{m}"));
    if cfg!(target_os = "macos") {
        return format!("brew install postgresql@{}", major.unwrap_or(17));
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let families: Vec<&str> = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .collect();
    let is = |names: &[&str]| families.iter().any(|family| names.contains(family));
    if is(&["debian", "ubuntu"]) {
        format!("apt-get install postgresql{}", number("-"))
    } else if is(&["fedora", "rhel", "centos"]) {
        "dnf install postgresql-server".to_owned()
    } else if is(&["alpine"]) {
        format!("apk add postgresql{}", number(""))
    } else if is(&["arch"]) {
        "pacman -S postgresql".to_owned()
    } else if is(&["suse", "opensuse"]) {
        format!("zypper install postgresql{}-server", number(""))
    } else {
        "the package manager of this system (package postgresql or postgresql-server)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn versions_of_every_style_are_read() {
        for (text, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0)", Some(15)),
            ("postgres (PostgreSQL) 17beta1\n", Some(17)),
            ("postgres (PostgreSQL) 18\n", Some(18)),
            ("some other program 3.1", None),
            ("postgres (PostgreSQL) devel", None),
        ] {
            assert_eq!(parse_major(text), major, "{text}");
        }
    }
}
