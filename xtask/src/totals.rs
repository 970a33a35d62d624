//! `cargo test` reports on each test program by itself; here is the sum.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::{
    error::{Error, Result},
    workspace::line_of,
};

#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs `cargo test`, lets its output through and ends with the totals.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    eprintln!("\n$ {line}");
    let mut tests = command.stdout(Stdio::piped()).spawn().map_err(Error::io(format!("running {line}")))?;
    let mut totals = Totals::default();
    if let Some(output) = tests.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(Error::io("reading the tests' output"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            totals.add(&line);
        }
    }
    let status = tests.wait().map_err(Error::io(format!("running {line}")))?;
    println!("\n{totals}");
    if status.success() { Ok(()) } else { Err(Error::new(format!("{line}: {status}"))) }
}

impl Totals {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|result| result.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, what)| (number.parse::<u64>(), what)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                Some((Ok(number), "ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_up() {
        let mut totals = Totals::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.00s",
            "test result: ok",
        ] {
            totals.add(line);
        }
        assert_eq!(totals, Totals { passed: 8, failed: 2, ignored: 1 });
        assert_eq!(totals.to_string(), "8 passed, 2 failed, 1 skipped");
    }
}
