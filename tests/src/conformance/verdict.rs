//! Whether what an executor gave is what must come of a case, and the same as what another gave.

use super::{
    case::{Action, Case, End, Read, Step},
    expected::Expected,
    outcome::{Outcome, Reply},
};

/// What came of one step, and what must.
pub(super) struct Judged {
    /// Which step: its place and what it does.
    pub(super) what: String,
    /// What came of it.
    pub(super) outcome: Outcome,
    /// How that differs from what must.
    pub(super) unmet: Option<String>,
}

/// Lays a tape beside the steps it is of.
pub(super) fn judge(case: &Case, tape: &[Reply]) -> Vec<Judged> {
    let mut judge = Judge { tape: tape.iter(), judged: Vec::new() };
    judge.steps("", &case.steps);
    judge.judged
}

/// Where two executors differ, though each may be within what is expected.
pub(super) fn differences(reference: &[Judged], other: &[Judged]) -> Vec<String> {
    let mut differences = Vec::new();
    for (one, two) in reference.iter().zip(other) {
        if one.outcome != two.outcome {
            differences.push(format!("{}: here {:?}, there {:?}", one.what, two.outcome, one.outcome));
        }
    }
    if reference.len() != other.len() {
        differences.push(format!("{} outcomes here, {} there", other.len(), reference.len()));
    }
    differences
}

struct Judge<'t> {
    tape: std::slice::Iter<'t, Reply>,
    judged: Vec<Judged>,
}

impl Judge<'_> {
    fn steps(&mut self, place: &str, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            self.step(&format!("{place}{}", index + 1), step);
        }
    }

    fn step(&mut self, place: &str, step: &Step) {
        let what = format!("{place} {}", title(&step.action));
        match &step.action {
            Action::OnService(steps) => self.steps(&format!("{place}."), steps),
            Action::Begin(_, steps, end) | Action::Savepoint(steps, end) => {
                if self.next(what, &step.expected, &[]) {
                    self.steps(&format!("{place}."), steps);
                    match end {
                        End::Commit(expected) => drop(self.next(format!("{place} commit"), expected, &[])),
                        End::Rollback(expected) => drop(self.next(format!("{place} rollback"), expected, &[])),
                        End::Drop => {}
                    }
                }
            }
            Action::Closure(_, runs) => {
                for (index, (steps, _)) in runs.iter().enumerate() {
                    if matches!(self.tape.as_slice().first(), Some(Reply::Attempt)) {
                        self.tape.next();
                        self.steps(&format!("{place}.run {}.", index + 1), steps);
                    }
                }
                self.next(what, &step.expected, &[]);
            }
            Action::Typed(typed) => {
                for action in typed.base() {
                    self.next(format!("{place} {}", title(&action)), &Expected::Any, &[]);
                }
                self.next(what, &step.expected, &step.reads);
            }
            Action::Session(steps) | Action::Stream(_, _, _, steps) => {
                if self.next(what, &step.expected, &step.reads) {
                    self.steps(&format!("{place}."), steps);
                }
            }
            _ => {
                self.next(what, &step.expected, &step.reads);
            }
        }
    }

    /// Takes the next reply; whether it was a success.
    fn next(&mut self, what: String, expected: &Expected, reads: &[Read]) -> bool {
        let Some(reply) = self.tape.next() else { return false };
        let outcome = reply.outcome(reads);
        let unmet = expected.unmet(&outcome);
        self.judged.push(Judged { what, outcome, unmet });
        reply.error().is_none()
    }
}

fn title(action: &Action) -> String {
    if let Action::Typed(typed) = action {
        return format!("{typed:?}");
    }
    let (verb, sql) = match action {
        Action::Execute(sql, _) => ("execute", sql.as_str()),
        Action::FetchAll(sql, _) => ("fetch_all", sql.as_str()),
        Action::FetchEach(sql, _) => ("fetch_each", sql.as_str()),
        Action::FetchOne(sql, _) => ("fetch_one", sql.as_str()),
        Action::FetchOptional(sql, _) => ("fetch_optional", sql.as_str()),
        Action::Batch(sql) => ("batch_execute", sql.as_str()),
        Action::Stream(sql, ..) => ("stream", sql.as_str()),
        Action::CopyIn(sql, _) => ("copy_in", sql.as_str()),
        Action::CopyOut(sql, _) => ("copy_out", sql.as_str()),
        Action::Describe(sql) => ("describe", sql.as_str()),
        Action::Many(sql, _) => ("execute_many", sql.as_str()),
        Action::RunBatch(_) => ("run_batch", ""),
        Action::RowsInTransaction(sql, ..) => ("execute_rows_in_transaction", sql.as_str()),
        Action::Begin(..) => ("begin", ""),
        Action::Savepoint(..) => ("savepoint", ""),
        Action::Session(_) => ("session", ""),
        Action::OnService(_) => ("on service", ""),
        Action::Closure(..) | Action::Typed(_) => ("transaction", ""),
        Action::Ping => ("ping", ""),
        Action::Status => ("status", ""),
        Action::Holders => ("holders", ""),
        Action::Close(_) => ("close", ""),
    };
    format!("{verb} {sql}").trim_end().to_owned()
}
