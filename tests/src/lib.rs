//! What the tests of both services share.

pub mod any_int;
#[allow(clippy::panic, reason = "breaking is what it is for")]
pub mod breaks;
#[allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test's library")]
pub mod conformance;
pub mod ends;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod faces;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod faults;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod foreign;
pub mod hull;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod ids;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod inline;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod leaves;
pub mod ledger;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod parity;
#[allow(clippy::unwrap_used, reason = "a test's library")]
pub mod services;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod sharing;
pub mod texts;
#[allow(clippy::expect_used, reason = "a test's library")]
pub mod wire;
