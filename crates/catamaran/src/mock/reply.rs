//! What an async mock answers, and when.

use std::time::Duration;

use futures_core::future::BoxFuture;

use crate::{Error, Result};

/// The answer of an async mock: a future, so that it may take its time. Any boxed one will do:
/// `Box::pin(async { … })`.
pub type Reply<T> = BoxFuture<'static, Result<T>>;

/// An answer that is there at once.
///
/// ```
/// use catamaran::{mock::{MockAsyncDatabaseService, reply}, row};
///
/// let mut db = MockAsyncDatabaseService::new();
/// db.expect_execute().returning(|_, _| reply(1));
/// db.expect_fetch_all().returning(|_, _| reply(vec![row! { "id" => 1i64 }]));
/// db.expect_fetch_optional().returning(|_, _| reply(None));
/// db.expect_ping().returning(|| reply(()));
/// ```
pub fn reply<T: Send + 'static>(value: T) -> Reply<T> {
    Box::pin(std::future::ready(Ok(value)))
}

/// An answer that takes a while. Calls at the same time wait at the same time.
///
/// It needs a tokio runtime with its clock.
///
/// ```
/// use std::time::Duration;
/// use catamaran::mock::{MockAsyncDatabaseService, reply_after};
///
/// let mut db = MockAsyncDatabaseService::new();
/// db.expect_ping().returning(|| reply_after(Duration::from_millis(10), ()));
/// ```
pub fn reply_after<T: Send + 'static>(wait: Duration, value: T) -> Reply<T> {
    Box::pin(async move {
        tokio::time::sleep(wait).await;
        Ok(value)
    })
}

/// An error that is there at once.
///
/// ```
/// use catamaran::{Error, mock::{MockAsyncDatabaseService, fails}};
///
/// let mut db = MockAsyncDatabaseService::new();
/// db.expect_execute().returning(|_, _| fails(Error::server("23505", "duplicate key value")));
/// ```
pub fn fails<T: Send + 'static>(error: Error) -> Reply<T> {
    Box::pin(std::future::ready(Err(error)))
}
