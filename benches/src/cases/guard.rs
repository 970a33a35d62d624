//! What it costs to guard a request.

use crate::{
    Result,
    bench::{Bench, POOL},
    harness::{Metric, Table},
    peers::ours,
    tasks,
};

/// A guarded request names its route, as a layer does.
pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    let db = ours::connect(url, POOL)?.swap_remove(0).1;
    tasks!(entrants, bench.handle(), "not guarded", db.clone(), |db, record| {
        ours::point_select(db, record.account()).await?
    });
    tasks!(entrants, bench.handle(), "guarded", db, |db, record| {
        let route = format!("{} {}", "GET", "/accounts/{id}");
        catamaran::guard::scope(route, ours::point_select(db, record.account())).await?
    });
    bench.compare("guard", &entrants, &[1, 64], &[Metric::Throughput, Metric::Cpu, Metric::P99])
}
