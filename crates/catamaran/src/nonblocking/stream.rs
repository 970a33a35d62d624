//! Rows and COPY data as streams that hold their connection.

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream::unfold};
use postgres_types::ToSql;

use super::{connection::Streaming, lease::Holder};
use crate::{BytesStream, Result, RowStream, stream::AsyncIter};

/// Streams a statement's rows from a connection that `holder` holds.
pub(crate) async fn rows<'a>(holder: Holder<'a>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'a>> {
    let rows = holder.connection().rows(sql, params).await?;
    Ok(held(holder, rows))
}

/// Streams the data of a `COPY … TO STDOUT` from a connection that `holder` holds.
pub(crate) async fn copy_out<'a>(holder: Holder<'a>, sql: &str) -> Result<BytesStream<'a>> {
    let data = holder.connection().copy_out(sql).await?;
    Ok(held::<Bytes>(holder, data))
}

fn held<'a, T: Send + 'a>(holder: Holder<'a>, items: impl Stream<Item = Result<T>> + Send + 'a) -> AsyncIter<'a, T> {
    // The items stand first: dropped, the driver knows that nobody reads them before the connection is cleaned.
    let state = (Box::pin(items), Streaming::new(holder));
    AsyncIter::new(unfold(Some(state), |state| async {
        let (mut items, mut streaming) = state?;
        let item = streaming.item(items.next().await)?;
        let more = item.is_ok().then_some((items, streaming));
        Some((item, more))
    }))
}
