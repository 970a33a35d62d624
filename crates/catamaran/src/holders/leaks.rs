//! Connections that are held for too long, noticed while they are.

use std::time::Duration;

use super::Holders;

/// How often it is looked at each within the time that it may be held.
const LOOKS: u32 = 8;
const MOST_OFTEN: Duration = Duration::from_millis(5);
const LEAST_OFTEN: Duration = Duration::from_secs(1);

impl Holders {
    /// Tells of those that have held a connection for too long, once of each. Returns when it is to be called again, if
    /// ever.
    pub(crate) fn tell_leaks(&self) -> Option<Duration> {
        if self.leak_after.is_zero() {
            return None;
        }
        for holder in self.leaks() {
            tracing::warn!(
                service = holder.service,
                route = holder.route.as_deref(),
                operation = holder.operation,
                at = %holder.site,
                statement = holder.statement,
                held_ms = holder.held.as_millis(),
                "a connection is held for long"
            );
        }
        Some((self.leak_after / LOOKS).clamp(MOST_OFTEN, LEAST_OFTEN))
    }
}
