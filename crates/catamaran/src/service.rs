//! What owns connections: the twins that an application injects, and the session, one connection held.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    AsyncExecutor, AsyncTransaction, Canceller, Executor, Holder, PoolStatus, Result, Transaction,
    transaction::TransactionOptions,
};

/// An [`Executor`] that owns connections. Inject it as `Arc<dyn DatabaseService>`.
pub trait DatabaseService: Executor {
    #[doc = include_str!("../docs/begin.md")]
    #[track_caller]
    fn begin(&self, options: TransactionOptions) -> Result<Box<dyn Transaction>>;

    #[doc = include_str!("../docs/session.md")]
    #[track_caller]
    fn session(&self) -> Result<Box<dyn Session>>;

    #[doc = include_str!("../docs/ping.md")]
    #[track_caller]
    fn ping(&self) -> Result<()>;

    #[doc = include_str!("../docs/status.md")]
    fn status(&self) -> PoolStatus;

    #[doc = include_str!("../docs/holders.md")]
    fn holders(&self) -> Vec<Holder> {
        Vec::new()
    }

    #[doc = include_str!("../docs/close.md")]
    #[track_caller]
    fn close(&self, deadline: Duration) -> Result<()>;
}

/// An [`AsyncExecutor`] that owns connections. Inject it as `Arc<dyn AsyncDatabaseService>`.
#[async_trait]
pub trait AsyncDatabaseService: AsyncExecutor {
    #[doc = include_str!("../docs/begin.md")]
    #[track_caller]
    async fn begin(&self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction>>;

    #[doc = include_str!("../docs/session.md")]
    #[track_caller]
    async fn session(&self) -> Result<Box<dyn AsyncSession>>;

    #[doc = include_str!("../docs/ping.md")]
    #[track_caller]
    async fn ping(&self) -> Result<()>;

    #[doc = include_str!("../docs/status.md")]
    fn status(&self) -> PoolStatus;

    #[doc = include_str!("../docs/holders.md")]
    fn holders(&self) -> Vec<Holder> {
        Vec::new()
    }

    #[doc = include_str!("../docs/close.md")]
    #[track_caller]
    async fn close(&self, deadline: Duration) -> Result<()>;
}

/// One connection held for several statements. Ends when it is dropped.
pub trait Session: Executor {
    /// Begins a transaction on this session's connection.
    ///
    /// Dropped without `commit`, it is rolled back.
    ///
    /// # Errors
    ///
    /// `Server` with the SQLSTATE.
    #[track_caller]
    fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn Transaction + '_>>;

    /// What cancels the statement that runs on this session, from another thread. By default, nothing does.
    fn canceller(&self) -> Canceller {
        Canceller::none()
    }
}

/// One connection held for several statements. Ends when it is dropped.
#[async_trait]
pub trait AsyncSession: AsyncExecutor {
    /// Begins a transaction on this session's connection.
    ///
    /// Dropped without `commit`, it is rolled back.
    ///
    /// # Errors
    ///
    /// `Server` with the SQLSTATE.
    #[track_caller]
    async fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction + '_>>;
}
