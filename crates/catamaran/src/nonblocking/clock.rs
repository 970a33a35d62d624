//! The time of what happens at every statement.

use std::time::{Duration, Instant};

/// Nanoseconds since a service was made, or some nanoseconds: they cost less to add and to compare than an [`Instant`]
/// and a [`Duration`] do.
pub(crate) type Nanos = u64;

/// Tells the time in [`Nanos`].
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Nanos {
        self.of(Instant::now())
    }

    pub(crate) fn of(&self, instant: Instant) -> Nanos {
        nanos(instant.saturating_duration_since(self.0))
    }

    pub(crate) fn instant(&self, now: Nanos) -> Instant {
        self.0 + Duration::from_nanos(now)
    }
}

/// A time that is too long for it is the longest, some 580 years.
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}
