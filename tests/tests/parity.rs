//! The blocking traits and the async ones are the same but for `async`, and each method has a conformance case.
#![allow(clippy::expect_used, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path};

use catamaran_tests::{
    conformance::{cases, coverage},
    parity::{DEVIATIONS, Deviation, differences},
};

const FILES: [&str; 6] =
    ["executor.rs", "service.rs", "transaction.rs", "ext/executor.rs", "ext/bulk.rs", "ext/service.rs"];

fn sources() -> Vec<String> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/catamaran/src");
    FILES.iter().map(|file| fs::read_to_string(library.join(file)).expect("a source file of the library")).collect()
}

fn covered() -> BTreeSet<String> {
    coverage::methods(&cases::all())
}

/// The differences once a text of the sources is replaced.
fn planted(from: &str, to: &str) -> Vec<String> {
    let sources: Vec<_> = sources().iter().map(|source| source.replacen(from, to, 1)).collect();
    assert_ne!(sources, self::sources(), "{from:?} is in no source");
    differences(&sources, DEVIATIONS, &covered())
}

/// Fails unless the one difference says this.
#[track_caller]
fn assert_found(differences: &[String], part: &str) {
    let [difference] = differences else { unreachable!("one difference was planted, found {differences:#?}") };
    assert!(difference.contains(part), "{difference:?} does not say {part:?}");
}

#[test]
fn the_traits_are_twins_and_each_method_has_a_case() {
    let differences = differences(&sources(), DEVIATIONS, &covered());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn another_result_is_found() {
    assert_found(&planted("async fn ping(&self) -> Result<()>", "async fn ping(&self) -> Result<bool>"), "::ping: ");
}

#[test]
fn another_result_of_a_written_out_future_is_found() {
    let (from, to) = ("impl Future<Output = Result<Option<T>>> + Send", "impl Future<Output = Result<Vec<T>>> + Send");
    assert_found(&planted(from, to), "::fetch_optional_as: ");
}

#[test]
fn another_parameter_is_found() {
    let (from, to) = ("async fn copy_out(&self, sql: &str)", "async fn copy_out(&self, sql: String)");
    assert_found(&planted(from, to), "::copy_out: ");
}

#[test]
fn another_name_of_a_parameter_is_found() {
    let (from, to) = ("async fn describe(&self, sql: &str)", "async fn describe(&self, statement: &str)");
    assert_found(&planted(from, to), "::describe: ");
}

#[test]
fn another_bound_is_found() {
    let (from, to) = (
        "F: AsyncFnOnce(&mut AsyncAttempt) -> Result<T, E> + Clone",
        "F: AsyncFnOnce(&mut AsyncAttempt) -> Result<T, E>",
    );
    assert_found(&planted(from, to), "::transaction: ");
}

#[test]
fn another_documentation_is_found() {
    let (from, to) = (
        "#[doc = include_str!(\"../docs/close.md\")]\n    #[track_caller]\n    async",
        "#[doc = include_str!(\"../docs/ping.md\")]\n    #[track_caller]\n    async",
    );
    assert_found(&planted(from, to), "documented by");
}

#[test]
fn another_supertrait_is_found() {
    assert_found(
        &planted("trait AsyncSession: AsyncExecutor", "trait AsyncSession: AsyncExecutor + Unpin2"),
        "Session: ",
    );
}

#[test]
fn another_order_is_found() {
    let one = "    #[doc = include_str!(\"../docs/commit.md\")]\n    #[track_caller]\n    async fn commit(self: Box<Self>) -> Result<()>;\n";
    let two = "    #[doc = include_str!(\"../docs/rollback.md\")]\n    #[track_caller]\n    async fn rollback(self: Box<Self>) -> Result<()>;\n";
    assert_found(&planted(&format!("{one}\n{two}"), &format!("{two}\n{one}")), "\"commit\", \"rollback\"");
}

#[test]
fn a_missing_method_is_found() {
    assert_found(
        &planted("    async fn session(&self) -> Result<Box<dyn AsyncSession>>;\n", "    fn helper();\n"),
        "session",
    );
}

#[test]
fn a_method_that_is_not_async_is_found() {
    let (from, to) = ("async fn ping(&self)", "fn ping(&self)");
    assert_found(&planted(from, to), "AsyncDatabaseService::ping is not async");
}

#[test]
fn a_missing_twin_is_found() {
    let source = "pub trait Alone { fn be(&self); }".to_owned();
    let covered = BTreeSet::from(["Alone::be".to_owned()]);
    assert_found(&differences(&[source], &[], &covered), "Alone has no async twin");
    let source = "pub trait AsyncAlone { async fn be(&self); }".to_owned();
    assert_found(&differences(&[source], &[], &covered), "AsyncAlone has no blocking twin");
}

#[test]
fn a_deviation_that_nothing_needs_is_found() {
    let unneeded = Deviation::Renamed { blocking: "ping", nonblocking: "pong", reason: "none" };
    let deviations = [DEVIATIONS, &[unneeded]].concat();
    assert_found(&differences(&sources(), &deviations, &covered()), "not needed any more");
}

#[test]
fn each_deviation_is_needed() {
    for deviation in DEVIATIONS {
        let others: Vec<_> = DEVIATIONS.iter().filter(|other| *other != deviation).copied().collect();
        assert!(!differences(&sources(), &others, &covered()).is_empty(), "{deviation:?} explains nothing");
    }
}

#[test]
fn a_method_without_a_case_is_found() {
    let mut covered = covered();
    assert!(covered.remove("DatabaseService::ping"));
    assert_found(&differences(&sources(), DEVIATIONS, &covered), "DatabaseService::ping has no conformance case");
}
