//! Every case on every executor; and a difference, where there is one, is found.
#![allow(clippy::panic, reason = "a test")]

use std::sync::Arc;

use catamaran::{
    Error,
    mock::{MockAsyncDatabaseService, MockDatabaseService, reply},
    row,
};
use catamaran_tests::{
    conformance::{
        self,
        case::{Case, case, fetch_one},
        executors::{ALL, Executor, Open},
        expected::{rows, sqlstate},
        report::{Report, Verdict},
    },
    p,
};
use serde_json::json;

#[test]
fn every_case_on_every_executor() {
    let report = conformance::run("", |_, _| {});
    assert!(report.lines.len() >= 100, "{} cases", report.lines.len());
    assert!(report.is_clean(), "{report}");
}

fn one() -> Case {
    let step = fetch_one("SELECT 1 AS one", p![]);
    case("one").step(step.gives(rows("one int4", json!([[1]]))))
}

fn division() -> Case {
    case("division").step(fetch_one("SELECT 1 / 0", p![]).gives(sqlstate("22012")))
}

/// A case on r2d2 and on another.
fn beside(case: Case, name: &'static str, open: Open) -> Report {
    let other = Executor { name, real: false, open };
    conformance::Runner::new().run(&[case], &[ALL[0], other], |_, _| {})
}

#[track_caller]
fn assert_differs(report: &Report, part: &str) {
    assert_eq!((report.differences(), report.skipped()), (1, 0), "{report}");
    let Verdict::Diff(wrong) = &report.lines[0].verdicts[1] else { panic!("the first executor differs: {report}") };
    assert!(wrong.iter().any(|wrong| wrong.contains(part)), "{report}");
}

#[test]
fn another_row_is_found() {
    let open = Open::Blocking(|_| {
        let mut db = MockDatabaseService::new();
        db.expect_fetch_one().returning(|_, _| Ok(row! { "one" => 2i32 }));
        Ok(Arc::new(db))
    });
    assert_differs(&beside(one(), "another row", open), "Number(2)");
}

#[test]
fn another_type_is_found() {
    let open = Open::Async(|_| {
        let mut db = MockAsyncDatabaseService::new();
        db.expect_fetch_one().returning(|_, _| reply(row! { "one" => 1i64 }));
        Ok(Arc::new(db))
    });
    assert_differs(&beside(one(), "another type", open), "one int8");
}

#[test]
fn another_wording_of_an_error_is_found() {
    let open = Open::Blocking(|_| {
        let mut db = MockDatabaseService::new();
        db.expect_fetch_one().returning(|_, _| Err(Error::server("22012", "Division by zero!")));
        Ok(Arc::new(db))
    });
    assert_differs(&beside(division(), "another wording", open), "Division by zero!");
}

#[test]
fn a_panic_is_found() {
    let open = Open::Async(|_| Ok(Arc::new(MockAsyncDatabaseService::new())));
    assert_differs(&beside(one(), "panics", open), "No matching expectation found");
}

#[test]
fn a_wrong_expectation_is_found_on_all() {
    let wrong = case("wrong").step(fetch_one("SELECT 1 AS one", p![]).gives(rows("one int4", json!([[2]]))));
    let report = conformance::Runner::new().run(&[wrong], ALL, |_, _| {});
    assert_eq!((report.differences(), report.skipped()), (ALL.len(), 0), "{report}");
}
