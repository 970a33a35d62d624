//! The task that sends and receives for a connection.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};
use tokio_postgres::Connection;

use crate::budget::Permit;

/// Says that several statements are on the connection.
pub(crate) type Crowded = Arc<AtomicBool>;

/// Runs the driver's side of a connection.
///
/// While the connection is crowded, everyone else who is ready runs before it is its turn: what they send goes out
/// together, and what the server has answered comes in together.
/// A permit is free when the connection is closed.
pub(crate) fn drive<S, T>(connection: Connection<S, T>, crowded: Crowded, permit: Option<Permit>) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        // Declared first, so dropped last, also where the task is aborted.
        let _permit = permit;
        let mut connection = pin!(connection);
        let mut let_others = true;
        let ended = poll_fn(|cx| {
            if let_others && crowded.load(Relaxed) {
                let_others = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let_others = true;
            connection.as_mut().poll(cx)
        });
        if let Err(error) = ended.await {
            tracing::debug!(%error, "a connection has ended");
        }
    })
}
