//! A page of chat history: a join, 50 rows, a jsonb column.

use crate::{
    Result,
    bench::{Bench, POOL},
    everyone, everyone_blocking,
    harness::{Metric, Table},
    peers::ours_blocking,
    threads,
};

const METRICS: &[Metric] = &[Metric::Throughput, Metric::P99, Metric::Cpu];

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    everyone!(bench, entrants, url, |peer, pool, record| peer::history(pool, record.agent()).await?);
    threads!(entrants, "catamaran blocking", ours_blocking::connect(url, POOL)?, |db, record| {
        ours_blocking::history(db, record.agent())?
    });
    entrants.change("catamaran blocking", |threads| threads.only_with(&[1, 8, 64]));
    bench.compare("history", &entrants, &[1, 8, 64], METRICS)
}

pub(super) fn blocking(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    everyone_blocking!(bench, entrants, url, |peer, pool, record| peer::history(pool, record.agent())?);
    bench.compare("blocking_history", &entrants, &[1, 8, 64], METRICS)
}
