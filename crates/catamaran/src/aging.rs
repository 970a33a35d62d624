//! When a pooled connection is used as it is, tested first, or closed. Pure decisions: the clock is an argument.

use std::time::{Duration, Instant};

use crate::Config;

/// The limits on a connection's age, the same for both pools. Without a limit: [`Duration::MAX`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) idle_timeout: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) test_after_idle: Duration,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            idle_timeout: or_never(config.get_idle_timeout()),
            max_lifetime: or_never(config.get_max_lifetime()),
            test_after_idle: config.get_test_after_idle(),
        }
    }
}

/// Stands for no limit where an instant is asked for.
pub(crate) const FAR: Duration = Duration::from_secs(1 << 32);

/// Zero stands for no limit in [`Config`].
fn or_never(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}

/// What to do with a connection that was idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Use,
    Test,
    Close,
}

/// How old a connection is and how long it has been idle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aging {
    /// When it has reached its age.
    expires: Instant,
    used: Instant,
}

impl Aging {
    /// A connection made now, which lives that long; zero is for ever.
    pub(crate) fn new(now: Instant, lifetime: Duration) -> Self {
        Self { expires: now + or_never(lifetime).min(FAR), used: now }
    }

    /// Notes that the connection comes back from use.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.used = now;
    }

    /// Too old to be kept, idle or not used for too long.
    #[cfg(feature = "async")]
    pub(crate) fn is_too_old(&self, now: Instant, limits: &Limits) -> bool {
        self.verdict(now, limits, None) == Verdict::Close
    }

    /// Whether it had reached its age when it came back from its last use.
    #[cfg(feature = "blocking")]
    pub(crate) fn has_expired(&self) -> bool {
        self.used >= self.expires
    }

    /// When it has reached its age.
    #[cfg(feature = "async")]
    pub(crate) fn expires(&self) -> Instant {
        self.expires
    }

    /// What to do at checkout. `suspect` is when a connection of the same pool was last found dead: what was not used
    /// since is tested however short its idle time.
    pub(crate) fn verdict(&self, now: Instant, limits: &Limits, suspect: Option<Instant>) -> Verdict {
        let idle = now.saturating_duration_since(self.used);
        if now >= self.expires || idle >= limits.idle_timeout {
            Verdict::Close
        } else if idle >= limits.test_after_idle || suspect.is_some_and(|suspect| self.used <= suspect) {
            Verdict::Test
        } else {
            Verdict::Use
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        idle_timeout: Duration::from_secs(600),
        max_lifetime: Duration::from_secs(1800),
        test_after_idle: Duration::from_secs(1),
    };

    #[test]
    fn verdicts() {
        let start = Instant::now();
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let aging = Aging::new(start, Duration::from_secs(1800));
        assert_eq!(aging.verdict(after(0.9), &LIMITS, None), Verdict::Use);
        assert_eq!(aging.verdict(after(1.0), &LIMITS, None), Verdict::Test);
        assert_eq!(aging.verdict(after(0.2), &LIMITS, Some(after(0.1))), Verdict::Test);
        assert_eq!(aging.verdict(after(600.0), &LIMITS, None), Verdict::Close);
        let mut used = aging;
        used.touch(after(1799.9));
        assert_eq!(used.verdict(after(1799.9), &LIMITS, Some(after(1799.0))), Verdict::Use);
        assert_eq!(used.verdict(after(1800.0), &LIMITS, None), Verdict::Close);
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let aging = Aging::new(start, Duration::ZERO);
        let limits = Limits { idle_timeout: or_never(Duration::ZERO), ..LIMITS };
        let verdict = aging.verdict(start + Duration::from_secs(1_000_000), &limits, None);
        assert_ne!(verdict, Verdict::Close);
    }
}
