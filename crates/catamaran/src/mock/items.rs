//! What a mock's stream yields.

use crate::{
    Result,
    stream::{AsyncIter, Iter},
};

/// The rows of a mocked `fetch_iter` or `fetch_stream`, or the chunks of a mocked `copy_out`: made from a `Vec` of them,
/// or of results. An error ends the stream, as a server's does.
///
/// ```
/// use catamaran::{Bytes, Error, ErrorKind, Executor, mock::MockDatabaseService, row};
///
/// let mut db = MockDatabaseService::new();
/// db.expect_copy_out().returning(|_| Ok(vec![Bytes::from("1\tada\n")].into()));
/// db.expect_fetch_iter().returning(|_, _| {
///     let lost = Error::new(ErrorKind::ConnectionLost, "the server went away");
///     Ok(vec![Ok(row! { "id" => 1i64 }), Err(lost)].into())
/// });
/// let ids: Vec<_> = db.fetch_iter("SELECT id FROM agents", &[])?.map(|row| row?.get::<i64>("id")).collect();
/// assert_eq!(ids.len(), 2);
/// assert!(ids[1].is_err());
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug)]
pub struct Items<T>(Vec<Result<T>>);

impl<T> From<Vec<T>> for Items<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items.into_iter().map(Ok).collect())
    }
}

impl<T> From<Vec<Result<T>>> for Items<T> {
    fn from(mut items: Vec<Result<T>>) -> Self {
        let end = items.iter().position(Result::is_err).map_or(items.len(), |error| error + 1);
        items.truncate(end);
        Self(items)
    }
}

impl<T: Send + 'static> Items<T> {
    pub(super) fn into_iter(self) -> Iter<'static, T> {
        Iter::new(self.0.into_iter())
    }

    pub(super) fn into_stream(self) -> AsyncIter<'static, T> {
        AsyncIter::new(futures_util::stream::iter(self.0))
    }
}
