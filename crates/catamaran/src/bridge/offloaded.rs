//! A blocking service, offered as an async one.

use std::{
    fmt,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use postgres_types::ToSql;
use tokio::sync::oneshot;

use super::{
    admission::{Admission, Applicant, Permit},
    params::Types,
    runs::Runs,
    threads::{Panic, Threads},
    worker::{self, Busy, Level, Streaming},
};
use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, Batch, BytesStream, Canceller,
    DatabaseService, Description, EachRow, Error, ErrorKind, Executor, Holder, Outcome, PoolStatus, Result, Row,
    RowStream, Session, TransactionOptions,
    call::Call,
    forward::written_out_async_executor,
    holders::{Hold, Origin},
    located::{LocatedService, located, located_service},
};

/// Any blocking service as an async one: its calls run on threads that may block.
///
/// There are as many permits as the pool has connections ([`max_size`](PoolStatus::max_size) when this is made). A call
/// waits for one *before* it takes a thread, so that a slow database holds up callers and not the threads that everything
/// else needs. A session, a transaction or a stream has a thread as long as it is held. Clones share the permits.
///
/// Parameters are encoded by the caller, for which the server describes a statement once for each text.
///
/// ```
/// # fn example(blocking: std::sync::Arc<dyn catamaran::DatabaseService>) {
/// use catamaran::{AsyncDatabaseService, Offloaded};
/// use std::sync::Arc;
///
/// let db: Arc<dyn AsyncDatabaseService> = Arc::new(Offloaded::new(blocking));
/// # }
/// ```
///
/// # Cancel safety
///
/// A call that is dropped while it waits for a permit leaves the queue, and never runs. Dropped later, its statement is
/// cancelled on the server; the thread and the permit are free when the server has answered. One that is dropped right
/// when its statement is sent may be cancelled too early, and run to its end, as a statement of a stream, a session or a
/// transaction does: `statement_timeout` limits it.
#[derive(Clone)]
pub struct Offloaded(Arc<Shared>);

struct Shared {
    service: Arc<dyn DatabaseService>,
    admission: Admission,
    threads: Threads,
    types: Arc<Types>,
    cancelling: OnceLock<mpsc::Sender<Canceller>>,
}

impl Offloaded {
    /// Wraps a service. A call waits 5 s for a permit at most.
    pub fn new(service: Arc<dyn DatabaseService>) -> Self {
        Self::with_wait(service, Admission::WAIT)
    }

    /// Wraps a service, with the longest time that a call waits for a permit.
    pub fn with_wait(service: Arc<dyn DatabaseService>, wait: Duration) -> Self {
        let admission = Admission::new(service.status().max_size, wait);
        let threads = Threads::new(admission.size());
        Self(Arc::new(Shared { service, admission, threads, types: Arc::default(), cancelling: OnceLock::new() }))
    }

    /// The service itself.
    pub fn service(&self) -> &Arc<dyn DatabaseService> {
        &self.0.service
    }

    /// Calls that may begin at once.
    pub fn free_permits(&self) -> usize {
        self.0.admission.free()
    }

    /// Runs a closure on a blocking thread with one connection, a [`Session`], for the whole of it.
    ///
    /// What the closure is given passes as `&dyn Executor` to helpers. A panic in it goes on in the caller. What a
    /// statement leaves on the connection is there for those behind it, as on any
    /// [`session`](AsyncDatabaseService::session).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for a permit, the closure never runs. Dropped later, it runs to its end, and keeps the
    /// permit until then.
    ///
    /// # Errors
    ///
    /// `PoolTimeout` if no permit came free in time, `NestedCheckout` if the caller would wait for itself; what
    /// [`session`](DatabaseService::session) fails with; the closure's own.
    #[track_caller]
    pub fn run<T, E, F>(&self, closure: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: FnOnce(&mut dyn Session) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (service, by) = (self.0.service.clone(), Call::here("run"));
        async move {
            let closure = move || closure(&mut *by.pin(|| service.session())?);
            match self.admit_by(by, closure).await? {
                Ok(result) => result,
                Err(panic) => resume_unwind(panic),
            }
        }
    }

