//! The table of cases and executors.

use std::fmt;

/// What came of all cases on all executors.
#[derive(Debug, Clone)]
pub struct Report {
    /// The executors' names, in the order of the verdicts.
    pub executors: Vec<&'static str>,
    /// One for each case.
    pub lines: Vec<Line>,
}

/// What came of one case.
#[derive(Debug, Clone)]
pub struct Line {
    /// The case's name.
    pub case: String,
    /// One for each executor.
    pub verdicts: Vec<Verdict>,
}

/// What came of one case on one executor.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// What must.
    Ok,
    /// Something else, or another thing than on the first executor.
    Diff(Vec<String>),
    /// It was not run, and why.
    Skipped(String),
}

impl Report {
    /// How many times an executor differed.
    pub fn differences(&self) -> usize {
        self.verdicts().filter(|verdict| matches!(verdict, Verdict::Diff(_))).count()
    }

    /// How many times a case was not run.
    pub fn skipped(&self) -> usize {
        self.verdicts().filter(|verdict| matches!(verdict, Verdict::Skipped(_))).count()
    }

    /// Whether there were cases, and every executor did what must come of each.
    pub fn is_clean(&self) -> bool {
        !self.lines.is_empty() && self.differences() + self.skipped() == 0
    }

    fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.lines.iter().flat_map(|line| &line.verdicts)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Diff(_) => "DIFF",
            Self::Skipped(_) => "skipped",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.lines.iter().map(|line| line.case.chars().count()).max().unwrap_or_default();
        write!(f, "{:widest$}", "case")?;
        for executor in &self.executors {
            write!(f, "  {executor:10}")?;
        }
        writeln!(f)?;
        for line in &self.lines {
            write!(f, "{:widest$}", line.case)?;
            for verdict in &line.verdicts {
                write!(f, "  {verdict:10}")?;
            }
            writeln!(f)?;
        }
        for line in &self.lines {
            for (executor, verdict) in self.executors.iter().zip(&line.verdicts) {
                match verdict {
                    Verdict::Ok => {}
                    Verdict::Diff(wrong) => {
                        writeln!(f, "\nDIFF {} on {executor}", line.case)?;
                        for wrong in wrong {
                            writeln!(f, "  {wrong}")?;
                        }
                    }
                    Verdict::Skipped(why) => writeln!(f, "\nskipped {} on {executor}: {why}", line.case)?,
                }
            }
        }
        write!(
            f,
            "\n{} cases x {} executors: {} differences, {} skipped",
            self.lines.len(),
            self.executors.len(),
            self.differences(),
            self.skipped()
        )
    }
}
