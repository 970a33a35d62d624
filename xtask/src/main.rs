//! The project's own commands. Run with `cargo xtask`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks on its standard streams")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bench;
mod ci;
mod conformance;
mod demo;
mod error;
mod features;
mod instructions;
mod packages;
mod test;
mod tidy;
mod totals;
mod workspace;

use std::{env, process::ExitCode};

use error::Result;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask demo [--addr ADDRESS]   the example service over a database of its own, on 127.0.0.1:3000
       cargo xtask test [ARGUMENT…]        all tests over a database of their own; arguments go to the test runner
       cargo xtask conformance [CASE]      the conformance cases and their table
       cargo xtask instructions [--record] what the library's own operations cost, beside the record, or as the new one
       cargo xtask ci [--no-test] [--no-instructions]
                                           everything that a change must pass
       cargo xtask bench [ARGUMENT…]       ratios to other libraries; --help tells the arguments, --lean builds few peers
       cargo xtask tidy                    what the source must keep to
Where PostgreSQL, PgBouncer or valgrind is missing, those that need it install it.";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some((verb, args)) = args.split_first() else { return usage() };
    let result = match (verb.as_str(), args) {
        ("demo", _) => with_workspace(|workspace| demo::run(workspace, args)),
        ("test", _) => with_workspace(|workspace| test::run(workspace, args)),
        ("conformance", _) => with_workspace(|workspace| conformance::run(workspace, args)),
        ("instructions", []) => with_workspace(|workspace| instructions::run(workspace, false)),
        ("instructions", [arg]) if arg == "--record" => with_workspace(|workspace| instructions::run(workspace, true)),
        ("ci", _) => match ci::Leave::parse(args) {
            Some(leave) => with_workspace(|workspace| ci::run(workspace, leave)),
            None => return usage(),
        },
        ("bench", _) => with_workspace(|workspace| bench::run(workspace, args)),
        ("tidy", []) => with_workspace(tidy::run),
        ("help" | "--help" | "-h", _) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return usage(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn with_workspace(run: impl FnOnce(&Workspace) -> Result<()>) -> Result<()> {
    run(&Workspace::find()?)
}
