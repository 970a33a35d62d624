//! More rows than anyone wants to hold at once.

use crate::{
    Result,
    bench::Bench,
    harness::{Metric, Table},
    peers::{ours, raw},
    probe, tasks,
};

const ROWS: i64 = 1_000_000;

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    tasks!(entrants, bench.handle(), "query_raw", bench.wait(raw::connect(url))?, |raw, _record| {
        raw::stream(raw, ROWS, |_| ()).await?
    });
    for (name, db) in ours::connect(url, 1)? {
        let name = format!("{name} fetch_stream");
        tasks!(entrants, bench.handle(), &name, db, |db, _record| ours::stream(db, ROWS, |_| ()).await?);
    }
    let mut tables = bench.compare("stream_1m", &entrants, &[1], &[Metric::Throughput, Metric::Cpu])?;
    tables.push(probe::resident(bench, url, ROWS)?);
    Ok(tables)
}
