//! The transaction that a closure is given.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use async_trait::async_trait;

use super::watched::{Seen, Watched};
use crate::{AsyncTransaction, Result, Transaction};

/// The transaction of one run of a closure; see [`transaction`](crate::DatabaseServiceExt::transaction).
///
/// It is a [`Transaction`] that cannot be ended by the closure, and passes as `&dyn Executor` or
/// `&mut dyn Transaction`.
pub struct Attempt(Watched<Box<dyn Transaction>>);

/// The transaction of one run of a closure; see [`transaction`](crate::AsyncDatabaseServiceExt::transaction).
///
/// It is an [`AsyncTransaction`] that cannot be ended by the closure, and passes as `&dyn AsyncExecutor` or
/// `&mut dyn AsyncTransaction`.
// A type without parameters, where `&mut dyn AsyncTransaction` would say more: rustc cannot show that the future of a
// closure over a trait object is `Send` (rust-lang/rust#110338).
pub struct AsyncAttempt(Watched<Box<dyn AsyncTransaction>>);

impl Attempt {
    pub(super) fn new(inner: Box<dyn Transaction>, seen: Seen) -> Self {
        Self(Watched { inner, seen })
    }

    pub(super) fn into_inner(self) -> Box<dyn Transaction> {
        self.0.inner
    }
}

#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
impl AsyncAttempt {
    pub(super) fn new(inner: Box<dyn AsyncTransaction>, seen: Seen) -> Self {
        Self(Watched { inner, seen })
    }

    pub(super) fn into_inner(self) -> Box<dyn AsyncTransaction> {
        self.0.inner
    }
}

impl Transaction for Attempt {
    fn savepoint(&mut self) -> Result<Box<dyn Transaction + '_>> {
        self.0.savepoint()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Box::new(self.0).commit()
    }

    fn rollback(self: Box<Self>) -> Result<()> {
        Box::new(self.0).rollback()
    }
}

#[async_trait]
impl AsyncTransaction for AsyncAttempt {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        self.0.savepoint().await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Box::new(self.0).commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Box::new(self.0).rollback().await
    }
}

impl Deref for Attempt {
    type Target = dyn Transaction;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Attempt {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Deref for AsyncAttempt {
    type Target = dyn AsyncTransaction;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for AsyncAttempt {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

impl fmt::Debug for AsyncAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAttempt").finish_non_exhaustive()
    }
}
