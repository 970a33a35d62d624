//! One row by its primary key, into a struct.

use crate::{
    Result,
    bench::{Bench, POOL},
    everyone, everyone_blocking,
    harness::{Entrant, Metric, Table},
    peers::{deadpool, ours_blocking, pgbench},
    tasks, threads,
};

const METRICS: &[Metric] = &[Metric::Throughput, Metric::P99, Metric::Cpu];

pub(super) fn over_socket(bench: &Bench) -> Result<Vec<Table>> {
    let place = bench.site.reading()?;
    let url = &place.socket()?;
    let mut entrants = bench.entrants();
    everyone!(bench, entrants, url, |peer, pool, record| peer::point_select(pool, record.account()).await?);
    threads!(entrants, "catamaran blocking", ours_blocking::connect(url, POOL)?, |db, record| {
        ours_blocking::point_select(db, record.account())?
    });
    entrants.change("catamaran blocking", |threads| threads.only_with(&[1, 8, 64]));
    for (name, recycling) in
        [("deadpool Verified", deadpool::Recycling::Verified), ("deadpool Clean", deadpool::Recycling::Clean)]
    {
        let pool = deadpool::connect(url, POOL, recycling)?;
        tasks!(entrants, bench.handle(), name, pool, |pool, record| {
            deadpool::point_select(pool, record.account()).await?
        });
    }
    // Its clients are its connections, so that more of them than the pools have would compare something else.
    if entrants.wants("pgbench")
        && let Some(pgbench) = pgbench::connect(url, place.cluster.binaries(), place.cluster.directory())?
    {
        let run = move |load: &_| pgbench::point_select(&pgbench, load);
        entrants.add(Entrant::new("pgbench", run).only_with(&[1, POOL]));
    }
    bench.compare("point_select", &entrants, &[1, 8, 64, 256], METRICS)
}

pub(super) fn over_tcp(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.tcp();
    let mut entrants = bench.entrants();
    everyone!(bench, entrants, url, |peer, pool, record| peer::point_select(pool, record.account()).await?);
    bench.compare("tcp_point_select", &entrants, &[1, 8, 64], METRICS)
}

pub(super) fn blocking(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    everyone_blocking!(bench, entrants, url, |peer, pool, record| peer::point_select(pool, record.account())?);
    bench.compare("blocking_point_select", &entrants, &[1, 8, 64], METRICS)
}
