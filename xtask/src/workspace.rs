//! The workspace, and cargo run in it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::error::{Error, Result};

pub(crate) struct Workspace {
    root: PathBuf,
    cargo: PathBuf,
}

impl Workspace {
    /// The workspace of which this program is a member: cargo tells a program that it runs.
    pub(crate) fn find() -> Result<Self> {
        let told = |name| env::var_os(name).map(PathBuf::from);
        let root = told("CARGO_MANIFEST_DIR").and_then(|member| member.parent().map(Path::to_owned));
        let root = root.ok_or_else(|| Error::new("this program is to be run as `cargo xtask`"))?;
        Ok(Self { root, cargo: told("CARGO").unwrap_or_else(|| "cargo".into()) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn cargo<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(args).current_dir(&self.root);
        // What cargo tells of this package would make build scripts that look at it run again.
        for (name, _) in env::vars_os() {
            let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
            if name.to_str().is_some_and(told) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Whether cargo has this subcommand.
    pub(crate) fn has(&self, subcommand: &str) -> bool {
        let asked = self.cargo([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    }
}

/// Says what is run, runs it, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    eprintln!("\n$ {line}");
    let status = command.status().map_err(Error::io(format!("running {line}")))?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("{line}: {status}"))) }
}

/// A command as it would be typed.
pub(crate) fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
