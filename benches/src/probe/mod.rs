//! Figures that need a process of their own: instructions, allocations, memory.
//!
//! The programs `point_selects`, `allocations` and `memory` lie beside this one. What they do is in [`work`].

pub mod work;

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    Result,
    bench::Bench,
    harness::{Line, Metric, Spread, Table},
    peers::{deadpool, ours},
    report,
};

/// Two numbers of queries. What starting takes is in both, and so not in their difference.
const QUERIES: [u32; 2] = [2_000, 10_000];

/// Instructions for a point select, as callgrind counts them. `None` without valgrind.
pub fn instructions(bench: &Bench, url: &str, tasks: usize) -> Result<Option<Table>> {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let count = |contestant: &str, queries: u32| {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(beside("point_selects")?);
        let output = command.args([contestant, &tasks.to_string(), &queries.to_string(), url]).output()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = told.lines().find_map(|line| line.split_once("Collected : "));
        match collected {
            Some((_, count)) if output.status.success() => Ok(count.trim().parse::<f64>()?),
            _ => Err(told.into()),
        }
    };
    per_query(bench, &format!("instructions/{tasks}"), Metric::Count("instructions"), tasks, count).map(Some)
}

/// Allocations for a point select.
pub fn allocations(bench: &Bench, url: &str) -> Result<Table> {
    let count = |contestant: &str, queries: u32| ask("allocations", &[contestant, &queries.to_string(), url]);
    per_query(bench, "allocations", Metric::Count("allocations"), 1, count)
}

/// The most memory that is in use while many rows are read into structs, the structs included.
pub fn peak(bench: &Bench, url: &str) -> Result<Table> {
    let mut lines = Vec::new();
    for contestant in work::decoders() {
        if lines.is_empty() || bench.args.wants_contestant(contestant) {
            lines.push((contestant, ask("memory", &["peak", contestant, url])?));
        }
    }
    table("decode_10k/memory", Metric::Count("bytes"), 1, &lines)
}

/// The resident memory of a process while it streams rows, for that after the first rows.
pub fn resident(bench: &Bench, url: &str, rows: i64) -> Result<Table> {
    let mut lines = Vec::new();
    for contestant in [work::RAW, ours::NAME] {
        if lines.is_empty() || bench.args.wants_contestant(contestant) {
            let ratio = ask("memory", &["resident", contestant, &rows.to_string(), url])?;
            let ratio = Spread { median: ratio, low: ratio, high: ratio };
            lines.push(Line { contestant: contestant.to_owned(), tasks: 1, ratio, count: None });
        }
    }
    let base = "after the first twentieth of the rows".to_owned();
    let table = Table { case: "stream_1m/memory".to_owned(), metric: Metric::Other("memory"), base, lines };
    report::console::tables(std::slice::from_ref(&table), 1, &[None])?;
    Ok(table)
}

fn per_query(
    bench: &Bench,
    case: &str,
    metric: Metric,
    tasks: usize,
    count: impl Fn(&str, u32) -> Result<f64>,
) -> Result<Table> {
    let mut lines = Vec::new();
    let [few, many] = QUERIES;
    let ours = ours::connect("postgres:///", 1)?;
    let contestants = [deadpool::FAST, work::RAW].into_iter().chain(ours.iter().map(|(name, _)| *name));
    for contestant in contestants {
        if lines.is_empty() || bench.args.wants_contestant(contestant) {
            let difference = count(contestant, many)? - count(contestant, few)?;
            lines.push((contestant, difference / f64::from(many - few)));
        }
    }
    table(case, metric, tasks, &lines)
}

/// Figures as they are, and beside the first one.
fn table(case: &str, metric: Metric, tasks: usize, counts: &[(&str, f64)]) -> Result<Table> {
    let (base, first) = counts.first().ok_or("nothing was counted")?;
    let line = |(contestant, count): &(&str, f64)| {
        let ratio = count / first;
        let ratio = Spread { median: ratio, low: ratio, high: ratio };
        Line { contestant: (*contestant).to_owned(), tasks, ratio, count: Some(*count) }
    };
    let lines = counts.iter().map(line).collect();
    let table = Table { case: case.to_owned(), metric, base: (*base).to_owned(), lines };
    report::console::tables(std::slice::from_ref(&table), tasks, &[None])?;
    Ok(table)
}

/// The answer of another program of this package, a number.
fn ask(program: &str, args: &[&str]) -> Result<f64> {
    let output = Command::new(beside(program)?).args(args).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Another program of this package.
fn beside(program: &str) -> Result<PathBuf> {
    let path = env::current_exe()?.with_file_name(program);
    if path.is_file() { Ok(path) } else { Err(format!("{} is missing; build all --bins", path.display()).into()) }
}
