//! What a point select costs the client, counted and not timed.

use std::io::{Write as _, stdout};

use crate::{Result, bench::Bench, harness::Table, probe};

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut tables = Vec::new();
    for tasks in [1, 32] {
        match probe::instructions(bench, url, tasks)? {
            Some(table) => tables.push(table),
            None => writeln!(stdout(), "there is no valgrind here to count instructions with")?,
        }
    }
    Ok(tables)
}

pub(super) fn allocations(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    Ok(vec![probe::allocations(bench, url)?])
}
