//! Does one operation as often as told, for tools that count instructions: `instructions NAME TIMES`. Without arguments,
//! lists the names.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use catamaran_micro::{Error, operations};
use dlmalloc::GlobalDlmalloc;

/// The same on every system, so that counts don't depend on the allocator of the C library.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell if this fails.
            let _ = writeln!(io::stderr(), "instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut operations = operations()?;
    match args.as_slice() {
        [] => {
            let mut out = io::stdout().lock();
            operations.iter().try_for_each(|operation| writeln!(out, "{}", operation.name))?;
            Ok(())
        }
        [name, times] => {
            let times: u64 = times.parse()?;
            let operation = operations.iter_mut().find(|operation| operation.name == name.as_str());
            let operation = operation.ok_or_else(|| format!("there is no operation {name}"))?;
            (0..times).for_each(|_| operation.run());
            Ok(())
        }
        _ => Err("usage: instructions [NAME TIMES]".into()),
    }
}
