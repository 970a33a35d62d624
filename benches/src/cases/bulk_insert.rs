//! Many rows at once, into a table that is emptied before each slice.

use crate::{
    Result,
    bench::{Bench, POOL},
    harness::{Entrants, Metric, Table},
    peers::{deadpool, ours},
    rows::IMPORTS,
    tasks,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let place = bench.site.writing()?;
    let url = &place.socket()?;
    let mut entrants = bench.entrants();
    let pool = || deadpool::connect(url, POOL, deadpool::Recycling::Fast);
    tasks!(entrants, bench.handle(), "BinaryCopyInWriter", pool()?, |pool, _record| {
        deadpool::bulk_insert(pool, &IMPORTS).await?
    });
    for (name, db) in ours::connect(url, POOL)? {
        let name = format!("{name} copy_rows_in");
        tasks!(entrants, bench.handle(), &name, db, |db, _record| ours::bulk_insert(db, &IMPORTS).await?);
    }
    tasks!(entrants, bench.handle(), "deadpool UNNEST", pool()?, |pool, _record| {
        deadpool::bulk_insert_unnest(pool, &IMPORTS).await?
    });
    tasks!(entrants, bench.handle(), "deadpool VALUES", pool()?, |pool, _record| {
        deadpool::bulk_insert_values(pool, &IMPORTS).await?
    });
    #[cfg(feature = "peers")]
    add_peers(bench, &mut entrants, url)?;
    let entrants = emptied(entrants, url)?;
    bench.compare("bulk_insert", &entrants, &[1], &[Metric::Time, Metric::Cpu])
}

/// Has the table emptied before each slice.
fn emptied<'a>(mut entrants: Entrants<'a>, url: &str) -> Result<Entrants<'a>> {
    let empty = |url: &str| -> Result<()> {
        let mut client = postgres::Client::connect(url, postgres::NoTls)?;
        Ok(client.batch_execute("TRUNCATE imports")?)
    };
    entrants.list = entrants
        .list
        .into_iter()
        .map(|entrant| {
            let url = url.to_owned();
            entrant.prepared_by(move || empty(&url))
        })
        .collect();
    Ok(entrants)
}

#[cfg(feature = "peers")]
fn add_peers(bench: &Bench, entrants: &mut Entrants<'_>, url: &str) -> Result<()> {
    use crate::{
        peers::{diesel, diesel_async, sqlx},
        threads,
    };

    let pool = || bench.wait(sqlx::connect(url, POOL, true));
    tasks!(entrants, bench.handle(), "sqlx UNNEST", pool()?, |pool, _record| {
        sqlx::bulk_insert_unnest(pool, &IMPORTS).await?
    });
    tasks!(entrants, bench.handle(), "sqlx push_values", pool()?, |pool, _record| {
        sqlx::bulk_insert_values(pool, &IMPORTS).await?
    });
    threads!(entrants, "diesel copy_from", diesel::connect(url, POOL, true)?, |pool, _record| {
        diesel::bulk_insert(pool, &IMPORTS)?
    });
    threads!(entrants, "diesel values", diesel::connect(url, POOL, true)?, |pool, _record| {
        diesel::bulk_insert_values(pool, &IMPORTS)?
    });
    let pool = diesel_async::connect(url, POOL, true)?;
    tasks!(entrants, bench.handle(), "diesel-async values", pool, |pool, _record| {
        diesel_async::bulk_insert_values(pool, &IMPORTS).await?
    });
    Ok(())
}
