//! Generic methods for whatever implements the base traits, which so stay object-safe.

mod attempt;
mod bulk;
mod executor;
mod service;
mod watched;

pub use attempt::{AsyncAttempt, Attempt};
pub use bulk::{AsyncBulkExt, BulkExt};
pub use executor::{AsyncExecutorExt, ExecutorExt};
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub use service::AsyncDatabaseServiceExt;
pub use service::DatabaseServiceExt;
