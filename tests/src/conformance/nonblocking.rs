//! The interpreter on the async traits. Its twin is `blocking`, function by function.

use catamaran::{
    AsyncDatabaseService, AsyncDatabaseServiceExt as _, AsyncExecutor, AsyncIter, AsyncSession, AsyncTransaction,
    BulkOptions, BytesStream, Error, Result, RowStream, TransactionOptions, lend,
};
use futures_util::{FutureExt as _, future::BoxFuture, stream};
use tokio::sync::Mutex;

use super::{
    blocking::{self, batch, borrowed},
    case::{Action, End, Step},
    outcome::{Reply, operations},
    typed::told_as_text,
};

/// What steps are done to.
enum At<'a> {
    Service,
    Session(&'a mut dyn AsyncSession),
    Transaction(&'a mut dyn AsyncTransaction),
    /// One whose stream is open.
    Streaming(&'a dyn AsyncExecutor),
}

/// Does the steps, and returns what each gave.
///
/// Those that are `lent` are done by the blocking interpreter, each statement on what is lent to it.
pub(super) async fn run(service: &dyn AsyncDatabaseService, steps: &[Step], lent: bool) -> Vec<Reply> {
    let mut run = Run { service, lent, tape: Vec::new() };
    run.steps(&mut At::Service, steps).await;
    run.tape
}

struct Run<'s> {
    service: &'s dyn AsyncDatabaseService,
    lent: bool,
    tape: Vec<Reply>,
}

impl Run<'_> {
    /// Boxed, since steps have steps.
    fn steps<'a>(&'a mut self, at: &'a mut At<'_>, steps: &'a [Step]) -> BoxFuture<'a, ()> {
        async move {
            for step in steps {
                self.step(at, &step.action).await;
            }
        }
        .boxed()
    }

    async fn step(&mut self, at: &mut At<'_>, action: &Action) {
        match action {
            Action::Begin(options, steps, end) => {
                let transaction: Result<Box<dyn AsyncTransaction + '_>> = match at {
                    At::Session(session) => session.begin(*options).await,
                    _ => self.service.begin(*options).await.map(|transaction| transaction as _),
                };
                self.transaction(transaction, steps, end).await;
            }
            Action::Savepoint(steps, end) => {
                let At::Transaction(transaction) = at else { panic!("a savepoint outside a transaction") };
                let savepoint = transaction.savepoint().await;
                self.transaction(savepoint, steps, end).await;
            }
            Action::Session(steps) => match self.service.session().await {
                Ok(mut session) => {
                    self.tape.push(Reply::Done(Ok(())));
                    self.steps(&mut At::Session(&mut *session), steps).await;
                }
                Err(error) => self.tape.push(Reply::Done(Err(error))),
            },
            Action::Closure(options, runs) => self.closure(*options, runs).await,
            Action::OnService(steps) => self.steps(&mut At::Service, steps).await,
            Action::RowsInTransaction(sql, rows, chunk) => {
                let mut told = Vec::new();
                let options = BulkOptions::new().chunk(*chunk).progress(|rows| told.push(rows));
                let begin = TransactionOptions::new();
                let affected = self.service.execute_rows_in_transaction(begin, sql, rows.clone(), options).await;
                self.tape.push(Reply::Texts(affected.map(|affected| vec![told_as_text(affected, &told)])));
            }
            Action::Ping => self.tape.push(Reply::Done(self.service.ping().await)),
            Action::Status => self.tape.push(Reply::Status(self.service.status())),
            Action::Holders => self.tape.push(operations(&self.service.holders())),
            Action::Close(deadline) => self.tape.push(Reply::Done(self.service.close(*deadline).await)),
            _ => {
                let service = self.service;
                match at {
                    At::Service => self.statement(service, action).await,
                    At::Session(session) => self.statement(&**session, action).await,
                    At::Transaction(transaction) => self.statement(&**transaction, action).await,
                    At::Streaming(executor) => self.statement(*executor, action).await,
                }
            }
        }
    }

    async fn transaction(&mut self, begun: Result<Box<dyn AsyncTransaction + '_>>, steps: &[Step], end: &End) {
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => return self.tape.push(Reply::Done(Err(error))),
        };
        self.tape.push(Reply::Done(Ok(())));
        self.steps(&mut At::Transaction(&mut *transaction), steps).await;
        match end {
            End::Commit(_) => self.tape.push(Reply::Done(transaction.commit().await)),
            End::Rollback(_) => self.tape.push(Reply::Done(transaction.rollback().await)),
            End::Drop => drop(transaction),
        }
    }

    async fn closure(&mut self, options: TransactionOptions, runs: &[(Vec<Step>, Result<()>)]) {
        let service = self.service;
        let state = Mutex::new((self, runs.iter()));
        let ended = service
            .transaction(options, async |transaction| {
                let (run, runs) = &mut *state.lock().await;
                let (steps, returned) = runs.next().expect("no more runs than the case has");
                run.tape.push(Reply::Attempt);
                let begun = run.tape.len();
                run.steps(&mut At::Transaction(&mut **transaction), steps).await;
                run.tape[begun..]
                    .iter()
                    .find_map(Reply::error)
                    .map_or_else(|| returned.clone(), |error| Err(error.clone()))
            })
            .await;
        state.into_inner().0.tape.push(Reply::Done(ended));
    }

    /// Boxed, since a typed statement is done by others first.
    fn statement<'a>(&'a mut self, db: &'a dyn AsyncExecutor, action: &'a Action) -> BoxFuture<'a, ()> {
        async move {
            if self.lent && is_for_any_executor(action) {
                let action = action.clone();
                let done = lend(db, move |db| Ok::<_, Error>(blocking::statement(db, &action))).await;
                return self.tape.extend(done.expect("the closure does not fail"));
            }
            let reply = match action {
                Action::Execute(sql, params) => Reply::Count(db.execute(sql, &borrowed(params)).await),
                Action::FetchAll(sql, params) => Reply::Rows(db.fetch_all(sql, &borrowed(params)).await),
                Action::FetchEach(sql, params) => {
                    let mut rows = Vec::new();
                    let mut keep = |row: &catamaran::Row| {
                        rows.push(row.clone());
                        Ok(())
                    };
                    let ended = db.fetch_each(sql, &borrowed(params), &mut keep).await;
                    Reply::Rows(ended.map(|()| rows))
                }
                Action::FetchOne(sql, params) => Reply::Row(db.fetch_one(sql, &borrowed(params)).await),
                Action::FetchOptional(sql, params) => Reply::Optional(db.fetch_optional(sql, &borrowed(params)).await),
                Action::Batch(sql) => Reply::Done(db.batch_execute(sql).await),
                Action::Stream(sql, params, some, meanwhile) => {
                    let opened = db.fetch_stream(sql, &borrowed(params)).await;
                    return self.stream(db, opened, *some, meanwhile).await;
                }
                Action::CopyIn(sql, chunks) => {
                    Reply::Count(db.copy_in(sql, &mut stream::iter(chunks.iter().cloned())).await)
                }
                Action::CopyOut(sql, some) => Reply::Chunks(match db.copy_out(sql).await {
                    Ok(mut chunks) => Ok(take::<_>(&mut chunks as &mut BytesStream<'_>, *some).await),
                    Err(error) => Err(error),
                }),
                Action::Describe(sql) => Reply::Description(db.describe(sql).await),
                Action::Many(sql, sets) => {
                    let sets: Vec<_> = sets.iter().map(|set| borrowed(set)).collect();
                    let sets: Vec<_> = sets.iter().map(Vec::as_slice).collect();
                    Reply::Counts(db.execute_many(sql, &sets).await)
                }
                Action::RunBatch(statements) => Reply::Each(db.run_batch(&batch(statements)).await),
                Action::Typed(typed) => {
                    for action in typed.base() {
                        self.statement(db, &action).await;
                    }
                    typed.run_async(db).await
                }
                other => panic!("{other:?} is no statement"),
            };
            self.tape.push(reply);
        }
        .boxed()
    }

    async fn stream(
        &mut self,
        db: &dyn AsyncExecutor,
        opened: Result<RowStream<'_>>,
        some: Option<usize>,
        meanwhile: &[Step],
    ) {
        match opened {
            Ok(mut rows) => {
                let taken = take(&mut rows, some).await;
                self.tape.push(Reply::Stream(Ok(taken)));
                self.steps(&mut At::Streaming(db), meanwhile).await;
            }
            Err(error) => self.tape.push(Reply::Stream(Err(error))),
        }
    }
}

/// Whether a statement has nothing within that only a service or a transaction can do.
fn is_for_any_executor(action: &Action) -> bool {
    let is_statement = |step: &Step| {
        matches!(
            step.action,
            Action::Execute(..)
                | Action::FetchAll(..)
                | Action::FetchEach(..)
                | Action::FetchOne(..)
                | Action::FetchOptional(..)
                | Action::Batch(_)
        )
    };
    !matches!(action, Action::Stream(_, _, _, meanwhile) if !meanwhile.iter().all(is_statement))
}

pub(super) async fn take<T>(items: &mut AsyncIter<'_, T>, some: Option<usize>) -> Vec<Result<T>> {
    let mut taken = Vec::new();
    while some.is_none_or(|some| taken.len() < some) {
        let Some(item) = items.next().await else { break };
        let failed = item.is_err();
        taken.push(item);
        if failed {
            break;
        }
    }
    taken
}
