//! COPY in both directions.
//!
//! Outside a transaction it runs in one of its own: the driver takes the end of the data for the end of the statement,
//! and what the server finds after it, at a commit of its own, would be read by nobody.

use std::pin::pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _};

use super::{connection::Connection, frame::Frame, running::Abandoned};
use crate::{Error, ErrorKind, Result, driver_error::using, many::Within, statement_cache::Kept, traces::Travel};

/// Chunks of data, as the caller gives them.
pub(crate) type Chunks<'a> = &'a mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin);

/// A question that has to be answered before the connection is used for anything else.
struct Asking<'a>(Option<&'a Connection>);

impl Asking<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.cut();
        }
    }
}

impl Connection {
    pub(crate) async fn copy_in(&self, sql: &str, chunks: Chunks<'_>, within: Within) -> Result<u64> {
        let running = self.ready(Abandoned::Statement).await?;
        let alone = match self.alone() {
            Ok(alone) => alone,
            Err(error) => return running.done(Err(error)),
        };
        // Within, so that it is noted what was dropped before the connection is free for others.
        let copied = self.mark(Abandoned::Copy).done(self.copy_all(sql, chunks, within).await);
        drop(alone);
        running.done(copied)
    }

    async fn copy_all(&self, sql: &str, chunks: Chunks<'_>, within: Within) -> Result<u64> {
        let kept = self.keep(sql).await?.0.travels(Travel::CopyIn)?;
        let own = within == Within::Connection && !self.is_in_transaction().await?;
        if !own {
            return self.feed(&kept, chunks).await;
        }
        let frame = Frame::enter(self);
        let begun = self.client.batch_execute("BEGIN").await.map_err(using);
        let copied = match begun {
            Ok(()) => self.feed(&kept, chunks).await,
            Err(error) => Err(error),
        };
        match copied {
            Ok(count) => frame.commit().await.map(|()| count),
            Err(error) => frame.end(Err(error)).await,
        }
    }

    /// Sends the data, and has the connection in step afterwards, or gives it up.
    async fn feed(&self, kept: &Kept, chunks: Chunks<'_>) -> Result<u64> {
        self.note_of(kept);
        let copy = async {
            let mut sink = pin!(self.client.copy_in::<_, Bytes>(&kept.statement).await.map_err(using)?);
            while let Some(chunk) = chunks.next().await {
                sink.send(chunk?).await.map_err(using)?;
            }
            sink.finish().await.map_err(using)
        };
        let copied = copy.await;
        if copied.as_ref().is_err_and(|error| error.kind() != ErrorKind::ConnectionLost) && !self.is_in_step().await {
            self.cut();
        }
        copied
    }

    /// Whether the next answer is that of the next request.
    ///
    /// Behind a COPY in that the server refuses, the driver ends the data that was on the way with a second Sync, and the
    /// server answers both. Whatever is asked next would get the answer that is one too many, and everybody after it that
    /// of somebody else.
    ///
    /// Dropped before the answer has come, the connection is given up: a refusal to run anything in a failed transaction is
    /// worth something only if it can't be that of an earlier question.
    pub(super) async fn is_in_step(&self) -> bool {
        let nonce = fastrand::u64(..).to_string();
        let asking = Asking(Some(self));
        let is_in_step = match self.client.simple_query(&format!("SELECT '{nonce}'")).await {
            Ok(messages) => messages.iter().any(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some(&*nonce),
                _ => false,
            }),
            // In a transaction that has failed, no statement is run.
            Err(error) => error.code().is_some_and(|code| code.code() == "25P02"),
        };
        asking.answered();
        is_in_step
    }

    /// Finds out whether the connection is in step after a COPY in that was dropped, or gives it up.
    pub(super) async fn prove(&self) -> Result<()> {
        if self.is_in_step().await {
            return Ok(());
        }
        self.cut();
        Err(Error::out_of_step())
    }

    /// COPY data as it comes. The connection is left to a [`Streaming`](super::stream::Streaming), and so is the
    /// transaction of its own that is open if the second value says so.
    pub(crate) async fn copy_out(
        &self,
        sql: &str,
        within: Within,
    ) -> Result<(impl Stream<Item = Result<Bytes>> + Send + use<>, bool)> {
        let running = self.ready(Abandoned::Statement).await?;
        running.done(self.open_copy(sql, within).await)
    }

    async fn open_copy(
        &self,
        sql: &str,
        within: Within,
    ) -> Result<(impl Stream<Item = Result<Bytes>> + Send + use<>, bool)> {
        let alone = self.alone()?;
        let kept = self.keep(sql).await?.0.travels(Travel::CopyOut)?;
        let own = within == Within::Connection && !self.is_in_transaction().await?;
        let frame = own.then(|| Frame::enter(self));
        self.note_of(&kept);
        let data = if let Some(frame) = frame {
            let data = match self.client.batch_execute("BEGIN").await {
                Ok(()) => self.client.copy_out(&kept.statement).await,
                Err(error) => Err(error),
            };
            match data.map_err(using) {
                Ok(data) => {
                    frame.leave();
                    data
                }
                Err(error) => return frame.end(Err(error)).await,
            }
        } else {
            self.client.copy_out(&kept.statement).await.map_err(using)?
        };
        alone.leave_to_stream();
        Ok((data.map_err(using), own))
    }
}
