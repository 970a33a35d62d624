//! Rows and COPY data on their way, blocking as iterators and async as streams.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::{Stream, stream::BoxStream};
use futures_util::StreamExt as _;

use crate::{Result, Row};

/// Items as the server sends them, one `next()` at a time.
///
/// # Blocking
///
/// `next` blocks until the server has sent the next item. Dropping it early waits until the server has stopped.
pub struct Iter<'a, T>(Box<dyn Iterator<Item = Result<T>> + Send + 'a>);

/// Items as the server sends them, one `next().await` at a time.
///
/// # Cancel safety
///
/// A dropped `next` loses nothing. Dropping the stream itself is safe at any point.
pub struct AsyncIter<'a, T>(BoxStream<'a, Result<T>>);

/// Rows of [`fetch_iter`](crate::Executor::fetch_iter).
pub type RowIter<'a> = Iter<'a, Row>;
/// Rows of [`fetch_stream`](crate::AsyncExecutor::fetch_stream).
pub type RowStream<'a> = AsyncIter<'a, Row>;
/// Chunks of [`copy_out`](crate::Executor::copy_out).
pub type BytesIter<'a> = Iter<'a, Bytes>;
/// Chunks of [`copy_out`](crate::AsyncExecutor::copy_out).
pub type BytesStream<'a> = AsyncIter<'a, Bytes>;

impl<'a, T> Iter<'a, T> {
    /// Wraps any iterator, for implementations of [`Executor`](crate::Executor).
    pub fn new(items: impl Iterator<Item = Result<T>> + Send + 'a) -> Self {
        Self(Box::new(items))
    }
}

impl<'a, T> AsyncIter<'a, T> {
    /// Wraps any stream, for implementations of [`AsyncExecutor`](crate::AsyncExecutor).
    pub fn new(items: impl Stream<Item = Result<T>> + Send + 'a) -> Self {
        Self(items.boxed())
    }

    /// The next item, or `None` after the last.
    pub async fn next(&mut self) -> Option<Result<T>> {
        self.0.next().await
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.0.next()
    }
}

impl<T> Stream for AsyncIter<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for AsyncIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncIter").finish_non_exhaustive()
    }
}
