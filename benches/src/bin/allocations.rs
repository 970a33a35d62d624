//! How often one contestant allocates: `allocations CONTESTANT QUERIES URL`.
//!
//! Apart from the harness, since all allocations are counted here.

use std::{
    env,
    io::{Write as _, stdout},
};

use allocation_counter::measure;
use catamaran_benches::{Result, probe::work};

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [contestant, queries, url] = args.as_slice() else {
        return Err("usage: allocations CONTESTANT QUERIES URL".into());
    };
    let (runtime, queries) = (work::runtime()?, queries.parse()?);
    let mut result = Ok(());
    let counted = measure(|| result = runtime.block_on(work::point_selects(contestant, url, 1, queries)));
    result?;
    Ok(writeln!(stdout(), "{}", counted.count_total)?)
}
