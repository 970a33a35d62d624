//! Whether those who need a connection for themselves get one while others ask for single statements.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    Result,
    bench::{Bench, POOL},
    harness::{Entrant, Load, Metric, Record, Table},
    peers::{deadpool, ours},
};

/// Tasks that run transactions, beside those that run single statements.
const TRANSACTIONS: usize = 4;

/// A task of one kind or the other. Only transactions are recorded: how long each waited for its beginning.
macro_rules! mixed {
    ($pool:expr, $peer:ident) => {{
        let pool = Arc::new($pool);
        move |load: Load, task: usize| -> BoxFuture<'static, Result<Record>> {
            let pool = pool.clone();
            Box::pin(async move {
                let mut record = Record::new(&load, task);
                while record.is_open() {
                    if task < TRANSACTIONS {
                        let waited = $peer::transaction(&pool, record.account()).await?;
                        record.note(waited);
                    } else {
                        let account = $peer::point_select(&pool, record.account()).await?;
                        std::hint::black_box(account);
                        record.begin();
                    }
                }
                Ok(record)
            })
        }
    }};
}

/// Throughput is that of the transactions, latencies are those of their beginning.
pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    let pool = deadpool::connect(url, POOL, deadpool::Recycling::Fast)?;
    entrants.add(Entrant::tasks(deadpool::FAST, bench.handle().clone(), mixed!(pool, deadpool)));
    for (name, db) in ours::connect(url, POOL)? {
        if entrants.wants(name) {
            entrants.add(Entrant::tasks(name, bench.handle().clone(), mixed!(db, ours)));
        }
    }
    let tasks = 64 + TRANSACTIONS;
    bench.compare("transactions", &entrants, &[tasks], &[Metric::Throughput, Metric::Mean, Metric::P99, Metric::Max])
}
