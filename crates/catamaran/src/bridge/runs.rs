//! Whatever runs calls on a blocking thread is an async executor.

use std::pin::pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use postgres_types::ToSql;
use tokio::sync::{mpsc, oneshot};

use super::{
    describable,
    late::Questions,
    params::{Owned, Types},
    requests::requests,
    worker::Streaming,
};
use crate::{
    Batch, BytesStream, Description, EachRow, Error, ErrorKind, Executor, Outcome, Result, Row, RowStream,
    call::Call,
    located::Located,
    stream::{AsyncIter, Iter},
};

/// How many items of a stream are on their way.
const AHEAD: usize = 64;

/// Runs calls on a blocking thread.
pub(super) trait Runs: Send + Sync {
    /// What is known of parameters.
    fn types(&self) -> &Types;

    /// Runs a call, and waits for what comes of it.
    fn call<T: Send + 'static>(
        &self,
        by: Call,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send;

    /// The same with a call that waits for its caller while it runs.
    fn call_alone<T: Send + 'static>(
        &self,
        by: Call,
        call: impl FnOnce(&dyn Executor) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Has a call run that hands over items while it runs, and waits only until it may.
    fn stream(
        &self,
        by: Call,
        call: impl FnOnce(&dyn Executor) + Send + 'static,
    ) -> impl Future<Output = Result<Streaming>> + Send;
}

/// Parameters that can go to another thread.
async fn owned(runs: &impl Runs, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Owned> {
    if params.is_empty() {
        return Ok(Owned::default());
    }
    let types = match runs.types().of(sql) {
        Some(types) => types,
        None => runs.types().learn(sql, describe(runs, by, sql).await?.params()),
    };
    Ok(Owned::new(&types, params))
}

/// Runs a statement with parameters, once more if it asks for other types than it did.
async fn with_params<T: Send + 'static>(
    runs: &impl Runs,
    by: Call,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
    call: impl Fn(&dyn Executor, &str, &[&(dyn ToSql + Sync)]) -> Result<T> + Copy + Send + 'static,
) -> Result<T> {
    let mut again = true;
    loop {
        let owned = owned(runs, by, sql, params).await?;
        let (text, given) = (sql.to_owned(), owned.clone());
        match runs.call(by, move |db| call(db, &text, &given.refs())).await {
            Err(error) if again && owned.was_refused(&error) => again = false,
            result => return result,
        }
        runs.types().forget(sql);
    }
}

async fn describe(runs: &impl Runs, by: Call, sql: &str) -> Result<Description> {
    let sql = sql.to_owned();
    runs.call(by, move |db| db.describe(&sql)).await
}

async fn each_row(
    runs: &impl Runs,
    by: Call,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
    each: EachRow<'_>,
) -> Result<()> {
    let mut rows = rows(runs, by, sql, params).await?;
    while let Some(row) = rows.next().await {
        each(&row?)?;
    }
    Ok(())
}

async fn rows(runs: &impl Runs, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'static>> {
    let mut again = true;
    loop {
        let owned = owned(runs, by, sql, params).await?;
        let (text, given) = (sql.to_owned(), owned.clone());
        match items(runs, by, move |db, give| give(db.fetch_iter(&text, &given.refs()))).await {
            Err(error) if again && owned.was_refused(&error) => again = false,
            result => return result,
        }
        runs.types().forget(sql);
    }
}

async fn copy_out(runs: &impl Runs, by: Call, sql: &str) -> Result<BytesStream<'static>> {
    let sql = sql.to_owned();
    items(runs, by, move |db, give| give(db.copy_out(&sql))).await
}

