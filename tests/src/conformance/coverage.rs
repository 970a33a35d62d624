//! Which methods of the traits the cases use.

use std::collections::BTreeSet;

use super::{
    case::{Action, Case, End, Step},
    typed::Typed,
};

/// The methods that the cases use, by their names in the blocking traits: `Executor::execute`.
pub fn methods(cases: &[Case]) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for case in cases {
        note("DatabaseService", &case.steps, &mut used);
    }
    used.into_iter().map(|(owner, method)| format!("{owner}::{method}")).collect()
}

fn note(at: &'static str, steps: &[Step], used: &mut BTreeSet<(&'static str, &'static str)>) {
    for step in steps {
        let (method, inner_at, inner) = method(at, &step.action);
        used.extend(method);
        for steps in inner {
            note(inner_at, steps, used);
        }
        if let Action::Begin(_, _, end) | Action::Savepoint(_, end) = &step.action {
            match end {
                End::Commit(_) => used.insert(("Transaction", "commit")),
                End::Rollback(_) => used.insert(("Transaction", "rollback")),
                End::Drop => false,
            };
        }
    }
}

type Method = (&'static str, &'static str);

/// The method of an action, and the steps that it has within, with what these are done to.
fn method<'a>(at: &'static str, action: &'a Action) -> (Option<Method>, &'static str, Vec<&'a [Step]>) {
    let plain = |method| (Some(("Executor", method)), at, Vec::new());
    match action {
        Action::Execute(..) => plain("execute"),
        Action::FetchAll(..) => plain("fetch_all"),
        Action::FetchEach(..) => plain("fetch_each"),
        Action::FetchOne(..) => plain("fetch_one"),
        Action::FetchOptional(..) => plain("fetch_optional"),
        Action::Batch(_) => plain("batch_execute"),
        Action::CopyIn(..) => plain("copy_in"),
        Action::CopyOut(..) => plain("copy_out"),
        Action::Describe(_) => plain("describe"),
        Action::Many(..) => plain("execute_many"),
        Action::RunBatch(_) => plain("run_batch"),
        Action::Stream(_, _, _, steps) => (Some(("Executor", "fetch_iter")), at, vec![steps]),
        Action::Begin(_, steps, _) => (Some((at, "begin")), "Transaction", vec![steps]),
        Action::Savepoint(steps, _) => (Some(("Transaction", "savepoint")), "Transaction", vec![steps]),
        Action::Session(steps) => (Some(("DatabaseService", "session")), "Session", vec![steps]),
        Action::OnService(steps) => (None, "DatabaseService", vec![steps]),
        Action::Closure(_, runs) => {
            let steps = runs.iter().map(|(steps, _)| steps.as_slice()).collect();
            (Some(("DatabaseServiceExt", "transaction")), "Transaction", steps)
        }
        Action::Typed(typed) => (Some(typed_method(typed)), at, Vec::new()),
        Action::RowsInTransaction(..) => (Some(("DatabaseServiceExt", "execute_rows_in_transaction")), at, Vec::new()),
        Action::Ping => (Some(("DatabaseService", "ping")), at, Vec::new()),
        Action::Status => (Some(("DatabaseService", "status")), at, Vec::new()),
        Action::Holders => (Some(("DatabaseService", "holders")), at, Vec::new()),
        Action::Close(_) => (Some(("DatabaseService", "close")), at, Vec::new()),
    }
}

fn typed_method(typed: &Typed) -> Method {
    let name = match typed {
        Typed::One(..) => "fetch_one_as",
        Typed::All(..) => "fetch_all_as",
        Typed::Optional(..) => "fetch_optional_as",
        Typed::Scalar(..) => "fetch_scalar",
        Typed::Stream(..) => "fetch_iter_as",
        Typed::RowsIn(..) => "copy_rows_in",
        Typed::IterIn(..) => "copy_iter_in",
        Typed::RowsOut(_) => "copy_rows_out",
        Typed::RowsInTold(..) => "copy_rows_in_with",
        Typed::IterInTold(..) => "copy_iter_in_with",
        Typed::Execute(..) => "execute_rows",
        Typed::Unnest(..) => "execute_unnest",
        Typed::FetchUnnest(..) => "fetch_unnest",
    };
    let bulk = matches!(
        typed,
        Typed::RowsInTold(..) | Typed::IterInTold(..) | Typed::Execute(..) | Typed::Unnest(..) | Typed::FetchUnnest(..)
    );
    (if bulk { "BulkExt" } else { "ExecutorExt" }, name)
}
