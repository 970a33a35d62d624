//! pgbench, the client in C that comes with the server.

use std::{fs, path::PathBuf, process::Command};

use catamaran_testkit::Binaries;

use crate::{
    Result,
    harness::{Load, Slice},
    sql,
};

/// Where pgbench is, and the script that it runs.
#[derive(Debug)]
pub struct Pgbench {
    program: PathBuf,
    url: String,
    script: PathBuf,
}

/// `None` where pgbench is not installed. The script is written beside the server's files, and removed with them.
pub fn connect(url: &str, binaries: &Binaries, folder: &std::path::Path) -> Result<Option<Pgbench>> {
    let beside = binaries.directory().join("pgbench");
    let program = if beside.is_file() { beside } else { "pgbench".into() };
    if !Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let script = folder.join("point_select.pgbench");
    let select = sql::POINT_SELECT.replace("$1", ":id");
    fs::write(&script, format!("\\set id random(1, {})\n{select};\n", sql::ACCOUNTS))?;
    Ok(Some(Pgbench { program, url: url.to_owned(), script }))
}

/// Point selects with this many clients, each on a connection of its own, for at least a second: it knows no less.
pub fn point_select(pgbench: &Pgbench, load: &Load) -> Result<Slice> {
    let clients = load.tasks;
    let mut command = Command::new(&pgbench.program);
    command.args(["--no-vacuum", "--protocol=prepared", "--time=1"]);
    command.arg(format!("--client={clients}")).arg(format!("--jobs={}", clients.min(2)));
    command.arg("--file").arg(&pgbench.script).arg(&pgbench.url);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next());
    match told {
        Some(rate) if output.status.success() => Ok(Slice { rate: rate.parse()?, ..Slice::default() }),
        _ => Err(format!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
