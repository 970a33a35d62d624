//! A network between client and server.

use std::time::Duration;

use catamaran_testkit::Proxy;

use crate::{
    Result,
    bench::{Bench, POOL},
    everyone,
    harness::{Metric, Table},
    peers::raw,
    tasks,
};

/// In each direction.
const DELAY: Duration = Duration::from_micros(250);

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let place = bench.site.reading()?;
    let proxy = Proxy::start(place.cluster.server())?;
    proxy.set_delay(DELAY, DELAY);
    let url = &place.database.url_via(proxy.address());
    let mut entrants = bench.entrants();
    everyone!(bench, entrants, url, |peer, pool, record| peer::point_select(pool, record.account()).await?);
    // What sharing connections may come to here, with nothing between it and the driver.
    let pipelined = || -> Result<Vec<_>> { (0..POOL).map(|_| bench.wait(raw::connect(url))).collect() };
    tasks!(entrants, bench.handle(), "raw on 8 shared connections", pipelined()?, |clients, record| {
        raw::point_select(record.one_of(clients), record.account()).await?
    });
    // The CPU time would be the proxy's as well.
    bench.compare("round_trip", &entrants, &[1, 8, 64], &[Metric::Throughput, Metric::P99])
}
