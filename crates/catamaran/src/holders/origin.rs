//! On whose behalf code runs.

use std::{
    cell::RefCell,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
    thread::{self, ThreadId},
};

use futures_util::future::BoxFuture;
use tokio::task::{Id, try_id};

use crate::guard;

thread_local! {
    /// What this thread works for.
    static CARRIED: RefCell<Option<Origin>> = const { RefCell::new(None) };
}

/// The route, and the flow of control: what happens in it happens one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    route: Option<Arc<str>>,
    place: Place,
    /// Tells futures of one task apart that have wakers of their own, as those of a `FuturesUnordered`.
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Task(Id),
    Thread(ThreadId),
}

impl Origin {
    /// That of the calling thread, or what it works for.
    pub(crate) fn here() -> Self {
        Self::with(None)
    }

    /// That of the calling task, or what its thread works for.
    pub(crate) async fn current() -> Self {
        poll_fn(|cx| Poll::Ready(Self::with(Some(cx.waker())))).await
    }

    fn with(waker: Option<&Waker>) -> Self {
        if let Some(carried) = CARRIED.with_borrow(Clone::clone) {
            return carried;
        }
        let place = try_id().map_or_else(|| Place::Thread(thread::current().id()), Place::Task);
        Self { route: guard::current_route(), place, waker: waker.cloned() }
    }

    /// Runs code on this thread on behalf of the origin.
    pub(crate) fn enter<T>(self, run: impl FnOnce() -> T) -> T {
        struct Leave(Option<Origin>);

        impl Drop for Leave {
            fn drop(&mut self) {
                CARRIED.set(self.0.take());
            }
        }

        let _leave = Leave(CARRIED.replace(Some(self)));
        run()
    }

    /// Polls a future on behalf of the origin.
    pub(crate) fn carry<'a, T: 'a>(self, mut future: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        Box::pin(poll_fn(move |cx| self.clone().enter(|| future.as_mut().poll(cx))))
    }

    pub(crate) fn route(&self) -> Option<&Arc<str>> {
        self.route.as_ref()
    }

    /// Whether one waits for the other.
    pub(super) fn is_flow_of(&self, other: &Self) -> bool {
        let same_future = match (&self.waker, &other.waker) {
            (Some(own), Some(others)) => own.will_wake(others),
            _ => true,
        };
        self.place == other.place && same_future
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream::FuturesUnordered};

    use super::*;

    #[test]
    fn a_thread_is_one_flow_and_carries_that_of_another() {
        let here = Origin::here();
        assert!(here.is_flow_of(&Origin::here()));
        let carried = here.clone();
        let (other, entered, left) = thread::spawn(move || {
            let other = Origin::here();
            (other, carried.enter(Origin::here), Origin::here())
        })
        .join()
        .unwrap();
        assert!(!here.is_flow_of(&other) && here.is_flow_of(&entered) && !here.is_flow_of(&left));
    }

    #[test]
    fn a_task_is_one_flow_but_for_futures_with_their_own_wakers() {
        let task = async {
            let first = Origin::current().await;
            tokio::task::yield_now().await;
            let second = Origin::current().await;
            let apart: FuturesUnordered<_> = [Origin::current(), Origin::current()].into_iter().collect();
            (first, second, apart.collect::<Vec<_>>().await)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (first, second, apart) = tokio::spawn(task).await.unwrap();
            assert!(first.is_flow_of(&second));
            assert!(!first.is_flow_of(&apart[0]) && !apart[0].is_flow_of(&apart[1]));
            assert!(!first.is_flow_of(&tokio::spawn(Origin::current()).await.unwrap()));
        });
    }
}
