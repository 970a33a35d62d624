//! Runs the conformance cases, all or those whose names contain the argument, and prints the table.
//!
//! Exits with 1 if an executor differs or a case was not run.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> io::Result<ExitCode> {
    let report = catamaran_tests::conformance::run(&env::args().nth(1).unwrap_or_default());
    writeln!(io::stdout(), "{report}")?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
