//! Rows inserted one by one, each committed by itself.

use crate::{
    Result,
    bench::Bench,
    everyone,
    harness::{Metric, Table},
    rows::IMPORTS,
};

pub(super) fn durably(bench: &Bench) -> Result<Vec<Table>> {
    run(bench, "insert_sync_on", &bench.site.writing()?.socket()?)
}

pub(super) fn soon(bench: &Bench) -> Result<Vec<Table>> {
    run(bench, "insert_sync_off", &bench.site.writing_soon()?.socket()?)
}

fn run(bench: &Bench, case: &str, url: &str) -> Result<Vec<Table>> {
    let mut entrants = bench.entrants();
    everyone!(bench, entrants, url, |peer, pool, record| peer::insert(pool, record.one_of(&IMPORTS)).await?);
    bench.compare(case, &entrants, &[1, 8, 64], &[Metric::Throughput, Metric::P99, Metric::Cpu])
}
