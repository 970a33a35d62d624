//! Which call is made, and where in the code.
#![cfg_attr(
    not(any(feature = "async", feature = "blocking", feature = "mock")),
    allow(dead_code, reason = "executors of others do not ask who calls")
)]

use std::{cell::Cell, fmt, panic::Location};

/// A place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Site {
    pub(crate) fn of(location: &'static Location<'static>) -> Self {
        Self { file: location.file(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

thread_local! {
    /// The call in whose name the next one on this thread is made.
    static PINNED: Cell<Option<Call>> = const { Cell::new(None) };
}

/// A method, and who called it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) location: &'static Location<'static>,
}

impl Call {
    /// A call by whoever calls this, or the one that it is made in the name of.
    #[track_caller]
    pub(crate) fn here(operation: &'static str) -> Self {
        PINNED.take().unwrap_or(Self { operation, location: Location::caller() })
    }

    /// Makes a call in the name of this one: `#[track_caller]` ends at closures, futures and threads.
    pub(crate) fn pin<T>(self, call: impl FnOnce() -> T) -> T {
        struct Unpin;

        impl Drop for Unpin {
            fn drop(&mut self) {
                PINNED.set(None);
            }
        }

        PINNED.set(Some(self));
        let _unpin = Unpin;
        call()
    }

    pub(crate) fn site(self) -> Site {
        Site::of(self.location)
    }

    /// Whether it takes a connection for more than what it does itself.
    pub(crate) fn keeps(self) -> bool {
        const KEEPING: &[&str] =
            &["begin", "session", "run", "fetch_iter", "fetch_stream", "fetch_each", "copy_in", "copy_out"];
        KEEPING.contains(&self.operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn called() -> (&'static str, u32) {
        let call = Call::here("inner");
        (call.operation, call.site().line)
    }

    #[test]
    fn the_next_call_is_in_the_name_of_the_one_that_is_pinned_and_no_other() {
        let outer = Call::here("outer");
        let line = outer.site().line;
        let (first, second) = outer.pin(|| (called(), called()));
        assert_eq!(first, ("outer", line));
        assert_eq!(second.0, "inner");
        outer.pin(|| ());
        assert_eq!(called().0, "inner", "a pin that nobody took is gone");
    }
}
