//! Futures are dropped at the poll that was chosen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use catamaran_testkit::{Polled, at_every_poll, drop_after_polls, eventually};

/// Notes its own drop.
struct Guard<'a>(&'a Cell<bool>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// A future that is ready at its third poll.
async fn third_time(polled: &Cell<usize>, guard: Guard<'_>) -> &'static str {
    poll_fn(|cx| {
        polled.set(polled.get() + 1);
        cx.waker().wake_by_ref();
        if polled.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    drop(guard);
    "done"
}

#[test]
fn a_future_is_dropped_at_the_chosen_poll() {
    for (polls, outer_polls, expected) in [
        (0, 1, Polled::Dropped),
        (1, 1, Polled::Dropped),
        (2, 2, Polled::Dropped),
        (3, 3, Polled::Done("done")),
        (4, 3, Polled::Done("done")),
    ] {
        let (polled, dropped) = (Cell::new(0), Cell::new(false));
        let mut future = pin!(drop_after_polls(third_time(&polled, Guard(&dropped)), polls));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 1..outer_polls {
            assert!(future.as_mut().poll(&mut cx).is_pending());
            assert!(!dropped.get(), "too early with {polls}");
        }
        assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(expected));
        assert!(dropped.get(), "at once, not when the outer future is dropped");
        assert_eq!(polled.get(), polls.min(3));
        assert_eq!(expected.done(), (polls > 2).then_some("done"));
    }
}

#[tokio::test]
async fn every_poll_is_tried_until_one_completes() {
    let (dropped, checked) = (Cell::new(false), RefCell::new(Vec::new()));
    let polled: Vec<Cell<usize>> = (0..9).map(|_| Cell::new(0)).collect();
    let made = Cell::new(0);
    let make = || {
        made.set(made.get() + 1);
        third_time(&polled[made.get() - 1], Guard(&dropped))
    };
    let output = at_every_poll(9, make, async |polls| checked.borrow_mut().push(polls)).await;
    assert_eq!(output, Some("done"));
    assert_eq!(*checked.borrow(), [0, 1, 2]);
    assert_eq!(made.get(), 4);

    let tries = Cell::new(0);
    let never = || {
        tries.set(tries.get() + 1);
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
    };
    assert_eq!(at_every_poll(5, never, async |_| {}).await, None);
    assert_eq!(tries.get(), 6);
}

#[test]
fn a_condition_is_waited_for_and_given_up_in_time() {
    let looks = Cell::new(0);
    let start = Instant::now();
    assert!(eventually(Duration::from_secs(10), || {
        looks.set(looks.get() + 1);
        looks.get() == 4
    }));
    assert!(start.elapsed() < Duration::from_secs(5));

    looks.set(0);
    let start = Instant::now();
    assert!(!eventually(Duration::from_millis(200), || {
        looks.set(looks.get() + 1);
        false
    }));
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!((3..50).contains(&looks.get()), "pauses grow: {}", looks.get());
    assert!(eventually(Duration::ZERO, || true), "one look is free");
}
