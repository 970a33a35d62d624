//! What was asked for on the command line.

use std::path::PathBuf;

use crate::Result;

pub const USAGE: &str = "\
usage: cargo xtask bench [--lean] [--quick] [--only CASE]… [--contestant NAME]… [--json FILE] [--docs] [--list]
  --lean             build only the drivers, the pools below the library, and the library
  --quick            fewer and shorter rounds
  --only CASE        only cases whose name contains this; may be repeated
  --contestant NAME  only the base and contestants whose name contains this; may be repeated
  --json FILE        write all ratios to a file
  --docs             write docs/performance.md also after a run that was not a full one
  --list             list the cases and run none";

#[derive(Clone, Debug, Default)]
pub struct Args {
    pub quick: bool,
    pub only: Vec<String>,
    pub contestants: Vec<String>,
    pub json: Option<PathBuf>,
    pub docs: bool,
    pub list: bool,
    pub help: bool,
}

impl Args {
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut parsed = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--quick" => parsed.quick = true,
                "--only" => parsed.only.push(value()?),
                "--contestant" => parsed.contestants.push(value()?),
                "--json" => parsed.json = Some(value()?.into()),
                "--docs" => parsed.docs = true,
                "--list" => parsed.list = true,
                "--help" => parsed.help = true,
                _ => return Err(format!("unknown argument {arg}\n{USAGE}").into()),
            }
        }
        Ok(parsed)
    }

    /// Whether this run says something about every case and contestant.
    pub fn is_full(&self) -> bool {
        !self.quick && self.only.is_empty() && self.contestants.is_empty() && cfg!(feature = "peers")
    }

    pub fn wants_case(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    pub fn wants_contestant(&self, name: &str) -> bool {
        self.contestants.is_empty() || self.contestants.iter().any(|part| name.contains(part.as_str()))
    }
}
