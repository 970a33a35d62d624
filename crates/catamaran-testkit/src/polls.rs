//! Cancelling a future at a chosen poll.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How a future that was to be dropped ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled<T> {
    /// It completed before its polls were used up.
    Done(T),
    /// It was dropped before it completed.
    Dropped,
}

impl<T> Polled<T> {
    /// Returns the output, `None` if the future was dropped.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(output) => Some(output),
            Self::Dropped => None,
        }
    }
}

/// A future that is dropped after a number of polls; see [`drop_after_polls`].
#[must_use = "futures do nothing unless polled"]
pub struct DropAfterPolls<F> {
    future: Option<Pin<Box<F>>>,
    left: usize,
}

/// Polls `future` at most `polls` times and then drops it.
///
/// The drop happens as soon as the last allowed poll returns without a result,
/// while what the future waits for is still outstanding. With `polls` of 0 the
/// future is dropped without ever having been polled. Needs no runtime of its
/// own; the future may need one.
pub fn drop_after_polls<F: Future>(future: F, polls: usize) -> DropAfterPolls<F> {
    DropAfterPolls { future: Some(Box::pin(future)), left: polls }
}

impl<F: Future> Future for DropAfterPolls<F> {
    type Output = Polled<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.left > 0
            && let Some(future) = &mut this.future
        {
            this.left -= 1;
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                this.future = None;
                return Poll::Ready(Polled::Done(output));
            }
        }
        if this.left > 0 && this.future.is_some() {
            return Poll::Pending;
        }
        this.future = None;
        Poll::Ready(Polled::Dropped)
    }
}

impl<F> std::fmt::Debug for DropAfterPolls<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DropAfterPolls")
            .field("left", &self.left)
            .field("dropped", &self.future.is_none())
            .finish_non_exhaustive()
    }
}

/// Cancels a future after 0 polls, then a fresh one after 1, and so on until
/// one completes, and returns that one's output.
///
/// After each cancelled future `check` is called with its number of polls, to
/// look at what it left behind. `None` if none completed within `limit` polls.
/// A future that waits for something that never happens is not polled again,
/// and so is never cancelled at a later poll either.
pub async fn at_every_poll<F: Future>(
    limit: usize,
    mut make: impl FnMut() -> F,
    mut check: impl AsyncFnMut(usize),
) -> Option<F::Output> {
    for polls in 0..=limit {
        match drop_after_polls(make(), polls).await {
            Polled::Done(output) => return Some(output),
            Polled::Dropped => check(polls).await,
        }
    }
    None
}
