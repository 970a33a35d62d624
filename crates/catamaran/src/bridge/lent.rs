//! An async executor, lent to code that blocks.

use std::{fmt, panic::resume_unwind, pin::pin};

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::{self, FuturesUnordered},
};
use postgres_types::ToSql;
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

use super::{
    describable,
    late::Questions,
    params::{Owned, Types},
    requests::{Sender, requests},
    wait::wait,
};
use crate::{
    AsyncExecutor, Batch, BytesIter, Description, Error, ErrorKind, Executor, Outcome, Result, Row, RowIter,
    call::Call,
    holders::Origin,
    stream::{AsyncIter, Iter},
};

/// How many items of a stream are on their way to the thread that takes them.
const AHEAD: usize = 64;

/// What is done on the lender's side.
type Task = Box<dyn for<'a> FnOnce(&'a dyn AsyncExecutor) -> BoxFuture<'a, ()> + Send>;

/// An async executor as a blocking one, within the closure of [`lend`].
///
/// # Blocking
///
/// Every method blocks its thread until the lender's task has run the statement.
pub struct Lent {
    calls: Sender<Task>,
    types: Types,
}

/// Runs a closure on a blocking thread and each of its statements here, on `executor`: a helper that is not moved yet
/// runs in the transaction of a handler that is, on the same connection.
///
/// The executor may be borrowed, and be a service, a session, or a transaction. The statement's parameters are described
/// by the server once for each text and call of `lend`, which takes a round trip.
///
/// ```
/// use catamaran::{AsyncDatabaseService, Executor, lend, prelude::*};
///
/// // Not moved.
/// fn check_agent(db: &dyn Executor, id: i64) -> catamaran::Result<()> {
///     db.fetch_one("SELECT 1 FROM agents WHERE id = $1", &[&id]).map(drop)
/// }
///
/// async fn rename(db: &dyn AsyncDatabaseService, id: i64, name: &str) -> catamaran::Result<()> {
///     let tx = db.begin(Default::default()).await?;
///     tx.execute("UPDATE agents SET name = $2 WHERE id = $1", &[&id, &name]).await?;
///     lend(&tx, move |db| check_agent(db, id)).await?;
///     tx.commit().await
/// }
/// ```
///
/// A panic in the closure goes on in the caller.
///
/// # Cancel safety
///
/// Dropped, the statement under way is dropped as `executor` says; the closure goes on, and its next statement fails with
/// `PoolClosed`.
///
/// # Errors
///
/// The closure's own; `PoolClosed` if the runtime ends before it has begun.
pub async fn lend<D, T, E, F>(executor: &D, closure: F) -> Result<T, E>
where
    D: AsyncExecutor + ?Sized,
    F: FnOnce(&Lent) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (calls, mut wanted) = requests::<Task>();
    let lent = Lent { calls, types: Types::default() };
    let (span, origin) = (tracing::Span::current(), Origin::current().await);
    let carried = origin.clone();
    let running = spawn_blocking(move || span.in_scope(|| carried.enter(|| closure(&lent))));
    let executor: &dyn AsyncExecutor = &executor;
    // Several at once: a stream may be open while others are run.
    let mut under_way = FuturesUnordered::new();
    loop {
        let wanted = pin!(wanted.recv());
        let call = if under_way.is_empty() {
            wanted.await
        } else {
            match select(wanted, under_way.next()).await {
                Either::Left((call, _)) => call,
                Either::Right(_) => continue,
            }
        };
        match call {
            Some(call) => under_way.push(origin.clone().carry(call(executor))),
            None => break,
        }
    }
    // Of a closure that has panicked: what it left ends here, and not in the middle.
    while under_way.next().await.is_some() {}
    match running.await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Error::new(ErrorKind::PoolClosed, "the runtime was shut down").into()),
        },
    }
}

fn given_up() -> Error {
    Error::new(ErrorKind::PoolClosed, "whoever lent the executor has given up")
}

