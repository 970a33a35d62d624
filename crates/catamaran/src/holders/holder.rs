//! One who holds a connection, as others see it.

use std::{fmt, sync::Arc, time::Duration};

use crate::call::Site;

/// One who holds a connection at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The service it is of: `blocking`, `async`, or `offloaded`.
    pub service: &'static str,
    /// The route of the guarded future that took it, if there was one.
    pub route: Option<Arc<str>>,
    /// The method that took it.
    pub operation: &'static str,
    /// Who called that method.
    pub site: Site,
    /// The statement that was run last, without the values in its text.
    pub statement: Option<String>,
    /// For how long.
    pub held: Duration,
    /// The statements on it, where several may share the connection; `operation`, `site` and `statement` are of the last
    /// one, and no route is known.
    pub sharers: usize,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.service, self.operation, self.site)?;
        if let Some(route) = &self.route {
            write!(f, " of {route}")?;
        }
        write!(f, " for {:.1} s", self.held.as_secs_f64())?;
        if self.sharers > 1 {
            write!(f, " with {} others", self.sharers - 1)?;
        }
        match &self.statement {
            Some(statement) => write!(f, ", last statement: {statement}"),
            None => Ok(()),
        }
    }
}
