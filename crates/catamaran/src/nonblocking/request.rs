//! A request that is sent now and whose answer is taken later.

use std::{future::poll_fn, task::Poll};

use futures_util::future::BoxFuture;

/// A request on its way. The driver sends one when its future is first polled, and so in the order of these polls.
pub(super) enum Request<'a, T> {
    Sent(BoxFuture<'a, T>),
    Answered(T),
}

impl<'a, T> Request<'a, T> {
    pub(super) async fn send(mut future: BoxFuture<'a, T>) -> Self {
        let answer = poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => Poll::Ready(None),
        });
        match answer.await {
            Some(answer) => Self::Answered(answer),
            None => Self::Sent(future),
        }
    }

    pub(super) async fn answer(self) -> T {
        match self {
            Self::Sent(future) => future.await,
            Self::Answered(answer) => answer,
        }
    }
}
