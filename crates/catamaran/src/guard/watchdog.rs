//! Polls that take too long, noticed while they do.

use std::{
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use super::report::{self, Site};

/// A poll that takes longer stalls others.
pub(super) const LONG: Duration = Duration::from_millis(100);
/// How often the watchdog looks.
const LOOK: Duration = Duration::from_millis(20);

/// The slots of all threads that poll guarded futures.
static SLOTS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());
static WATCHDOG: Once = Once::new();

/// The guarded futures that one thread polls: one, and those within it.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Vec<Running>>);

/// A poll under way.
#[derive(Debug)]
struct Running {
    route: Arc<str>,
    since: Instant,
    /// The last blocking call in it.
    call: Option<Site>,
    told: bool,
}

impl Slot {
    /// A slot that the watchdog looks at.
    pub(super) fn registered() -> Arc<Self> {
        WATCHDOG.call_once(|| {
            if let Err(error) = thread::Builder::new().name("catamaran-watchdog".into()).spawn(watch) {
                tracing::error!(%error, "no thread could be started to watch for blocked runtimes");
            }
        });
        let slot = Arc::<Self>::default();
        let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    pub(super) fn begin(&self, route: &Arc<str>) {
        self.running().push(Running { route: route.clone(), since: Instant::now(), call: None, told: false });
    }

    pub(super) fn end(&self) {
        let ended = self.running().pop();
        if let Some(Running { route, since, call, .. }) = ended {
            let took = since.elapsed();
            if took >= LONG {
                report::note_stall(&route, call, took);
            }
        }
    }

    pub(super) fn route(&self) -> Option<Arc<str>> {
        self.running().last().map(|running| running.route.clone())
    }

    pub(super) fn note_call(&self, site: Site) {
        if let Some(running) = self.running().last_mut() {
            running.call = Some(site);
        }
    }

    /// Says that the poll under way takes long, once.
    fn look(&self) {
        let mut running = self.running();
        let Some(last) = running.last_mut().filter(|last| !last.told && last.since.elapsed() >= LONG) else { return };
        last.told = true;
        let (route, call, since) = (last.route.clone(), last.call, last.since);
        drop(running);
        report::tell_stuck(&route, call, since.elapsed());
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch() {
    loop {
        thread::sleep(LOOK);
        let slots: Vec<_> =
            SLOTS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        slots.iter().for_each(|slot| slot.look());
    }
}