impl Lent {
    /// Has something done on the lender's side, and waits for what comes of it.
    fn ask<T: Send + 'static>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn AsyncExecutor) -> BoxFuture<'a, Result<T>> + Send + 'static,
    ) -> Result<T> {
        wait(self.begin(call)?).unwrap_or_else(|_| Err(given_up()))
    }

    /// The same, with parameters that are asked for here while it lasts.
    fn ask_answering<'p, T: Send + 'static>(
        &self,
        mut questions: Questions,
        find: impl Fn(usize, usize) -> Option<&'p (dyn ToSql + Sync)>,
        call: impl for<'a> FnOnce(&'a dyn AsyncExecutor) -> BoxFuture<'a, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let answer = self.begin(call)?;
        // They end with the call, whose parameters ask them.
        while let Some(asked) = wait(questions.recv()) {
            asked.answer(&find);
        }
        wait(answer).unwrap_or_else(|_| Err(given_up()))
    }

    fn begin<T: Send + 'static>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn AsyncExecutor) -> BoxFuture<'a, Result<T>> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(move |db| {
            let answering = call(db);
            Box::pin(async move {
                // Nobody waits for it if the closure has panicked.
                let _ = reply.send(answering.await);
            })
        }))?;
        Ok(answer)
    }

    fn send(&self, call: Task) -> Result<()> {
        self.calls.send(call).map_err(|_| given_up())
    }

    /// Runs a statement with parameters, once more if it asks for other types than it did.
    fn with_params<T: Send + 'static>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        call: impl for<'a> Fn(&'a dyn AsyncExecutor, String, Owned) -> BoxFuture<'a, Result<T>> + Clone + Send + 'static,
    ) -> Result<T> {
        let mut again = true;
        loop {
            let owned = self.owned(sql, params)?;
            let (text, given, call) = (sql.to_owned(), owned.clone(), call.clone());
            match self.ask(move |db| call(db, text, given)) {
                Err(error) if again && owned.was_refused(&error) => again = false,
                result => return result,
            }
            self.types.forget(sql);
        }
    }

    fn owned(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Owned> {
        if params.is_empty() {
            return Ok(Owned::default());
        }
        let types = match self.types.of(sql) {
            Some(types) => types,
            None => self.types.learn(sql, self.describe(sql)?.params()),
        };
        Ok(Owned::new(&types, params))
    }

    /// Items of a stream that is opened on the lender's side.
    fn items<T: Send + 'static>(
        &self,
        open: impl for<'a> FnOnce(&'a dyn AsyncExecutor) -> BoxFuture<'a, Result<AsyncIter<'a, T>>> + Send + 'static,
    ) -> Result<Iter<'_, T>> {
        let ((opened, answer), (items, taken)) = (oneshot::channel(), mpsc::channel(AHEAD));
        let (closing, closed) = oneshot::channel::<()>();
        self.send(Box::new(move |db| {
            Box::pin(async move {
                // Captured, and so dropped after the stream.
                let _closing = &closing;
                let mut stream = match open(db).await {
                    Ok(stream) => stream,
                    Err(error) => return drop(opened.send(Err(error))),
                };
                let _ = opened.send(Ok(()));
                loop {
                    // `None` is the end.
                    let item = match select(pin!(stream.next()), pin!(items.closed())).await {
                        Either::Left((item, _)) => item,
                        Either::Right(_) => return,
                    };
                    let ends = item.is_none();
                    if items.send(item).await.is_err() || ends {
                        return;
                    }
                }
            })
        }))?;
        wait(answer).unwrap_or_else(|_| Err(given_up()))?;
        Ok(Iter::new(Items { taken: Some(taken), closed: Some(closed) }))
    }
}

/// Items that come from the lender's side. Dropped, it waits until they come no more: the connection is free for the
/// next statement then.
struct Items<T> {
    taken: Option<mpsc::Receiver<Option<Result<T>>>>,
    closed: Option<oneshot::Receiver<()>>,
}

impl<T> Iterator for Items<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let item = match wait(self.taken.as_mut()?.recv()) {
            Some(Some(item)) => return Some(item),
            Some(None) => None,
            // The lender is gone: there may have been more.
            None => Some(Err(given_up())),
        };
        self.taken = None;
        item
    }
}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        self.taken = None;
        if let Some(closed) = self.closed.take() {
            let _ = wait(closed);
        }
    }
}

