//! Why there was no connection.

use std::{fmt, time::Duration};

use super::Holder;

/// How many holders a message names.
const NAMED: usize = 3;

/// Why a pool had no connection for a caller, and who had them: see [`Error::shortage`](crate::Error::shortage).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shortage {
    /// Why.
    pub cause: Cause,
    /// Who held connections, for the longest time first.
    pub holders: Vec<Holder>,
}

/// Why a pool had no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// All connections were in use.
    Saturated,
    /// There might have been more connections, but the server could not be reached, or did not take one more. The error
    /// is the [`source`](std::error::Error::source).
    ConnectFailing,
    /// For so long, the runtime did not run its tasks: what holds connections could not go on.
    RuntimeBlocked(Duration),
    /// The caller itself held one of the connections, all of which were taken for more than a single statement.
    Nested,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Saturated => f.write_str("the pool is saturated")?,
            Cause::ConnectFailing => f.write_str("connecting fails")?,
            Cause::RuntimeBlocked(time) => write!(f, "the runtime was blocked for {:.1} s", time.as_secs_f64())?,
            Cause::Nested => f.write_str("the caller holds one already")?,
        }
        for (index, holder) in self.holders.iter().take(NAMED).enumerate() {
            write!(f, "{} {holder}", if index == 0 { "; held by" } else { "; by" })?;
        }
        match self.holders.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; by {more} more"),
        }
    }
}