    /// Waits for a permit, then for what is called on a blocking thread. The permit stays with the call.
    ///
    /// # Errors
    ///
    /// `PoolTimeout` if no permit came free in time, `NestedCheckout` if the caller would wait for itself. Within: what
    /// the call panicked with.
    #[track_caller]
    pub fn admit<T, F>(&self, call: F) -> impl Future<Output = Result<Result<T, Panic>>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.admit_by(Call::here("admit"), call)
    }

    async fn admit_by<T: Send + 'static>(
        &self,
        by: Call,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Panic>> {
        let origin = Origin::current().await;
        let (permit, _) = self.enter(Applicant { call: by, origin: origin.clone(), keeps: None }).await?;
        let run = move || {
            // Declared first, so dropped last: after the connection has been given back.
            let _permit = permit;
            origin.enter(call)
        };
        self.0.threads.run(run).await
    }

    /// Has a blocking thread serve something once there is a permit, and does not wait for its end. What it gives notes
    /// that the caller keeps the connection.
    async fn detach(
        &self,
        by: Call,
        busy: Arc<Busy>,
        serve: impl FnOnce(&dyn DatabaseService) + Send + 'static,
    ) -> Result<Option<Hold>> {
        let origin = Origin::current().await;
        let (permit, hold) = self.enter(Applicant { call: by, origin: origin.clone(), keeps: Some(busy) }).await?;
        let service = self.0.service.clone();
        self.0.threads.start(move || {
            let _permit = permit;
            origin.enter(|| serve(&*service));
        })?;
        Ok(hold)
    }

    async fn enter(&self, applicant: Applicant) -> Result<(Permit, Option<Hold>)> {
        self.0.admission.enter(applicant, || self.0.service.holders()).await
    }

    /// Runs a call on the service itself.
    async fn on_service<T: Send + 'static>(
        &self,
        by: Call,
        call: impl FnOnce(&dyn DatabaseService) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let service = self.0.service.clone();
        self.admit_by(by, move || call(&*service)).await?.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn open(
        &self,
        by: Call,
        serve: impl FnOnce(&dyn DatabaseService, Arc<Busy>, oneshot::Sender<Result<Level>>) + Send + 'static,
    ) -> Result<Held> {
        let ((opened, level), busy) = (oneshot::channel(), Arc::<Busy>::default());
        let (_opening, serving) = (busy.calling(), busy.clone());
        let hold = self.detach(by, busy.clone(), move |service| serve(service, serving, opened)).await?;
        let level = level.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(Held { level, types: self.0.types.clone(), _hold: hold })
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::PoolClosed, "the service was closed")
}

impl Runs for Offloaded {
    fn types(&self) -> &Types {
        &self.0.types
    }

    async fn call<T: Send + 'static>(
        &self,
        by: Call,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let running = Running::new(self.0.clone());
        let stage = running.stage.clone();
        let result = self.on_service(by, move |service| {
            let session = by.pin(|| service.session())?;
            if !stage.begins(session.canceller()) {
                return Err(Error::new(ErrorKind::PoolClosed, "the caller has given up"));
            }
            let result = call(&*session);
            stage.ends();
            result
        });
        let result = result.await;
        running.stage.ends();
        result
    }

    async fn call_alone<T: Send + 'static>(
        &self,
        by: Call,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // It has a connection of its own.
        self.call(by, call).await
    }

    async fn stream(&self, by: Call, call: impl FnOnce(&dyn Executor) + Send + 'static) -> Result<Streaming> {
        self.detach(by, Arc::default(), move |service| by.pin(|| call(&service))).await.map(Streaming::alone)
    }
}

/// How far a call is.
enum Stage {
    Waits,
    Runs(Canceller),
    Over,
}

/// A call on its way. Dropped before it is over, its statement is cancelled.
struct Running {
    stage: Arc<Shell>,
    shared: Arc<Shared>,
}

/// The stage, seen from both threads.
struct Shell(Mutex<Stage>);

impl Running {
    fn new(shared: Arc<Shared>) -> Self {
        Self { stage: Arc::new(Shell(Mutex::new(Stage::Waits))), shared }
    }
}

