//! What the programs beside the harness run: one contestant, on a runtime of one thread.

use std::{fs, sync::Arc};

use crate::{
    Result,
    bench::POOL,
    peers::{deadpool, ours, raw},
    rows::Item,
    sql,
};

pub const RAW: &str = "raw tokio-postgres";
const RAW_STREAM: &str = "raw query_raw";
const RAW_QUERY: &str = "raw query + get";
const OURS_STREAM: &str = "catamaran fetch_stream_as";

pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

macro_rules! spread {
    ($pool:expr, $peer:ident, $tasks:expr, $queries:expr) => {{
        let (pool, tasks, queries) = (Arc::new($pool), $tasks, $queries);
        let task = |task: usize| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(task as u64);
                for _ in 0..queries / tasks {
                    std::hint::black_box($peer::point_select(&pool, random.i64(1..=sql::ACCOUNTS)).await?);
                }
                Ok::<_, crate::Error>(())
            })
        };
        let running: Vec<_> = (0..tasks).map(task).collect();
        for task in running {
            task.await??;
        }
        Ok(())
    }};
}

/// So many point selects, so many of them at a time.
pub async fn point_selects(contestant: &str, url: &str, tasks: usize, queries: usize) -> Result<()> {
    match contestant {
        deadpool::FAST => {
            let pool = deadpool::connect(url, POOL, deadpool::Recycling::Fast)?;
            spread!(pool, deadpool, tasks, queries)
        }
        RAW => spread!(raw::connect(url).await?, raw, tasks, queries),
        _ => spread!(ours::connect_slowed(url, POOL)?, ours, tasks, queries),
    }
}

/// Who reads many rows into structs; the first one is the base.
pub fn decoders() -> Vec<&'static str> {
    let mut all = vec![RAW_QUERY, RAW_STREAM, deadpool::FAST, ours::NAME, OURS_STREAM];
    if cfg!(feature = "peers") {
        all.extend(["sqlx", "sea-orm", "diesel-async"]);
    }
    all
}

/// Has `measured` run what reads many rows into structs, on a connection that has read nothing yet.
pub fn many_rows(contestant: &str, url: &str, measured: impl Fn(&mut dyn FnMut())) -> Result<()> {
    let runtime = runtime()?;
    let once = |read: &dyn Fn() -> Result<usize>| {
        let mut found = Ok(0);
        measured(&mut || found = read());
        if found? == sql::MANY { Ok(()) } else { Err("rows are missing".into()) }
    };
    let count = |rows: Vec<Item>| rows.len();
    match contestant {
        RAW_QUERY | RAW_STREAM => {
            let client = runtime.block_on(raw::connect(url))?;
            once(&|| match contestant {
                RAW_QUERY => runtime.block_on(raw::many_rows(&client)).map(count),
                _ => runtime.block_on(raw::many_rows_streamed(&client)).map(count),
            })
        }
        deadpool::FAST => {
            let pool = deadpool::connect(url, 1, deadpool::Recycling::Fast)?;
            once(&|| runtime.block_on(deadpool::many_rows(&pool)).map(count))
        }
        OURS_STREAM => {
            let db = find_ours(ours::NAME, url, 1)?;
            once(&|| runtime.block_on(ours::many_rows_streamed(&db)).map(count))
        }
        #[cfg(feature = "peers")]
        "sqlx" => {
            let pool = runtime.block_on(crate::peers::sqlx::connect(url, 1, true))?;
            once(&|| runtime.block_on(crate::peers::sqlx::many_rows(&pool)).map(count))
        }
        #[cfg(feature = "peers")]
        "sea-orm" => {
            let db = runtime.block_on(crate::peers::sea_orm::connect(url, 1))?;
            once(&|| runtime.block_on(crate::peers::sea_orm::many_rows(&db)).map(|rows| rows.len()))
        }
        #[cfg(feature = "peers")]
        "diesel-async" => {
            let pool = crate::peers::diesel_async::connect(url, 1, true)?;
            once(&|| runtime.block_on(crate::peers::diesel_async::many_rows(&pool)).map(count))
        }
        _ => {
            let db = find_ours(contestant, url, 1)?;
            once(&|| runtime.block_on(ours::many_rows(&db)).map(count))
        }
    }
}

/// The largest resident memory while so many rows are streamed, for that after the first twentieth of them.
pub fn resident(contestant: &str, url: &str, rows: i64) -> Result<f64> {
    let runtime = runtime()?;
    let (mut first, mut largest) = (0, 0);
    let twentieth = u64::try_from(rows / 20)?.max(1);
    let look = |seen: u64| {
        if seen.is_multiple_of(1000) && seen >= twentieth {
            let now = resident_pages();
            first = if first == 0 { now } else { first };
            largest = now.max(largest);
        }
    };
    let seen = match contestant {
        RAW => runtime.block_on(async { raw::stream(&raw::connect(url).await?, rows, look).await })?,
        _ => runtime.block_on(async { ours::stream(&find_ours(contestant, url, 1)?, rows, look).await })?,
    };
    if i64::try_from(seen)? != rows || first == 0 {
        return Err("rows are missing, or this system has no /proc/self/statm".into());
    }
    Ok(largest as f64 / first as f64)
}

fn resident_pages() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default()
}

fn find_ours(name: &str, url: &str, size: usize) -> Result<ours::Db> {
    let found = ours::connect(url, size)?.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, db)| db).ok_or_else(|| format!("there is no contestant {name}").into())
}
