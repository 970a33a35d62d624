//! Whether statements that wait keep each other waiting.

use std::time::Instant;

use futures_util::future::try_join_all;

use crate::{
    Result,
    bench::Bench,
    harness::{Line, Metric, Spread, Table},
    peers::{deadpool, ours},
    report,
};

const TEN: usize = 10;

pub(super) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let url = &bench.site.reading()?.socket()?;
    let mut lines = Vec::new();
    let pool = deadpool::connect(url, TEN, deadpool::Recycling::Fast)?;
    lines.push(line(bench, deadpool::FAST, async || deadpool::sleep(&pool).await)?);
    for (name, db) in ours::connect(url, TEN)? {
        lines.push(line(bench, name, async || ours::sleep(&db).await)?);
    }
    let table = Table { case: "ten_at_once".into(), metric: Metric::Time, base: "one of them alone".into(), lines };
    report::console::tables(std::slice::from_ref(&table), TEN, &[None])?;
    Ok(vec![table])
}

/// How long all take, for how long one takes.
fn line(bench: &Bench, name: &str, sleep: impl AsyncFn() -> Result<()>) -> Result<Line> {
    let time = |many: usize| -> Result<f64> {
        let begin = Instant::now();
        bench.wait(try_join_all((0..many).map(|_| sleep())))?;
        Ok(begin.elapsed().as_secs_f64())
    };
    time(TEN)?;
    let rounds = bench.plan.rounds * 2;
    let ratios = (0..rounds).map(|_| Ok(time(TEN)? / time(1)?)).collect::<Result<Vec<_>>>()?;
    let ratio = Spread::of(ratios).ok_or("nothing was measured")?;
    Ok(Line { contestant: name.to_owned(), tasks: TEN, ratio, count: None })
}
