//! When a transaction is run again, and after how long. Pure: the random number is an argument.

use std::time::Duration;

use crate::Error;

/// The wait before the first repetition is at most this long.
const FIRST: Duration = Duration::from_millis(10);
/// No wait is longer than this.
const LONGEST: Duration = Duration::from_secs(1);

/// How often something has been run, and how often it may be run again.
#[derive(Debug)]
pub(crate) struct Retry {
    done: u32,
    allowed: u32,
}

impl Retry {
    pub(crate) fn new(allowed: u32) -> Self {
        Self { done: 0, allowed }
    }

    /// How long to wait before running it again, or the error if it may not be.
    ///
    /// Only SQLSTATE 40001 and 40P01 are run again: the server says of these that the transaction left no trace.
    /// The wait doubles each time up to a second, and `random` (0 to 1) picks its length between half of it and all.
    pub(crate) fn after(&mut self, error: Error, random: f64) -> Result<Duration, Error> {
        if self.done >= self.allowed || !error.is_retryable() {
            return Err(error);
        }
        let longest = FIRST.saturating_mul(1 << self.done.min(16)).min(LONGEST);
        self.done += 1;
        Ok(longest.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let mut retry = Retry::new(9);
        let failure = || Error::server("40001", "could not serialize access");
        let waits: Vec<_> = (0..9).map(|_| retry.after(failure(), 1.0).unwrap().as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert!(retry.after(failure(), 1.0).is_err());
    }

    #[test]
    fn only_what_left_no_trace_is_run_again() {
        for (code, again) in [("40001", true), ("40P01", true), ("23505", false), ("57014", false), ("40003", false)] {
            assert_eq!(Retry::new(1).after(Error::server(code, ""), 0.0).is_ok(), again, "{code}");
        }
    }
}
