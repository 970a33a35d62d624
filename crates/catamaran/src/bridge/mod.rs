//! One kind of executor offered as the other. Knows the traits, and no backend.

mod admission;
mod lent;
mod offloaded;
mod params;
mod runs;
mod threads;
mod worker;

pub use lent::{Lent, lend};
pub use offloaded::Offloaded;
pub use threads::Panic;
