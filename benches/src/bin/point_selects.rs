//! Point selects of one contestant, for callgrind to count: `point_selects CONTESTANT TASKS QUERIES URL`.

use std::env;

use catamaran_benches::{Result, probe::work};

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [contestant, tasks, queries, url] = args.as_slice() else {
        return Err("usage: point_selects CONTESTANT TASKS QUERIES URL".into());
    };
    work::runtime()?.block_on(work::point_selects(contestant, url, tasks.parse()?, queries.parse()?))
}
