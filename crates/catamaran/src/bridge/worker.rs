//! A blocking thread that has a session or a transaction, for callers that must not block.
//!
//! A transaction borrows from its session and a savepoint from its transaction, so that each stays on the stack of the
//! thread: it serves the innermost level until that has ended.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::oneshot;

use super::requests::{Receiver, Sender, requests};
use crate::{
    DatabaseService, Error, ErrorKind, Executor, Result, Session, Transaction, TransactionOptions,
    call::Call,
    holders::{Hold, Work},
};

/// What is run on the innermost level.
type Run = Box<dyn FnOnce(&dyn Executor) + Send>;

enum Job {
    Run(Run),
    Begin(TransactionOptions, oneshot::Sender<Result<Level>>),
    Savepoint(oneshot::Sender<Result<Level>>),
    Commit(oneshot::Sender<Result<()>>),
    Rollback(oneshot::Sender<Result<()>>),
    /// The level was dropped.
    End,
}

/// A session, a transaction or a savepoint on a worker. Dropped, it ends there, and what was begun within it is rolled
/// back.
pub(super) struct Level {
    jobs: Sender<Job>,
    /// Someone takes the rows of a stream.
    streaming: Arc<AtomicBool>,
    busy: Arc<Busy>,
    ended: bool,
}

/// Whether a call is under way on a level of a connection.
#[derive(Debug, Default)]
pub(super) struct Busy(AtomicUsize);

/// A call is under way, until this is dropped.
pub(super) struct Calling<'a>(&'a Busy);

impl Busy {
    pub(super) fn calling(&self) -> Calling<'_> {
        self.0.fetch_add(1, SeqCst);
        Calling(self)
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

impl Work for Busy {
    /// The service itself tells of its statements.
    fn statement(&self) -> Option<String> {
        None
    }

    fn is_running(&self) -> bool {
        self.0.load(SeqCst) > 0
    }
}

/// Has a session opened, and serves it on this thread until it ends.
pub(super) fn serve_session(
    service: &dyn DatabaseService,
    by: Call,
    busy: Arc<Busy>,
    opened: oneshot::Sender<Result<Level>>,
) {
    match by.pin(|| service.session()) {
        Ok(mut session) => {
            let (level, mut jobs) = Level::new(busy);
            if opened.send(Ok(level)).is_ok() {
                in_session(&mut *session, &mut jobs);
            }
        }
        Err(error) => drop(opened.send(Err(error))),
    }
}

/// Has a transaction begun, and serves it on this thread until it ends.
pub(super) fn serve_transaction(
    service: &dyn DatabaseService,
    options: TransactionOptions,
    by: Call,
    busy: Arc<Busy>,
    opened: oneshot::Sender<Result<Level>>,
) {
    match by.pin(|| service.begin(options)) {
        Ok(transaction) => {
            let (level, mut jobs) = Level::new(busy);
            if opened.send(Ok(level)).is_ok() {
                in_transaction(transaction, &mut jobs);
            }
        }
        Err(error) => drop(opened.send(Err(error))),
    }
}

fn in_session(session: &mut dyn Session, jobs: &mut Jobs) {
    while let Some(job) = jobs.queue.blocking_recv() {
        match job {
            Job::Run(call) => call(&*session),
            Job::Begin(options, opened) => jobs.nest(session.begin(options), opened),
            Job::End => return,
            Job::Savepoint(opened) => drop(opened.send(Err(misplaced()))),
            Job::Commit(done) | Job::Rollback(done) => drop(done.send(Err(misplaced()))),
        }
    }
}

fn in_transaction(mut transaction: Box<dyn Transaction + '_>, jobs: &mut Jobs) {
    while let Some(job) = jobs.queue.blocking_recv() {
        match job {
            Job::Run(call) => call(&*transaction),
            Job::Savepoint(opened) => jobs.nest(transaction.savepoint(), opened),
            Job::Commit(done) => return drop(done.send(transaction.commit())),
            Job::Rollback(done) => return drop(done.send(transaction.rollback())),
            Job::End => return,
            Job::Begin(_, opened) => drop(opened.send(Err(misplaced()))),
        }
    }
}

fn misplaced() -> Error {
    Error::new(ErrorKind::WrongStatement, "there is no such level on this connection")
}

fn gone() -> Error {
    Error::new(ErrorKind::PoolClosed, "the runtime was shut down")
}

/// The jobs of one connection.
struct Jobs {
    queue: Receiver<Job>,
    streaming: Arc<AtomicBool>,
    busy: Arc<Busy>,
}

impl Jobs {
    /// Serves a level within another until it ends. One that nobody takes ends at once.
    fn nest(&mut self, begun: Result<Box<dyn Transaction + '_>>, opened: oneshot::Sender<Result<Level>>) {
        let transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => return drop(opened.send(Err(error))),
        };
        let Some(jobs) = self.queue.sender() else { return };
        let level = Level { jobs, streaming: self.streaming.clone(), busy: self.busy.clone(), ended: false };
        match opened.send(Ok(level)) {
            // Dropped before it is taken out, the level asks for its end.
            Ok(()) => in_transaction(transaction, self),
            // Nobody has waited: what is queued already is meant for the level around it.
            Err(unseen) => {
                if let Ok(mut level) = unseen {
                    level.ended = true;
                }
                drop(transaction);
            }
        }
    }
}

