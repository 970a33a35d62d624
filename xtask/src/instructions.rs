//! Instructions of the library's own operations, counted by valgrind and compared with those on record.
//!
//! Unlike times, counts repeat. They depend on the compiler and on the kind of machine, so that the record names both.

mod record;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    error::{Error, Result},
    packages,
    workspace::{Workspace, line_of, run as say_and_run},
};
use record::{Compiler, Record};

const RECORD: &str = "benches/micro/instructions.txt";

/// How often an operation is done, to begin with and then. The difference is what is counted, so that starting the
/// program costs nothing; operations that go through a list of statements are back at its start.
const TIMES: [u64; 2] = [20, 220];

/// Counts, and compares with the record or writes it.
pub(crate) fn run(workspace: &Workspace, write_record: bool) -> Result<()> {
    let path = workspace.root().join(RECORD);
    let compiler = compiler(workspace)?;
    let recorded = if write_record { None } else { Some(read(&path)?) };
    if let Some(recorded) = &recorded {
        if recorded.compiler.host != compiler.host {
            let told = "counts of different machines can't be compared, so nothing is counted";
            eprintln!("\n{RECORD} is of {}, and this is {}: {told}", recorded.compiler.host, compiler.host);
            return Ok(());
        }
        if recorded.compiler.version != compiler.version {
            let message = format!(
                "{RECORD} was written with {}, and this is {}; use that one, or look at what changed and write it anew \
                 with `cargo xtask instructions --record`",
                recorded.compiler.version, compiler.version
            );
            return Err(Error::new(message));
        }
    }
    packages::ensure(&packages::VALGRIND)?;
    let program = build(workspace)?;
    let counted = Record { compiler, counts: count_all(&program)? };
    match recorded {
        None => {
            fs::write(&path, counted.to_string()).map_err(Error::io(path.display()))?;
            println!("{counted}");
            Ok(())
        }
        Some(recorded) => {
            let comparison = recorded.compare(&counted);
            println!("{}", comparison.table);
            comparison.outcome
        }
    }
}

fn read(path: &Path) -> Result<Record> {
    let text = fs::read_to_string(path).map_err(Error::io(path.display()))?;
    Record::parse(&text).ok_or_else(|| {
        Error::new(format!("{RECORD} can't be read; write it anew with `cargo xtask instructions --record`"))
    })
}

fn compiler(workspace: &Workspace) -> Result<Compiler> {
    let mut asked = Command::new("rustc");
    let answer = output(asked.args(["--version", "--verbose"]).current_dir(workspace.root()))?;
    Compiler::parse(&answer).ok_or_else(|| Error::new("rustc does not tell its version and its host"))
}

/// Builds the program that does the operations, and tells where it is.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let build = ["build", "--release", "--locked", "--package", "catamaran-micro", "--bin", "instructions"];
    say_and_run(&mut workspace.cargo(build))?;
    let messages = output(workspace.cargo(build).args(["--quiet", "--message-format", "json"]))?;
    let program = messages.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    program.ok_or_else(|| Error::new("cargo does not tell where the program is"))
}

fn count_all(program: &Path) -> Result<Vec<(String, u64)>> {
    let names = output(&mut Command::new(program))?;
    names.lines().map(|name| Ok((name.to_owned(), count(program, name)?))).collect()
}

/// The instructions that an operation takes once.
fn count(program: &Path, name: &str) -> Result<u64> {
    let [few, many] = TIMES;
    let (low, high) = (total(program, name, few)?, total(program, name, many)?);
    let difference =
        high.checked_sub(low).ok_or_else(|| Error::new(format!("{name} takes less when done more often")))?;
    Ok(difference / (many - few))
}

fn total(program: &Path, name: &str, times: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args([name, &times.to_string()]);
    let told = valgrind.stdin(Stdio::null()).output().map_err(Error::io("running valgrind"))?;
    let text = String::from_utf8_lossy(&told.stderr);
    if !told.status.success() {
        return Err(Error::new(format!("{}: {}\n{}", line_of(&valgrind), told.status, text.trim())));
    }
    record::collected(&text).ok_or_else(|| Error::new(format!("{} does not tell a count", line_of(&valgrind))))
}

fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(Error::io(format!("running {}", line_of(command))))?;
    if !output.status.success() {
        return Err(Error::new(format!("{}: {}", line_of(command), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