impl Executor for Lent {
    #[track_caller]
    fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let by = Call::here("execute");
        self.with_params(sql, params, move |db, sql, params| {
            Box::pin(async move {
                let refs = params.refs();
                by.pin(|| db.execute(&sql, &refs)).await
            })
        })
    }

    #[track_caller]
    fn fetch_all(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let by = Call::here("fetch_all");
        self.with_params(sql, params, move |db, sql, params| {
            Box::pin(async move {
                let refs = params.refs();
                by.pin(|| db.fetch_all(&sql, &refs)).await
            })
        })
    }

    #[track_caller]
    fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        let by = Call::here("fetch_one");
        self.with_params(sql, params, move |db, sql, params| {
            Box::pin(async move {
                let refs = params.refs();
                by.pin(|| db.fetch_one(&sql, &refs)).await
            })
        })
    }

    #[track_caller]
    fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let by = Call::here("fetch_optional");
        self.with_params(sql, params, move |db, sql, params| {
            Box::pin(async move {
                let refs = params.refs();
                by.pin(|| db.fetch_optional(&sql, &refs)).await
            })
        })
    }

    #[track_caller]
    fn batch_execute(&self, sql: &str) -> Result<()> {
        let by = Call::here("batch_execute");
        let sql = sql.to_owned();
        self.ask(move |db| Box::pin(async move { by.pin(|| db.batch_execute(&sql)).await }))
    }

    #[track_caller]
    fn fetch_iter(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        let by = Call::here("fetch_stream");
        let mut again = true;
        loop {
            let owned = self.owned(sql, params)?;
            let (text, given) = (sql.to_owned(), owned.clone());
            let rows = self.items(move |db| {
                Box::pin(async move {
                    let refs = given.refs();
                    by.pin(|| db.fetch_stream(&text, &refs)).await
                })
            });
            match rows {
                Err(error) if again && owned.was_refused(&error) => again = false,
                result => return result,
            }
            self.types.forget(sql);
        }
    }

    #[track_caller]
    fn copy_in(&self, sql: &str, chunks: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        let by = Call::here("copy_in");
        let (sql, (data, taken)) = (sql.to_owned(), mpsc::channel::<Option<Result<Bytes>>>(AHEAD));
        let answer = self.begin(move |db| {
            Box::pin(async move {
                // `None` is the end. Without it the closure has panicked, and the server must not keep what has come.
                let mut chunks = Box::pin(stream::unfold(Some(taken), |taken| async move {
                    let mut taken = taken?;
                    match taken.recv().await {
                        Some(Some(chunk)) => Some((chunk, Some(taken))),
                        Some(None) => None,
                        None => Some((Err(given_up()), None)),
                    }
                }));
                by.pin(|| db.copy_in(&sql, &mut chunks)).await
            })
        })?;
        for chunk in chunks {
            // Nobody takes it if the server has refused what came before.
            if wait(data.send(Some(chunk))).is_err() {
                break;
            }
        }
        let _ = wait(data.send(None));
        drop(data);
        wait(answer).unwrap_or_else(|_| Err(given_up()))
    }

    #[track_caller]
    fn copy_out(&self, sql: &str) -> Result<BytesIter<'_>> {
        let by = Call::here("copy_out");
        let sql = sql.to_owned();
        self.items(move |db| Box::pin(async move { by.pin(|| db.copy_out(&sql)).await }))
    }

    #[track_caller]
    fn describe(&self, sql: &str) -> Result<Description> {
        let by = Call::here("describe");
        let sql = sql.to_owned();
        self.ask(move |db| Box::pin(async move { by.pin(|| db.describe(&sql)).await }))
    }

    #[track_caller]
    fn execute_many(&self, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        let by = Call::here("execute_many");
        let ((asks, questions), mut owned) = (requests(), Vec::with_capacity(sets.len()));
        for (index, params) in sets.iter().enumerate() {
            owned.push(self.owned(sql, params).map_err(|error| error.in_set(index))?.or_late(index, &asks));
        }
        // Those that ask have their own.
        drop(asks);
        let (sql, find) = (sql.to_owned(), |set: usize, param: usize| Some(*sets.get(set)?.get(param)?));
        self.ask_answering(questions, find, move |db| {
            Box::pin(async move {
                let refs: Vec<_> = owned.iter().map(Owned::refs).collect();
                let refs: Vec<&[_]> = refs.iter().map(Vec::as_slice).collect();
                by.pin(|| db.execute_many(&sql, &refs)).await
            })
        })
    }

    #[track_caller]
    fn run_batch(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        let by = Call::here("run_batch");
        let ((asks, questions), describable) = (requests(), describable(batch));
        let mut statements = Vec::with_capacity(batch.len());
        for (index, statement) in batch.statements().iter().enumerate() {
            let owned = if index < describable {
                self.owned(statement.sql(), statement.params()).map_err(|error| error.in_statement(index))?
            } else {
                Owned::unknown(statement.params())
            };
            statements.push((statement.sql().to_owned(), owned.or_late(index, &asks), statement.fetches()));
        }
        drop(asks);
        let find = |statement: usize, param: usize| Some(*batch.statements().get(statement)?.params().get(param)?);
        self.ask_answering(questions, find, move |db| {
            Box::pin(async move {
                let refs: Vec<_> = statements.iter().map(|(_, params, _)| params.refs()).collect();
                let mut batch = Batch::new();
                for ((sql, _, fetches), params) in statements.iter().zip(&refs) {
                    batch = if *fetches { batch.fetch_all(sql, params) } else { batch.execute(sql, params) };
                }
                by.pin(|| db.run_batch(&batch)).await
            })
        })
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}
