//! Contestants in rounds: each runs a short slice, in an order that rotates, and only ratios to the base's slices next
//! to it count.

mod entrant;
mod load;
mod metric;
mod rounds;
mod slice;

pub use entrant::{Entrant, Entrants};
pub use load::{Load, Record};
pub use metric::Metric;
pub use rounds::{Line, Plan, Spread, Table, compare};
pub use slice::Slice;