/// What takes an iterator's items.
type Give<'a, T> = &'a mut (dyn FnMut(Result<Iter<'_, T>>) + 'a);

async fn items<T: Send + 'static>(
    runs: &impl Runs,
    by: Call,
    open: impl FnOnce(&dyn Executor, Give<'_, T>) + Send + 'static,
) -> Result<AsyncIter<'static, T>> {
    let ((opened, answer), (items, taken)) = (oneshot::channel(), mpsc::channel::<Option<Result<T>>>(AHEAD));
    let streaming = runs.stream(by, move |db| {
        let mut opened = Some(opened);
        open(db, &mut |iter| {
            let Some(opened) = opened.take() else { return };
            match iter {
                Ok(mut iter) => {
                    if opened.send(Ok(())).is_ok() {
                        // `None` is the end. Nobody takes more if the stream was dropped.
                        let all = iter.try_for_each(|item| items.blocking_send(Some(item)));
                        let _ = all.and_then(|()| items.blocking_send(None));
                    }
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
    });
    let streaming = streaming.await?;
    answer.await.unwrap_or_else(|_| Err(given_up()))?;
    // The flag is dropped behind the items.
    let state = Some((taken, streaming));
    Ok(AsyncIter::new(stream::unfold(state, |state| async move {
        let (mut taken, streaming) = state?;
        match taken.recv().await {
            Some(Some(item)) => Some((item, Some((taken, streaming)))),
            Some(None) => None,
            // Whoever handed them over has panicked or is gone: there may have been more.
            None => Some((Err(given_up()), None)),
        }
    })))
}

async fn copy_in(
    runs: &impl Runs,
    by: Call,
    sql: &str,
    chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
) -> Result<u64> {
    let (sql, (data, mut taken)) = (sql.to_owned(), mpsc::channel::<Option<Result<Bytes>>>(AHEAD));
    let copying = runs.call_alone(by, move |db| {
        // `None` is the end. Without it, whoever sends has given up, and the server must not keep what has come.
        let mut ended = false;
        let mut chunks = std::iter::from_fn(|| match taken.blocking_recv() {
            _ if ended => None,
            Some(Some(chunk)) => Some(chunk),
            end => {
                ended = true;
                end.is_none().then(|| Err(given_up()))
            }
        });
        db.copy_in(&sql, &mut chunks)
    });
    let sending = async move {
        while let Some(chunk) = chunks.next().await {
            if data.send(Some(chunk)).await.is_err() {
                return;
            }
        }
        let _ = data.send(None).await;
    };
    match select(pin!(copying), pin!(sending)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), copying)) => copying.await,
    }
}

async fn execute_many(runs: &impl Runs, by: Call, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
    let ((asks, questions), mut owned_sets) = (requests(), Vec::with_capacity(sets.len()));
    for (index, params) in sets.iter().enumerate() {
        let owned = owned(runs, by, sql, params).await.map_err(|error| error.in_set(index))?;
        owned_sets.push(owned.or_late(index, &asks));
    }
    // Those that ask have their own.
    drop(asks);
    let sql = sql.to_owned();
    let call = runs.call(by, move |db| {
        let refs: Vec<_> = owned_sets.iter().map(Owned::refs).collect();
        db.execute_many(&sql, &refs.iter().map(Vec::as_slice).collect::<Vec<_>>())
    });
    answering(call, questions, |set, param| Some(*sets.get(set)?.get(param)?)).await
}

async fn run_batch(runs: &impl Runs, by: Call, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
    let ((asks, questions), describable) = (requests(), describable(batch));
    let mut statements = Vec::with_capacity(batch.len());
    for (index, statement) in batch.statements().iter().enumerate() {
        let params = if index < describable {
            owned(runs, by, statement.sql(), statement.params()).await.map_err(|error| error.in_statement(index))?
        } else {
            Owned::unknown(statement.params())
        };
        statements.push((statement.sql().to_owned(), params.or_late(index, &asks), statement.fetches()));
    }
    drop(asks);
    let call = runs.call(by, move |db| {
        let refs: Vec<_> = statements.iter().map(|(_, params, _)| params.refs()).collect();
        let mut batch = Batch::new();
        for ((sql, _, fetches), params) in statements.iter().zip(&refs) {
            batch = if *fetches { batch.fetch_all(sql, params) } else { batch.execute(sql, params) };
        }
        db.run_batch(&batch)
    });
    answering(call, questions, |statement, param| Some(*batch.statements().get(statement)?.params().get(param)?)).await
}

/// Waits for a call, and encodes the parameters that it asks for meanwhile.
async fn answering<'a, T>(
    call: impl Future<Output = Result<T>>,
    mut questions: Questions,
    find: impl Fn(usize, usize) -> Option<&'a (dyn ToSql + Sync)>,
) -> Result<T> {
    let mut call = pin!(call);
    loop {
        match select(call.as_mut(), pin!(questions.recv())).await {
            Either::Left((result, _)) => return result,
            Either::Right((Some(asked), _)) => asked.answer(&find),
            Either::Right((None, _)) => return call.await,
        }
    }
}

fn given_up() -> Error {
    Error::new(ErrorKind::PoolClosed, "the other side of the bridge has given up")
}

impl<R: Runs> Located for R {
    async fn execute(&self, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        with_params(self, by, sql, params, |db, sql, params| db.execute(sql, params)).await
    }

    async fn fetch_all(&self, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        with_params(self, by, sql, params, |db, sql, params| db.fetch_all(sql, params)).await
    }

    async fn fetch_one(&self, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        with_params(self, by, sql, params, |db, sql, params| db.fetch_one(sql, params)).await
    }

    async fn fetch_optional(&self, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        with_params(self, by, sql, params, |db, sql, params| db.fetch_optional(sql, params)).await
    }

    async fn fetch_each(&self, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
        each_row(self, by, sql, params, each).await
    }

    async fn batch_execute(&self, by: Call, sql: &str) -> Result<()> {
        let sql = sql.to_owned();
        self.call(by, move |db| db.batch_execute(&sql)).await
    }

    async fn fetch_stream(&self, by: Call, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        rows(self, by, sql, params).await
    }

    async fn copy_in(
        &self,
        by: Call,
        sql: &str,
        chunks: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin),
    ) -> Result<u64> {
        copy_in(self, by, sql, chunks).await
    }

    async fn copy_out(&self, by: Call, sql: &str) -> Result<BytesStream<'_>> {
        copy_out(self, by, sql).await
    }

    async fn describe(&self, by: Call, sql: &str) -> Result<Description> {
        describe(self, by, sql).await
    }

    async fn execute_many(&self, by: Call, sql: &str, sets: &[&[&(dyn ToSql + Sync)]]) -> Result<Vec<u64>> {
        execute_many(self, by, sql, sets).await
    }

    async fn run_batch(&self, by: Call, batch: &Batch<'_>) -> Result<Vec<Outcome>> {
        run_batch(self, by, batch).await
    }
}
