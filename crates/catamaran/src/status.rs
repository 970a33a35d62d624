//! What a pool looks like at one moment.

/// The connections of a service at one moment. Counts of connections and callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolStatus {
    /// The most connections there may be.
    pub max_size: usize,
    /// Connections there are, idle or in use.
    pub size: usize,
    /// Connections that nobody uses.
    pub idle: usize,
    /// Connections that someone uses, or that are being cleaned up after someone.
    pub in_use: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

impl PoolStatus {
    /// A pool that has opened no connection yet.
    pub fn empty(max_size: usize) -> Self {
        Self { max_size, size: 0, idle: 0, in_use: 0, waiting: 0 }
    }
}
