//! Rows and COPY data as streams that hold their connection.

use std::{
    pin::Pin,
    sync::atomic::Ordering::SeqCst,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use postgres_types::ToSql;

use super::{frame::Frame, lease::Access, running::Abandoned};
use crate::{BytesStream, Result, RowStream, many::Within, stream::AsyncIter};

/// Streams a statement's rows from a connection that `access` holds.
pub(crate) async fn rows<'a>(access: Access<'a>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'a>> {
    let rows = access.connection().rows(sql, params).await?;
    Ok(held(access, rows))
}

/// Streams the data of a `COPY … TO STDOUT` from a connection that `access` holds.
pub(crate) async fn copy_out<'a>(access: Access<'a>, sql: &str, within: Within) -> Result<BytesStream<'a>> {
    let (data, own) = access.connection().copy_out(sql, within).await?;
    if !own {
        return Ok(held::<Bytes>(access, data));
    }
    // Dropped before its end, the frame is rolled back behind the data.
    let frame = Frame::enter(access.handle());
    let committed = stream::once(frame.commit()).filter_map(async |committed| committed.err().map(Err));
    Ok(held::<Bytes>(access, data.chain(committed)))
}

fn held<'a, T: 'a>(access: Access<'a>, items: impl Stream<Item = Result<T>> + Send + 'a) -> AsyncIter<'a, T> {
    AsyncIter::new(Held(Some((Box::pin(items), Streaming::new(access)))))
}

/// Items and the connection that they come from, until the last of them.
///
/// The items stand first: dropped, the driver knows that nobody reads them before the connection is cleaned.
struct Held<'a, S>(Option<(Pin<Box<S>>, Streaming<'a>)>);

impl<T, S: Stream<Item = Result<T>>> Stream for Held<'_, S> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let Some((items, streaming)) = &mut self.0 else { return Poll::Ready(None) };
        let item = streaming.item(ready!(items.as_mut().poll_next(cx)));
        if !matches!(item, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(item)
    }
}

/// Holds the connection for an open stream: a whole lease, or the session or transaction that has one.
struct Streaming<'a> {
    access: Access<'a>,
    ended: bool,
}

impl<'a> Streaming<'a> {
    /// For a connection that was left to it.
    fn new(access: Access<'a>) -> Self {
        Self { access, ended: false }
    }

    fn item<T>(&mut self, item: Option<Result<T>>) -> Option<Result<T>> {
        if !matches!(item, Some(Ok(_))) {
            self.ended = true;
        }
        if let Some(result) = &item {
            self.access.connection().note_failure(result);
        }
        item
    }
}

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        let connection = self.access.connection();
        // Before the connection is free for others.
        if !self.ended {
            connection.abandon(Abandoned::Statement);
        }
        connection.streaming.store(false, SeqCst);
    }
}
