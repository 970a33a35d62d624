//! Runs the conformance cases, all or those whose names contain the argument, and prints the table.
//!
//! Exits with 1 if an executor differs or a case was not run.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

/// A case that takes longer than this is told of at once.
const SLOW: Duration = Duration::from_secs(1);

fn main() -> io::Result<ExitCode> {
    let report = catamaran_tests::conformance::run(&env::args().nth(1).unwrap_or_default(), |line, took| {
        if took > SLOW {
            // Nothing depends on whether it can be told.
            let _ = writeln!(io::stderr(), "{} took {took:.1?}", line.case);
        }
    });
    writeln!(io::stdout(), "{report}")?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
