//! One row by its primary key, into a struct.

use deadpool_postgres::RecyclingMethod::{Clean, Fast, Verified};

use crate::{
    Result,
    bench::{Bench, POOL},
    harness::{Metric, Table},
    peers::{deadpool, ours, raw},
    tasks,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = bench.site.reading()?.socket()?;
    let (url, handle) = (url.as_str(), bench.handle());
    let mut entrants = bench.entrants();
    tasks!(entrants, handle, "deadpool Fast", deadpool::connect(url, POOL, Fast)?, |pool, record| {
        deadpool::point_select(pool, record.account()).await?
    });
    tasks!(entrants, handle, "raw tokio-postgres", bench.wait(raw::connect(url))?, |client, record| {
        raw::point_select(client, record.account()).await?
    });
    entrants.change("raw tokio-postgres", |raw| raw.only_with(&[1]));
    tasks!(entrants, handle, "deadpool Verified", deadpool::connect(url, POOL, Verified)?, |pool, record| {
        deadpool::point_select(pool, record.account()).await?
    });
    tasks!(entrants, handle, "deadpool Clean", deadpool::connect(url, POOL, Clean)?, |pool, record| {
        deadpool::point_select(pool, record.account()).await?
    });
    for (name, db) in ours::connect(url, POOL)? {
        tasks!(entrants, handle, name, db, |db, record| ours::point_select(db, record.account()).await?);
    }
    bench.compare("point_select", &entrants, &[1, 8, 64, 256], &[Metric::Throughput, Metric::P99, Metric::Cpu])
}
