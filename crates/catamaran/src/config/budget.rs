//! The budget of both services together, and who holds its connections.

#[cfg(any(feature = "async", feature = "blocking"))]
use std::sync::Arc;

use super::Config;
#[cfg(any(feature = "async", feature = "blocking"))]
use crate::{budget::Budget, holders::Holders};

/// The budget of both services together.
impl Config {
    /// Sets how many connections both services of one [`connect`](crate::connect) may have together. Default: none, so that
    /// each may have `max_size`.
    ///
    /// A connection that one service does not use is closed when the other needs it. For a service that is made alone, it
    /// is a limit as `max_size`.
    pub fn budget(mut self, connections: u32) -> Self {
        self.budget = Some(connections);
        self
    }

    /// Sets how many connections of the budget each service has for itself. Default 1.
    pub fn budget_reserve(mut self, connections: u32) -> Self {
        self.budget_reserve = connections;
        self
    }

    /// How many connections both services may have together, if that is limited.
    pub fn get_budget(&self) -> Option<u32> {
        self.budget
    }

    /// How many connections of the budget each service has for itself.
    pub fn get_budget_reserve(&self) -> u32 {
        self.budget_reserve
    }

    /// The budget of a service that shares it with none.
    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn own_budget(&self) -> Option<Arc<Budget>> {
        self.budget_with(0)
    }

    /// The budget of all services that there are.
    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn shared_budget(&self) -> Option<Arc<Budget>> {
        let has_both = cfg!(all(feature = "blocking", feature = "async"));
        self.budget_with(if has_both { self.budget_reserve as usize } else { 0 })
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    fn budget_with(&self, reserve: usize) -> Option<Arc<Budget>> {
        let total = self.budget? as usize;
        Some(Budget::new(total, reserve, self.new_holders(total)))
    }

    /// Who holds the connections of a service, or of those that share its budget.
    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn holders(&self, budget: Option<&Arc<Budget>>) -> Arc<Holders> {
        budget.map_or_else(|| self.new_holders(self.max_size as usize), |budget| budget.holders().clone())
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    fn new_holders(&self, total: usize) -> Arc<Holders> {
        Holders::new(total, self.leak_after, self.nested_checkout_fails)
    }

    /// How many connections one service can have.
    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn most_connections(&self, budget: Option<&Arc<Budget>>) -> usize {
        (self.max_size as usize).min(budget.map_or(usize::MAX, |budget| budget.most()))
    }
}
