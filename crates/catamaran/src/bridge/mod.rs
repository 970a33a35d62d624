//! One kind of executor offered as the other. Knows the traits, and no backend.

mod admission;
mod late;
mod lent;
mod offloaded;
mod params;
mod requests;
mod runs;
mod threads;
mod wait;
mod worker;

pub use lent::{Lent, lend};
pub use offloaded::Offloaded;
pub use threads::Panic;

/// How many of a batch's statements may be described before any of it has run: the first ones, up to one that changes
/// what the texts behind it mean. Describing those could fail, and fail the transaction that the batch is to run in.
#[cfg(feature = "driver")]
fn describable(batch: &crate::Batch<'_>) -> usize {
    crate::many::Many::Batch(batch).prepared_until(0)
}

/// Mocks have no tables that change.
#[cfg(not(feature = "driver"))]
fn describable(batch: &crate::Batch<'_>) -> usize {
    batch.len()
}
