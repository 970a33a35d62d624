//! Something small that is measured.

use std::{fmt, hint::black_box};

/// A name and what is done again and again under it.
pub struct Operation {
    /// As it stands in tables and in the record.
    pub name: &'static str,
    run: Box<dyn FnMut()>,
}

impl Operation {
    /// An operation; what it returns is looked at, so that the work can't be left out.
    pub fn new<T>(name: &'static str, mut run: impl FnMut() -> T + 'static) -> Self {
        let run = move || {
            black_box(run());
        };
        Self { name, run: Box::new(run) }
    }

    /// Does it once.
    pub fn run(&mut self) {
        (self.run)();
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).finish_non_exhaustive()
    }
}
