//! What a slow statement now and then does to all others.

use crate::{
    Result,
    bench::Bench,
    everyone,
    harness::{Metric, Table},
};

/// 0.2 %.
const ONE_IN: u32 = 500;

/// Latencies are those of the fast statements.
pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut entrants = bench.entrants();
    everyone!(bench, entrants, url, |peer, pool, record| {
        if record.one_in(ONE_IN) {
            record.leave_out();
            peer::sleep(pool).await?;
            None
        } else {
            Some(peer::point_select(pool, record.account()).await?)
        }
    });
    bench.compare("tail", &entrants, &[8, 64], &[Metric::Throughput, Metric::P99, Metric::P50])
}
