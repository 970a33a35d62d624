//! Connections that are held for too long, noticed while they are.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use super::Holders;

/// The part of the time that may pass before a connection that is held for too long is told of.
const LOOKS: u32 = 8;
const MOST_OFTEN: Duration = Duration::from_millis(5);
const LEAST_OFTEN: Duration = Duration::from_secs(1);

/// Those that are watched, and how often; empty when no thread does.
static WATCHED: Mutex<Vec<(Weak<Holders>, Duration)>> = Mutex::new(Vec::new());

/// Watches for connections that are held for longer than `limit`.
pub(super) fn watch(holders: &Arc<Holders>, limit: Duration) {
    let period = (limit / LOOKS).clamp(MOST_OFTEN, LEAST_OFTEN);
    let mut watched = watched();
    watched.push((Arc::downgrade(holders), period));
    if watched.len() > 1 {
        return;
    }
    drop(watched);
    if let Err(error) = thread::Builder::new().name("catamaran-holders".into()).spawn(look) {
        tracing::error!(%error, "no thread could be started to watch for connections that are held for too long");
    }
}

/// Ends when nothing is left to be watched.
fn look() {
    loop {
        let mut watched = watched();
        watched.retain(|(holders, _)| holders.strong_count() > 0);
        let Some(period) = watched.iter().map(|(_, period)| *period).min() else { return };
        let all: Vec<_> = watched.iter().filter_map(|(holders, _)| holders.upgrade()).collect();
        drop(watched);
        for holder in all.iter().flat_map(|holders| holders.leaks()) {
            tracing::warn!(
                service = holder.service,
                route = holder.route.as_deref(),
                operation = holder.operation,
                at = %holder.site,
                statement = holder.statement,
                held_ms = holder.held.as_millis(),
                "a connection is held for long"
            );
        }
        drop(all);
        thread::sleep(period);
    }
}

fn watched() -> MutexGuard<'static, Vec<(Weak<Holders>, Duration)>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}
