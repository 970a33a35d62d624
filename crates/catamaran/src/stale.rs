//! Kept statements that no longer fit: the tables, the types or the names behind a text have changed since it was
//! prepared. A decision without I/O, asked by every way of running.

use crate::{Error, ErrorKind, statement_cache::Kept};

/// How often a text is run at most: tables may change again before it is its turn.
const RUNS: u32 = 4;

/// What becomes of a kept statement that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fits; the failure is its caller's.
    Stands,
    /// It may not fit: the next call prepares it anew.
    Forget,
    /// It does not fit, and nothing of it has run: it may be prepared anew and run at once.
    Again,
}

/// Judges the failure of a statement that was prepared before this call (`was_kept`) or for it, when it was run for the
/// so manieth time.
///
/// Run again is only what was never sent, or what the server refused before it ran: in a transaction the refusal has
/// failed that, and a procedure may have committed before what looks like one.
pub(crate) fn verdict(kept: &Kept, was_kept: bool, runs: u32, in_transaction: bool, error: &Error) -> Verdict {
    let again = |may: bool| if may && runs < RUNS { Verdict::Again } else { Verdict::Forget };
    match error.kind() {
        // What the driver knows of an enum may be older than the statement.
        ErrorKind::Encode if was_kept || runs == 1 && kept.takes_enums() => again(true),
        ErrorKind::Server if is_refused(kept, error) => again(!in_transaction && !kept.is_procedure()),
        ErrorKind::Server if was_kept && concerns_names(error) => Verdict::Forget,
        _ => Verdict::Stands,
    }
}

/// The server's own word that it did not run the statement: the function of its source that reports it, which has the
/// same name in every language, and the name of the statement.
fn is_refused(kept: &Kept, error: &Error) -> bool {
    // What a function in it was refused has run as far as there.
    let Some(report) = error.server_error().filter(|report| report.context.is_none()) else { return false };
    match (report.sqlstate.as_str(), report.routine.as_deref()) {
        ("0A000", Some("RevalidateCachedQuery")) => true,
        _ => error.is_forgotten_statement() && kept.is_named_in(&report.message),
    }
}

/// Errors that a change of tables, types or names may be the reason of: what a text refers to is not there any more, or
/// is something else.
fn concerns_names(error: &Error) -> bool {
    error.sqlstate().is_some_and(|code| ["0A", "26", "3F", "42", "XX"].contains(&&code[..2.min(code.len())]))
}
