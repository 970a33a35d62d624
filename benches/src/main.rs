//! Runs the cases that were asked for. Started by `cargo xtask bench`.
#![allow(clippy::print_stderr, reason = "a program speaks on its standard streams")]

use std::{env, process::ExitCode};

use catamaran_benches::{Result, args::Args, bench::Bench, cases, report};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args = Args::parse(env::args().skip(1))?;
    if args.help {
        return report::console::help();
    }
    let wanted: Vec<_> = cases::ALL.iter().filter(|case| args.wants_case(case.name)).collect();
    if args.list {
        return report::console::cases(&wanted);
    }
    if wanted.is_empty() {
        return Err("no case has such a name; see --list".into());
    }
    let bench = Bench::new(args)?;
    let mut tables = Vec::new();
    for case in wanted {
        report::console::case(case)?;
        tables.extend((case.run)(&bench).map_err(|error| format!("{}: {error}", case.name))?);
    }
    report::write(&bench.args, &tables)
}
