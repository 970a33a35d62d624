//! The page about performance.

use std::{fmt::Write as _, fs, path::Path};

use super::{
    goals::{self, GOALS},
    svg,
};
use crate::{Result, cases, harness::Table};

const PAGE: &str = "docs/performance.md";
const FOLDER: &str = "docs/performance";

const INTRODUCTION: &str = include_str!("introduction.md");
const MISSES: &str = include_str!("misses.md");
const BLOCKING: &str = include_str!("blocking.md");
const INSTRUCTIONS: &str = include_str!("instructions.md");

/// Writes the page and its plots below the root of the workspace.
pub(super) fn write(root: &Path, tables: &[Table], is_full: bool) -> Result<()> {
    let folder = root.join(FOLDER);
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut page = String::from(INTRODUCTION);
    if !is_full {
        page.push_str("\nThis page was written after a run that was shortened or left something out.\n");
    }
    add_goals(&mut page, tables)?;
    page.push('\n');
    page.push_str(MISSES);
    page.push_str("\n## Where the instructions go\n\n");
    page.push_str(INSTRUCTIONS);
    page.push_str("\n## When the blocking service is the better choice\n\n");
    page.push_str(BLOCKING);
    add_services(&mut page, tables)?;
    page.push_str("\n## All cases\n");
    for case in cases::ALL {
        let inside = |table: &&Table| table.case == case.name || table.case.starts_with(&format!("{}/", case.name));
        let tables: Vec<&Table> = tables.iter().filter(inside).collect();
        let Some(first) = tables.first() else { continue };
        writeln!(page, "\n### {}\n\nThis is {}.", case.name, case.about)?;
        fs::write(folder.join(format!("{}.svg", case.name)), svg::bars(first))?;
        writeln!(page, "\n![{}](performance/{}.svg)", first.metric.title(), case.name)?;
        for table in tables {
            add_table(&mut page, table)?;
        }
    }
    Ok(fs::write(root.join(PAGE), page)?)
}

fn add_goals(page: &mut String, tables: &[Table]) -> Result<()> {
    let outcomes = goals::outcomes(tables);
    let reached = outcomes.iter().filter(|outcome| outcome.is_reached()).count();
    writeln!(page, "\n## Goals\n\n{reached} of {} goals are reached.\n", GOALS.len())?;
    writeln!(page, "| case | tasks | contestant | beside | goal | measured | |")?;
    writeln!(page, "| --- | --: | --- | --- | --: | --: | --- |")?;
    for goal in GOALS {
        let same = |outcome: &&goals::Outcome| outcome.goal == *goal;
        let (case, tasks, bound) = (goal.case, goal.tasks, goal.bound());
        match outcomes.iter().find(same) {
            Some(it) => {
                let (contestant, beside, verdict) = (it.contestant(), &it.beside, it.verdict());
                writeln!(page, "| {case} | {tasks} | {contestant} | {beside} | {bound} | {it} | {verdict} |")?;
            }
            None => writeln!(page, "| {case} | {tasks} | | | {bound} | | not measured |")?,
        }
    }
    Ok(())
}

/// Both services in the cases that have both.
fn add_services(page: &mut String, tables: &[Table]) -> Result<()> {
    writeln!(page, "\n| case | tasks or threads | async | blocking |\n| --- | --: | --: | --: |")?;
    for table in tables.iter().filter(|table| !table.case.contains('/')) {
        let of = |name: &str, tasks: usize| {
            let line = table.lines.iter().find(|line| line.contestant == name && line.tasks == tasks)?;
            Some(format!("{:.2}", line.ratio.median))
        };
        for line in table.lines.iter().filter(|line| line.contestant == goals::BLOCKING) {
            if let (Some(nonblocking), Some(blocking)) = (of(goals::OURS, line.tasks), of(goals::BLOCKING, line.tasks))
            {
                let metric = table.metric.suffix();
                writeln!(page, "| {}, {metric} | {} | {nonblocking} | {blocking} |", table.case, line.tasks)?;
            }
        }
    }
    Ok(())
}

/// A row for each contestant, a column for each number of tasks.
fn add_table(page: &mut String, table: &Table) -> Result<()> {
    let mut tasks: Vec<usize> = Vec::new();
    let mut contestants: Vec<&str> = Vec::new();
    for line in &table.lines {
        if !tasks.contains(&line.tasks) {
            tasks.push(line.tasks);
        }
        if !contestants.contains(&line.contestant.as_str()) {
            contestants.push(&line.contestant);
        }
    }
    let heads: String = tasks.iter().map(|tasks| format!(" with {tasks} |")).collect();
    writeln!(page, "\n{}: {}, beside {}.\n", table.case, table.metric.title(), table.base)?;
    writeln!(page, "| |{heads}\n| --- |{}", " --: |".repeat(tasks.len()))?;
    for contestant in contestants {
        write!(page, "| {contestant} |")?;
        for tasks in &tasks {
            let line = table.lines.iter().find(|line| line.tasks == *tasks && line.contestant == contestant);
            let cell = line.map(|line| match line.count {
                Some(count) => format!("{count:.1}"),
                None if line.ratio.low == line.ratio.high => format!("{:.2}", line.ratio.median),
                None => format!("{:.2} ({:.2} to {:.2})", line.ratio.median, line.ratio.low, line.ratio.high),
            });
            write!(page, " {} |", cell.unwrap_or_default())?;
        }
        writeln!(page)?;
    }
    Ok(())
}
