//! Waiting for something that happens elsewhere.

use std::thread;
use std::time::{Duration, Instant};

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Waits until `condition` holds and returns whether it did in time.
///
/// The condition is checked at once, then at pauses growing from 1 ms to 50 ms,
/// and a last time when `timeout` is over. The thread sleeps in between.
pub fn eventually(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if condition() {
            return true;
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return false;
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