impl Level {
    fn new(busy: Arc<Busy>) -> (Self, Jobs) {
        let ((jobs, queue), streaming) = (requests(), Arc::<AtomicBool>::default());
        let waiting = Jobs { queue, streaming: streaming.clone(), busy: busy.clone() };
        (Self { jobs, streaming, busy, ended: false }, waiting)
    }

    /// Runs something on this level.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.is_free()?;
        self.run(call).await
    }

    /// The same with what waits for its caller while it runs: other calls fail until it has ended.
    pub(super) async fn call_alone<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _streaming = self.alone()?;
        self.run(call).await
    }

    async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _calling = self.busy.calling();
        let (reply, answer) = oneshot::channel();
        self.send(Job::Run(Box::new(move |db| drop(reply.send(call(db))))))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Runs something that hands over items while it runs.
    pub(super) fn stream(&self, call: impl FnOnce(&dyn Executor) + Send + 'static) -> Result<Streaming> {
        let streaming = self.alone()?;
        self.send(Job::Run(Box::new(call)))?;
        Ok(streaming)
    }

    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<Self> {
        self.open(|opened| Job::Begin(options, opened)).await
    }

    pub(super) async fn savepoint(&self) -> Result<Self> {
        self.open(Job::Savepoint).await
    }

    pub(super) async fn commit(self) -> Result<()> {
        self.end(Job::Commit).await
    }

    pub(super) async fn rollback(self) -> Result<()> {
        self.end(Job::Rollback).await
    }

    async fn open(&self, job: impl FnOnce(oneshot::Sender<Result<Self>>) -> Job) -> Result<Self> {
        self.is_free()?;
        let _calling = self.busy.calling();
        let (opened, level) = oneshot::channel();
        self.send(job(opened))?;
        level.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn end(mut self, job: impl FnOnce(oneshot::Sender<Result<()>>) -> Job) -> Result<()> {
        self.is_free()?;
        let busy = self.busy.clone();
        let _calling = busy.calling();
        let (done, result) = oneshot::channel();
        self.send(job(done))?;
        self.ended = true;
        result.await.unwrap_or_else(|_| Err(gone()))
    }

    fn alone(&self) -> Result<Streaming> {
        if self.streaming.swap(true, SeqCst) {
            return Err(Error::busy());
        }
        Ok(Streaming { level: Some(self.streaming.clone()), _hold: None })
    }

    fn is_free(&self) -> Result<()> {
        if self.streaming.load(SeqCst) { Err(Error::busy()) } else { Ok(()) }
    }

    fn send(&self, job: Job) -> Result<()> {
        self.jobs.send(job).map_err(|_| gone())
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        if !self.ended {
            // The worker has ended by itself if nobody is there.
            let _ = self.jobs.send(Job::End);
        }
    }
}

/// A stream has the connection until this is dropped.
pub(super) struct Streaming {
    level: Option<Arc<AtomicBool>>,
    _hold: Option<Hold>,
}

impl Streaming {
    /// On a thread of its own.
    pub(super) fn alone(hold: Option<Hold>) -> Self {
        Self { level: None, _hold: hold }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some(level) = &self.level {
            level.store(false, SeqCst);
        }
    }
}
