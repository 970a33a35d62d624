//! The pools alone.

use crate::{
    Result,
    bench::{Bench, POOL},
    deadpool_first,
    harness::{Metric, Table},
    peers::ours,
    tasks,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    deadpool_first!(bench, entrants, url, |peer, pool, _record| peer::checkout(pool).await?);
    for (name, db) in ours::connect(url, POOL)? {
        tasks!(entrants, bench.handle(), name, db, |db, _record| ours::checkout(db).await?);
    }
    #[cfg(feature = "peers")]
    {
        use crate::peers::{bb8, sqlx};
        for (name, test) in [("bb8", true), ("bb8 without test", false)] {
            let pool = bench.wait(bb8::connect(url, POOL, test))?;
            tasks!(entrants, bench.handle(), name, pool, |pool, _record| bb8::checkout(pool).await?);
        }
        for (name, test) in [("sqlx", true), ("sqlx without test", false)] {
            let pool = bench.wait(sqlx::connect(url, POOL, test))?;
            tasks!(entrants, bench.handle(), name, pool, |pool, _record| sqlx::checkout(pool).await?);
        }
    }
    bench.compare("checkout", &entrants, &[1, 64], &[Metric::Time, Metric::Cpu])
}
