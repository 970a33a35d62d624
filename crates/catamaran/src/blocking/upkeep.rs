//! What has to be looked at from time to time, by a thread. Closing idle connections is r2d2's.

use std::{
    sync::{Arc, Once, Weak},
    thread,
};

use crate::holders::Holders;

/// Whether the thread was started.
#[derive(Debug)]
pub(crate) struct Upkeep(Once);

impl Upkeep {
    pub(crate) fn new() -> Self {
        Self(Once::new())
    }

    /// Starts the thread, unless it was.
    pub(crate) fn start(&self, holders: &Arc<Holders>) {
        self.0.call_once(|| {
            let holders = Arc::downgrade(holders);
            let named = thread::Builder::new().name("catamaran-upkeep".into());
            if let Err(error) = named.spawn(move || tell_leaks(&holders)) {
                tracing::error!(%error, "no thread could be started to look for connections that are held for long");
            }
        });
    }
}

/// Tells of connections that are held for too long, until the service is gone.
fn tell_leaks(holders: &Weak<Holders>) {
    while let Some(period) = holders.upgrade().and_then(|holders| holders.tell_leaks()) {
        thread::sleep(period);
    }
}
