//! Guarded futures.

use std::{
    panic::Location,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::thread::{self, Allowed, Polling, Standing, standing};
use crate::{Error, ErrorKind, Result, call::Site, holders::Origin};

/// Whether anything was ever guarded.
static INSTALLED: AtomicBool = AtomicBool::new(false);

pin_project! {
    /// A future that is guarded. Made by [`scope`].
    pub struct Scope<F> {
        route: Arc<str>,
        #[pin]
        future: F,
    }
}

/// Guards a future: while it is polled, blocking calls on its thread are known to hold up `route`, and a poll that
/// takes longer than 100 ms is reported.
///
/// ```
/// # async fn example(db: std::sync::Arc<dyn catamaran::AsyncDatabaseService>) -> catamaran::Result<()> {
/// use catamaran::guard;
///
/// guard::scope("nightly report", async move { db.execute("REFRESH MATERIALIZED VIEW totals", &[]).await }).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// That of the future.
pub fn scope<F: Future>(route: impl Into<Arc<str>>, future: F) -> Scope<F> {
    installed();
    Scope { route: route.into(), future }
}

/// Spawns a guarded future on the current runtime, of the route that spawns it or else named after the place where it
/// is spawned.
///
/// # Panics
///
/// Outside a tokio runtime, as [`tokio::spawn`] does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let place = Location::caller();
    let route = current_route().unwrap_or_else(|| format!("spawned at {}", Site::of(place)).into());
    tokio::spawn(scope(route, future))
}

/// Lets a closure block where it would be noticed, for a reason that the code should tell.
///
/// Its blocking calls run as under [`Policy::Warn`](super::Policy::Warn), without a report.
///
/// ```
/// # fn example(db: &dyn catamaran::DatabaseService) -> catamaran::Result<u64> {
/// catamaran::guard::allow("runs once, before anything is served", || db.execute("SELECT warm_up()", &[]))
/// # }
/// ```
pub fn allow<T>(reason: &str, run: impl FnOnce() -> T) -> T {
    tracing::trace!(reason, "blocking is allowed");
    let _allowed = Allowed::begin();
    run()
}

/// Takes the route of the calling code along to where a closure runs, for code that is sent to a thread for blocking
/// work: what it holds there is reported with the route, and belongs to the same request.
///
/// [`Offloaded`](crate::Offloaded), [`lend`](crate::lend()) and the blocking handlers of catamaran-axum do so by
/// themselves.
///
/// ```
/// # async fn example(db: std::sync::Arc<dyn catamaran::DatabaseService>) -> catamaran::Result<u64> {
/// let call = catamaran::guard::carry(move || db.execute("DELETE FROM expired", &[]));
/// tokio::task::spawn_blocking(call).await.expect("no panic")
/// # }
/// ```
pub fn carry<T>(run: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let origin = Origin::here();
    move || origin.enter(run)
}

/// The route of the guarded future that is polled here. Asked often, also where nothing is guarded.
pub(crate) fn current_route() -> Option<Arc<str>> {
    if INSTALLED.load(Relaxed) { thread::current_route() } else { None }
}

/// Runs one poll of something that is guarded and no future, such as the body of a response.
pub fn enter<T>(route: &Arc<str>, poll: impl FnOnce() -> T) -> T {
    let _polling = Polling::begin(route);
    poll()
}

/// Notes that futures are guarded from now on, for layers that guard each request.
pub fn installed() {
    INSTALLED.store(true, Relaxed);
}

/// Fails unless something is guarded in this process, and what is guarded is noticed: for a test, or for the start of a
/// service once its router is made.
///
/// # Errors
///
/// `Config` if no layer was installed and nothing was guarded, or if the runtime gives its tasks no budget.
///
/// # Cancel safety
///
/// It has one poll.
pub async fn self_test() -> Result<()> {
    if !INSTALLED.load(Relaxed) {
        return Err(Error::new(ErrorKind::Config, "nothing is guarded: no layer was installed, and no future guarded"));
    }
    let noticed =
        scope("the guard's own test", async { matches!(standing(), Standing::Polls(poll) if poll.route.is_some()) });
    if noticed.await {
        Ok(())
    } else {
        Err(Error::new(
            ErrorKind::Config,
            "a blocking call would not be noticed here: this is no task of a tokio runtime",
        ))
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        enter(this.route, || this.future.poll(cx))
    }
}

impl<F> std::fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope").field("route", &self.route).finish_non_exhaustive()
    }
}