impl Shell {
    /// Whether the call may begin: nobody has given it up.
    fn begins(&self, canceller: Canceller) -> bool {
        let mut stage = self.stage();
        let waits = matches!(*stage, Stage::Waits);
        if waits {
            *stage = Stage::Runs(canceller);
        }
        waits
    }

    fn ends(&self) {
        *self.stage() = Stage::Over;
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut stage = self.stage.stage();
        if let Stage::Runs(canceller) = std::mem::replace(&mut *stage, Stage::Over) {
            // Before the call's thread can give the connection to someone else.
            canceller.give_up();
            drop(stage);
            self.shared.cancel(canceller);
        }
    }
}

impl Shared {
    /// Has a statement cancelled on a thread of its own, which is one for all.
    fn cancel(&self, canceller: Canceller) {
        let sender = self.cancelling.get_or_init(|| {
            let (sender, waiting) = mpsc::channel::<Canceller>();
            let cancel_all = move || {
                for canceller in waiting {
                    if let Err(error) = canceller.cancel() {
                        tracing::debug!(%error, "a statement could not be cancelled");
                    }
                }
            };
            if let Err(error) = thread::Builder::new().name("catamaran-canceller".into()).spawn(cancel_all) {
                tracing::error!(%error, "no thread could be started to cancel statements");
            }
            sender
        });
        let _ = sender.send(canceller);
    }
}

/// A session, a transaction or a savepoint of the blocking service.
struct Held {
    level: Level,
    types: Arc<Types>,
    _hold: Option<Hold>,
}

impl Held {
    fn within(&self, level: Level) -> Self {
        Self { level, types: self.types.clone(), _hold: None }
    }
}

impl Runs for Held {
    fn types(&self) -> &Types {
        &self.types
    }

    async fn call<T: Send + 'static>(
        &self,
        _: Call,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.level.call(call).await
    }

    async fn call_alone<T: Send + 'static>(
        &self,
        _: Call,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.level.call_alone(call).await
    }

    async fn stream(&self, _: Call, call: impl FnOnce(&dyn Executor) + Send + 'static) -> Result<Streaming> {
        self.level.stream(call)
    }
}

written_out_async_executor!([] Offloaded, located);
written_out_async_executor!([] Held, located);

impl LocatedService for Offloaded {
    async fn begin(&self, by: Call, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction>> {
        let held = self.open(by, move |service, busy, opened| {
            worker::serve_transaction(service, options, by, busy, opened);
        });
        Ok(Box::new(held.await?))
    }

    async fn session(&self, by: Call) -> Result<Box<dyn AsyncSession>> {
        let held = self.open(by, move |service, busy, opened| worker::serve_session(service, by, busy, opened));
        Ok(Box::new(held.await?))
    }

    async fn ping(&self, by: Call) -> Result<()> {
        self.on_service(by, move |service| by.pin(|| service.ping())).await
    }
}

#[async_trait]
impl AsyncDatabaseService for Offloaded {
    located_service!();

    fn status(&self) -> PoolStatus {
        let status = self.0.service.status();
        PoolStatus { waiting: status.waiting + self.0.admission.waiting(), ..status }
    }

    fn holders(&self) -> Vec<Holder> {
        self.0.service.holders()
    }

    async fn close(&self, deadline: Duration) -> Result<()> {
        // Without a permit: those that have one are what is waited for.
        self.0.admission.close();
        let service = self.0.service.clone();
        // A thread of its own, since all others may be taken.
        Threads::new(1).run(move || service.close(deadline)).await?.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

#[async_trait]
impl AsyncSession for Held {
    async fn begin(&mut self, options: TransactionOptions) -> Result<Box<dyn AsyncTransaction + '_>> {
        Ok(Box::new(self.within(self.level.begin(options).await?)))
    }
}

#[async_trait]
impl AsyncTransaction for Held {
    async fn savepoint(&mut self) -> Result<Box<dyn AsyncTransaction + '_>> {
        Ok(Box::new(self.within(self.level.savepoint().await?)))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.level.commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.level.rollback().await
    }
}

impl fmt::Debug for Offloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offloaded")
            .field("status", &self.0.service.status())
            .field("free_permits", &self.free_permits())
            .finish_non_exhaustive()
    }
}
