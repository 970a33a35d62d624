//! How much memory one contestant needs. Apart from the harness, since all of it is measured here.

use std::{
    alloc::System,
    cell::Cell,
    env,
    io::{Write as _, stdout},
};

use cap::Cap;
use catamaran_benches::{Result, probe::work};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let figure = match args.as_slice() {
        ["peak", contestant, url] => {
            let peak = Cell::new(0);
            work::many_rows(contestant, url, |run| {
                let before = ALLOCATOR.allocated();
                run();
                peak.set(ALLOCATOR.max_allocated().saturating_sub(before));
            })?;
            peak.get() as f64
        }
        ["resident", contestant, rows, url] => work::resident(contestant, url, rows.parse()?)?,
        _ => return Err("usage: memory peak CONTESTANT URL | memory resident CONTESTANT ROWS URL".into()),
    };
    Ok(writeln!(stdout(), "{figure}")?)
}
