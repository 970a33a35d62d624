//! Requests from one side of a bridge to the other, whose senders wait for an answer.
//!
//! tokio's channel may keep what is sent in the moment in which its receiver is dropped, for as long as there are senders:
//! one that waits for the answer to just that would wait for ever. Here sending and closing exclude each other, so that
//! what is not refused is received or dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

/// Sends requests.
pub(super) struct Sender<T> {
    queue: mpsc::UnboundedSender<T>,
    open: Open,
}

/// Receives them until all senders are dropped. Dropped itself, it drops what is on its way.
pub(super) struct Receiver<T> {
    queue: mpsc::UnboundedReceiver<T>,
    weak: mpsc::WeakUnboundedSender<T>,
    open: Open,
}

/// Whether requests are received still.
#[derive(Clone)]
struct Open(Arc<Mutex<bool>>);

/// Nobody receives requests any more.
#[derive(Debug)]
pub(super) struct Closed;

pub(super) fn requests<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, queue) = mpsc::unbounded_channel();
    let (weak, open) = (sender.downgrade(), Open(Arc::new(Mutex::new(true))));
    (Sender { queue: sender, open: open.clone() }, Receiver { queue, weak, open })
}

impl<T> Sender<T> {
    pub(super) fn send(&self, request: T) -> Result<(), Closed> {
        let open = self.open.lock();
        if !*open {
            return Err(Closed);
        }
        self.queue.send(request).map_err(|_| Closed)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), open: self.open.clone() }
    }
}

impl<T> Receiver<T> {
    pub(super) async fn recv(&mut self) -> Option<T> {
        self.queue.recv().await
    }

    pub(super) fn blocking_recv(&mut self) -> Option<T> {
        self.queue.blocking_recv()
    }

    /// Another sender, as long as there is one.
    pub(super) fn sender(&self) -> Option<Sender<T>> {
        Some(Sender { queue: self.weak.upgrade()?, open: self.open.clone() })
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // The queue, dropped behind this, has all that was sent in it.
        *self.open.lock() = false;
    }
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Barrier, atomic::AtomicBool, atomic::Ordering::SeqCst},
        thread,
    };

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn nothing_is_left_behind_a_receiver_that_is_dropped() {
        const ROUNDS: usize = 20_000;

        let (places, taken) = (Barrier::new(2), Mutex::new(None::<Receiver<oneshot::Sender<()>>>));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    places.wait();
                    if over.load(SeqCst) {
                        return;
                    }
                    let receiver = taken.lock().unwrap().take();
                    places.wait();
                    drop(receiver);
                    places.wait();
                }
            });
            let (mut refused, mut left) = (0, 0);
            for round in 0..ROUNDS {
                let (sender, receiver) = requests();
                *taken.lock().unwrap() = Some(receiver);
                places.wait();
                let (reply, mut answer) = oneshot::channel();
                places.wait();
                (0..round % 64).for_each(|_| std::hint::spin_loop());
                refused += usize::from(sender.send(reply).is_err());
                places.wait();
                left += usize::from(answer.try_recv() == Err(oneshot::error::TryRecvError::Empty));
            }
            over.store(true, SeqCst);
            places.wait();
            assert_eq!(left, 0, "waited for in vain");
            // Otherwise one side was always first, and nothing was tried.
            assert!(refused > 0 && refused < ROUNDS, "{refused}");
        });
    }

    #[test]
    fn a_sender_more_as_long_as_there_is_one() {
        let (sender, mut receiver) = requests();
        let another = receiver.sender().unwrap();
        drop(sender);
        another.send(1).unwrap();
        drop(another);
        assert!(receiver.sender().is_none());
        assert_eq!((receiver.blocking_recv(), receiver.blocking_recv()), (Some(1), None));
    }
}
