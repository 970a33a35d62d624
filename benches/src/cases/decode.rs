//! Many rows into structs.

use crate::{
    Result,
    bench::Bench,
    harness::{Metric, Table},
    peers::{ours, ours_blocking, raw},
    probe, tasks, threads,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    tasks!(entrants, bench.handle(), "raw query + get", bench.wait(raw::connect(url))?, |raw, _record| {
        raw::many_rows(raw).await?
    });
    for (name, db) in ours::connect(url, 1)? {
        let db = &db;
        tasks!(entrants, bench.handle(), name, db.clone(), |db, _record| ours::many_rows(db).await?);
        let name = format!("{name} fetch_stream_as");
        tasks!(entrants, bench.handle(), &name, db.clone(), |db, _record| ours::many_rows_streamed(db).await?);
    }
    threads!(entrants, "catamaran blocking", ours_blocking::connect(url, 1)?, |db, _record| {
        ours_blocking::many_rows(db)?
    });
    tasks!(entrants, bench.handle(), "raw query_raw", bench.wait(raw::connect(url))?, |raw, _record| {
        raw::many_rows_streamed(raw).await?
    });
    #[cfg(feature = "peers")]
    {
        use crate::peers::{diesel, diesel_async, sea_orm, sqlx};
        tasks!(entrants, bench.handle(), "sqlx", bench.wait(sqlx::connect(url, 1, true))?, |pool, _record| {
            sqlx::many_rows(pool).await?
        });
        tasks!(entrants, bench.handle(), "sea-orm", bench.wait(sea_orm::connect(url, 1))?, |pool, _record| {
            sea_orm::many_rows(pool).await?
        });
        tasks!(entrants, bench.handle(), "diesel-async", diesel_async::connect(url, 1, true)?, |pool, _record| {
            diesel_async::many_rows(pool).await?
        });
        threads!(entrants, "diesel", diesel::connect(url, 1, true)?, |pool, _record| diesel::many_rows(pool)?);
    }
    let mut tables = bench.compare("decode_10k", &entrants, &[1], &[Metric::Time, Metric::Cpu])?;
    tables.push(probe::peak(bench, url)?);
    Ok(tables)
}
