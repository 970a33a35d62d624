//! Ratios for whoever waits for them.

use std::io::{Write as _, stdout};

use super::goals::Outcome;
use crate::{
    Result,
    args::USAGE,
    cases::Case,
    harness::{Spread, Table},
};

pub fn help() -> Result<()> {
    Ok(writeln!(stdout(), "{USAGE}")?)
}

pub fn cases(cases: &[&Case]) -> Result<()> {
    for case in cases {
        writeln!(stdout(), "{:24} {}", case.name, case.about)?;
    }
    Ok(())
}

pub fn case(case: &Case) -> Result<()> {
    Ok(writeln!(stdout(), "\n=== {}: {}", case.name, case.about)?)
}

/// All metrics of a case side by side. The figures of the base are only for orientation: they depend on the machine,
/// and on what else runs there.
pub fn tables(tables: &[Table], tasks: usize, figures: &[Option<Spread>]) -> Result<()> {
    let Some(first) = tables.first() else { return Ok(()) };
    let mut out = stdout().lock();
    writeln!(out, "\n{} with {tasks}, beside {}:", first.case, first.base)?;
    write!(out, "  {:34}", "")?;
    for (table, figure) in tables.iter().zip(figures) {
        let told = figure.map(|figure| format!(" ({})", table.metric.show(figure.median))).unwrap_or_default();
        write!(out, " {:<26}", format!("{}{told}", table.metric.suffix()))?;
    }
    writeln!(out)?;
    for line in first.lines.iter().filter(|line| line.tasks == tasks) {
        write!(out, "  {:34}", line.contestant)?;
        for table in tables {
            let same = table.lines.iter().find(|other| other.tasks == tasks && other.contestant == line.contestant);
            let cell = same.map(|line| {
                let Spread { median, low, high } = line.ratio;
                let count = line.count.map(|count| format!("{count:.1} ")).unwrap_or_default();
                format!("{count}{median:.3} [{low:.3}, {high:.3}]")
            });
            write!(out, " {:<26}", cell.unwrap_or_default())?;
        }
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

/// Of what was measured.
pub(super) fn goals(outcomes: &[Outcome]) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "\n=== goals")?;
    for outcome in outcomes {
        let (goal, told) = (outcome.goal, outcome.to_string());
        let (case, tasks, bound, verdict) = (goal.case, goal.tasks, goal.bound(), outcome.verdict());
        writeln!(out, "  {case:28} {tasks:4} {bound:>8} beside {:20} {told:24} {verdict}", outcome.beside)?;
    }
    Ok(out.flush()?)
}
