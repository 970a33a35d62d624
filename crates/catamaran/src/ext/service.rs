//! Closures in a transaction, run again where the server asks for it.

use std::time::Duration;

use super::{attempt::Attempt, watched::Seen};
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
use crate::{AsyncBulkExt as _, AsyncDatabaseService, call::Call, ext::AsyncAttempt};
use crate::{BulkExt as _, BulkOptions, CopyRow, DatabaseService, Error, ErrorKind, TransactionOptions, retry::Retry};

/// Generic methods of every [`DatabaseService`].
pub trait DatabaseServiceExt: DatabaseService {
    #[doc = include_str!("../../docs/transaction.md")]
    ///
    /// # Blocking
    ///
    /// Blocks the thread, also between two runs.
    ///
    /// ```no_run
    /// use catamaran::{DatabaseService, Result, TransactionOptions, prelude::*};
    ///
    /// fn transfer(db: &dyn DatabaseService, from: i64, to: i64, amount: i64) -> Result<()> {
    ///     db.transaction(TransactionOptions::new(), |tx| {
    ///         tx.execute("UPDATE accounts SET balance = balance - $2 WHERE id = $1", &[&from, &amount])?;
    ///         tx.execute("UPDATE accounts SET balance = balance + $2 WHERE id = $1", &[&to, &amount])?;
    ///         Ok(())
    ///     })
    /// }
    /// ```
    #[track_caller]
    fn transaction<T, E, F>(&self, options: TransactionOptions, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Attempt) -> Result<T, E> + Clone,
        E: From<Error>,
    {
        let mut retry = Retry::new(options.get_retries());
        loop {
            let seen = Seen::default();
            let mut attempt = Attempt::new(self.begin(options)?, seen.clone());
            let failed = match closure.clone()(&mut attempt) {
                Ok(value) => match attempt.into_inner().commit() {
                    Ok(()) => return Ok(value),
                    Err(error) => Failed::commit(error, &seen),
                },
                Err(error) => {
                    // The closure's error says more; a transaction that can't be rolled back is closed.
                    let rolled_back = attempt.into_inner().rollback();
                    Failed::closure(error, &seen, &rolled_back)
                }
            };
            std::thread::sleep(failed.wait(&mut retry)?);
        }
    }

    #[doc = include_str!("../../docs/execute_rows_in_transaction.md")]
    #[track_caller]
    fn execute_rows_in_transaction<R, I>(
        &self,
        transaction: TransactionOptions,
        sql: &str,
        rows: I,
        options: BulkOptions<'_>,
    ) -> Result<u64, Error>
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let transaction = self.begin(transaction)?;
        match transaction.execute_rows(sql, rows, options) {
            Ok(affected) => transaction.commit().map(|()| affected),
            Err(error) => {
                let _ = transaction.rollback();
                Err(error)
            }
        }
    }
}

impl<D: DatabaseService + ?Sized> DatabaseServiceExt for D {}

/// Generic methods of every [`AsyncDatabaseService`].
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub trait AsyncDatabaseServiceExt: AsyncDatabaseService {
    #[doc = include_str!("../../docs/transaction.md")]
    ///
    /// # Cancel safety
    ///
    /// Dropped while the closure runs or between two runs, nothing is kept; dropped during the commit, whether it took
    /// effect is unknown. The future is `Send` if the closure's future is.
    ///
    /// ```no_run
    /// use catamaran::{AsyncDatabaseService, Result, TransactionOptions, prelude::*};
    ///
    /// async fn transfer(db: &dyn AsyncDatabaseService, from: i64, to: i64, amount: i64) -> Result<()> {
    ///     db.transaction(TransactionOptions::new(), async |tx| {
    ///         tx.execute("UPDATE accounts SET balance = balance - $2 WHERE id = $1", &[&from, &amount]).await?;
    ///         tx.execute("UPDATE accounts SET balance = balance + $2 WHERE id = $1", &[&to, &amount]).await?;
    ///         Ok(())
    ///     }).await
    /// }
    /// ```
    // No `+ Send`: that of the closure's future can't be asked for on stable Rust, and is inferred at the call instead.
    #[track_caller]
    fn transaction<T, E, F>(&self, options: TransactionOptions, closure: F) -> impl Future<Output = Result<T, E>>
    where
        F: AsyncFnOnce(&mut AsyncAttempt) -> Result<T, E> + Clone,
        E: From<Error>,
    {
        let by = Call::here("begin");
        async move {
            let mut retry = Retry::new(options.get_retries());
            loop {
                let seen = Seen::default();
                let mut attempt = AsyncAttempt::new(by.pin(|| self.begin(options)).await?, seen.clone());
                let failed = match closure.clone()(&mut attempt).await {
                    Ok(value) => match attempt.into_inner().commit().await {
                        Ok(()) => return Ok(value),
                        Err(error) => Failed::commit(error, &seen),
                    },
                    Err(error) => {
                        let rolled_back = attempt.into_inner().rollback().await;
                        Failed::closure(error, &seen, &rolled_back)
                    }
                };
                tokio::time::sleep(failed.wait(&mut retry)?).await;
            }
        }
    }

    #[doc = include_str!("../../docs/execute_rows_in_transaction.md")]
    ///
    /// # Cancel safety
    ///
    /// Dropped before the commit, nothing is kept; dropped during the commit, whether it took effect is unknown.
    #[track_caller]
    fn execute_rows_in_transaction<R, I>(
        &self,
        transaction: TransactionOptions,
        sql: &str,
        rows: I,
        options: BulkOptions<'_>,
    ) -> impl Future<Output = Result<u64, Error>> + Send
    where
        R: CopyRow + Send + Sync,
        I: IntoIterator<Item = R, IntoIter: Send>,
    {
        let (rows, by) = (rows.into_iter(), Call::here("begin"));
        async move {
            let transaction = by.pin(|| self.begin(transaction)).await?;
            match transaction.execute_rows(sql, rows, options).await {
                Ok(affected) => transaction.commit().await.map(|()| affected),
                Err(error) => {
                    let _ = transaction.rollback().await;
                    Err(error)
                }
            }
        }
    }
}

#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
impl<D: AsyncDatabaseService + ?Sized> AsyncDatabaseServiceExt for D {}

/// What an attempt failed with, and what that is to be judged by.
struct Failed<E> {
    error: E,
    cause: Option<Error>,
}

impl<E> Failed<E> {
    fn closure(error: E, seen: &Seen, rolled_back: &Result<(), Error>) -> Self {
        // What the closure has kept by a `COMMIT` of its own would be there twice; where the rollback was not done, as on a
        // connection that was lost, nobody knows of one.
        Self { error, cause: seen.take().filter(|_| rolled_back.is_ok()) }
    }

    fn commit(error: Error, seen: &Seen) -> Self
    where
        E: From<Error>,
    {
        let cause = match error.kind() {
            // The closure passed over the failure of a statement.
            ErrorKind::TransactionAborted => seen.take(),
            // Run again, it might take effect twice.
            ErrorKind::CommitUnknown => None,
            _ => Some(error.clone()),
        };
        Self { error: error.into(), cause }
    }

    /// How long to wait before the next attempt, or the error if there is to be none.
    fn wait(self, retry: &mut Retry) -> Result<Duration, E> {
        match self.cause.map(|cause| retry.after(cause, fastrand::f64())) {
            Some(Ok(wait)) => Ok(wait),
            Some(Err(_)) | None => Err(self.error),
        }
    }
}

#[cfg(all(test, any(feature = "async", feature = "blocking", feature = "mock")))]
mod tests;
