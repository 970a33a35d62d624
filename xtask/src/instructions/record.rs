//! The counts on record, and what they are compared with.

use std::fmt;

use crate::error::{Error, Result};

/// By how many per cent a count may differ from the record.
const TOLERANCE: u64 = 3;

/// What made the program that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// As `rustc --version` tells it.
    pub(crate) version: String,
    /// The target triple.
    pub(crate) host: String,
}

impl Compiler {
    /// Reads the output of `rustc --version --verbose`.
    pub(crate) fn parse(verbose: &str) -> Option<Self> {
        let version = verbose.lines().next()?.to_owned();
        let host = verbose.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Self { version, host })
    }
}

/// Instructions by operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) compiler: Compiler,
    pub(crate) counts: Vec<(String, u64)>,
}

/// What a comparison shows, and what follows from it.
pub(crate) struct Comparison {
    pub(crate) table: String,
    pub(crate) outcome: Result<()>,
}

impl Record {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let version = lines.next().filter(|line| line.starts_with("rustc "))?.to_owned();
        let host = lines.next()?.strip_prefix("host ")?.to_owned();
        let counts = lines.map(|line| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        });
        Some(Self { compiler: Compiler { version, host }, counts: counts.collect::<Option<_>>()? })
    }

    fn of(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(other, _)| other == name).map(|(_, count)| *count)
    }

    /// Compares these counts with newer ones.
    pub(crate) fn compare(&self, now: &Self) -> Comparison {
        let (mut table, mut higher, mut lower, mut other) = (header(), Vec::new(), Vec::new(), Vec::new());
        for (name, count) in &now.counts {
            let Some(before) = self.of(name) else {
                table += &line(name, "", count, "not on record");
                other.push(name.as_str());
                continue;
            };
            let verdict = if 100 * count > (100 + TOLERANCE) * before {
                higher.push(name.as_str());
                "HIGHER"
            } else if 100 * count < (100 - TOLERANCE) * before {
                lower.push(name.as_str());
                "lower"
            } else {
                ""
            };
            table += &line(name, &before.to_string(), count, &format!("{} {verdict}", per_cent(before, *count)));
        }
        for (name, before) in self.counts.iter().filter(|(name, _)| now.of(name).is_none()) {
            table += &line(name, &before.to_string(), &"", "gone");
            other.push(name.as_str());
        }
        let again = "`cargo xtask instructions --record`";
        if !lower.is_empty() {
            table += &format!("\n{} take less than on record; write it anew with {again}\n", lower.join(", "));
        }
        let mut problems = Vec::new();
        if !higher.is_empty() {
            problems.push(format!("{} take over {TOLERANCE} % more instructions than on record", higher.join(", ")));
        }
        if !other.is_empty() {
            problems.push(format!("{} are not the operations on record", other.join(", ")));
        }
        let outcome = match problems.as_slice() {
            [] => Ok(()),
            _ => {
                Err(Error::new(format!("{}; where that is meant, write it anew with {again}", problems.join(", and "))))
            }
        };
        Comparison { table, outcome }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions that each operation of benches/micro takes, as `cargo xtask instructions` counts them."
        )?;
        writeln!(f, "{}\nhost {}\n", self.compiler.version, self.compiler.host)?;
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "{name} {count}"))
    }
}

fn header() -> String {
    line("operation", "on record", &"now", "")
}

fn line(name: &str, before: &str, now: &impl fmt::Display, verdict: &str) -> String {
    format!("{name:<32}{before:>12}{:>12}  {verdict}", now.to_string()).trim_end().to_owned() + "\n"
}

/// The change in per cent, to a tenth.
fn per_cent(before: u64, now: u64) -> String {
    let sign = if now < before { '-' } else { '+' };
    let tenths = 1_000 * before.abs_diff(now) / before.max(1);
    format!("{sign}{}.{} %", tenths / 10, tenths % 10)
}

/// The count in what callgrind tells at its end: `==123== Collected : 456`.
pub(crate) fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(counts: &[(&str, u64)]) -> Record {
        let compiler = Compiler::parse("rustc 1.95.0 (x)\nbinary: rustc\nhost: a-b-c\n").unwrap();
        Record { compiler, counts: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect() }
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let record = record(&[("a/b", 1), ("c", 23)]);
        assert_eq!(Record::parse(&record.to_string()), Some(record));
        assert_eq!(Record::parse("a/b 1\n"), None);
        assert_eq!(Record::parse("rustc 1\nhost x\na/b\n"), None);
    }

    #[test]
    fn only_what_is_clearly_higher_fails() {
        let before = record(&[("a", 1_000), ("b", 1_000), ("c", 1_000)]);
        let same = before.compare(&record(&[("a", 1_030), ("b", 970), ("c", 969)]));
        assert!(same.outcome.is_ok());
        assert!(same.table.contains("\nc take less than on record; write it anew with `cargo xtask"), "{}", same.table);
        let higher = before.compare(&record(&[("a", 1_031), ("b", 1_000), ("c", 2_000)]));
        let error = higher.outcome.unwrap_err().to_string();
        assert!(error.starts_with("a, c take over 3 % more instructions than on record; where"), "{error}");
        assert!(higher.table.contains("        1000        1031  +3.1 % HIGHER\n"), "{}", higher.table);
    }

    #[test]
    fn other_operations_are_no_comparison() {
        let compared = record(&[("a", 1), ("b", 1)]).compare(&record(&[("a", 1), ("c", 1)]));
        let error = compared.outcome.unwrap_err().to_string();
        assert!(error.starts_with("c, b are not the operations on record; where"), "{error}");
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_tells() {
        let told = "==7== Callgrind, a call-graph generating cache profiler\n==7== \n==7== Events    : Ir\n==7== Collected : 1234\n";
        assert_eq!(collected(told), Some(1_234));
        assert_eq!(collected("==7== nothing"), None);
    }
}
