//! Every way to reach a database behind one async face, for tests that try all of them.

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc, thread, time::Duration};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, Config, DatabaseService, DeadpoolDatabase, Error, Offloaded, R2d2Database,
    lend,
};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::inline::{Inline, InlineService, at_once};

/// Longer than anything takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// What is done with an executor.
pub type Work<T = ()> = for<'a> fn(&'a dyn AsyncExecutor, usize) -> Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to reach the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The blocking service.
    Blocking,
    /// The async service, with shared connections.
    Sharing,
    /// The async service without.
    Apart,
    /// The blocking service as an async one.
    Offloaded,
    /// The async service, whose sessions and transactions are lent to blocking code.
    Lent,
}

impl Face {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Blocking, Self::Sharing, Self::Apart, Self::Offloaded, Self::Lent];

    /// Whether a call can be dropped on its way.
    pub fn is_async(self) -> bool {
        !matches!(self, Self::Blocking | Self::Lent)
    }

    /// A service of its own.
    pub fn open(self, config: &Config) -> Opened {
        let config = config.clone();
        let blocking = |config| -> Arc<dyn DatabaseService> { Arc::new(R2d2Database::new(config).expect("a service")) };
        match self {
            Self::Blocking => {
                let blocking = blocking(config);
                Opened { face: self, db: Arc::new(InlineService(blocking.clone())), blocking: Some(blocking) }
            }
            Self::Offloaded => {
                let db = Arc::new(Offloaded::with_wait(blocking(config), LONG));
                Opened { face: self, db, blocking: None }
            }
            Self::Sharing | Self::Apart | Self::Lent => {
                let config = config.sharing(self != Self::Apart);
                let db = Arc::new(DeadpoolDatabase::new(config).expect("a service"));
                Opened { face: self, db, blocking: None }
            }
        }
    }

    /// Runs a test's future where this face may be used: on a thread of its own if it blocks.
    ///
    /// # Errors
    ///
    /// What it panicked with.
    pub async fn host<T: Send + 'static>(self, future: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
        let said = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(panic) => panic.downcast::<&str>().map_or_else(|_| "a panic".into(), |message| (*message).into()),
        };
        if self != Self::Blocking {
            return tokio::spawn(future).await.map_err(|failed| said(failed.into_panic()));
        }
        let thread = thread::spawn(|| at_once(future));
        spawn_blocking(|| thread.join()).await.expect("it ends").map_err(said)
    }
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Runs the same test behind each face, on a service of its own.
///
/// # Panics
///
/// If the test panics behind any of them, with their names.
pub async fn on_each<F>(config: &Config, test: impl Fn(Opened) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut failed = Vec::new();
    for face in Face::ALL {
        if let Err(panic) = face.host(test(face.open(config))).await {
            failed.push(format!("{face}: {panic}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A service behind a face.
#[allow(missing_debug_implementations, reason = "nobody prints one")]
#[derive(Clone)]
pub struct Opened {
    /// Which one.
    pub face: Face,
    /// As async code sees it.
    pub db: Arc<dyn AsyncDatabaseService>,
    /// As blocking code sees it.
    pub blocking: Option<Arc<dyn DatabaseService>>,
}

impl Opened {
    /// Has something done with a service, a session or a transaction of this one.
    pub async fn work<T: Send + 'static>(&self, on: &dyn AsyncExecutor, work: Work<T>, times: usize) -> T {
        if self.face != Face::Lent {
            return work(on, times).await;
        }
        let lent = lend(on, move |db| {
            // Within a runtime's context, as far as the work asks for one.
            let context = Handle::current();
            let _context = context.enter();
            Ok::<_, Error>(at_once(work(&Inline(db), times)))
        });
        lent.await.expect("it is lent")
    }
}
