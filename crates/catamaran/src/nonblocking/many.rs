//! Many statements in one call, sent without waiting for the answers.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
};

use futures_util::{FutureExt as _, TryStreamExt as _, future::BoxFuture};

use super::{connection::Connection, measured::Measured, request::Request, running::Abandoned};
use crate::{
    Error, ErrorKind, Outcome, Result, Row,
    driver_error::using,
    many::{ASK, Many, NO_TRANSACTION, One, Within},
    statement_cache::Kept,
    traces::{Traces, Travel},
    transaction::Level,
};

/// The most requests that are on their way at a time.
const AHEAD: usize = 256;
/// The most bytes of parameters that are on their way at a time; one request may have more.
const BYTES_AHEAD: usize = 1024 * 1024;

impl Connection {
    /// Runs all or none, unless it is within a transaction that whoever began it ends.
    pub(crate) async fn many(&self, many: Many<'_>, within: Within) -> Result<Vec<Outcome>> {
        let running = self.start(Abandoned::Statement)?;
        running.done(self.many_kept(many, within).await)
    }

    async fn many_kept(&self, many: Many<'_>, within: Within) -> Result<Vec<Outcome>> {
        let own = within == Within::Connection && many.len() > 1 && !self.is_in_transaction().await?;
        match self.attempt(many, own).await {
            Err(error) if many.text_of(&error).is_some_and(|sql| self.may_prepare_again(sql, &error)) => {
                // What made one stale may have made others so.
                many.texts().for_each(|sql| self.statements().remove(sql));
                self.attempt(many, own).await
            }
            result => result,
        }
    }

    async fn attempt(&self, many: Many<'_>, own: bool) -> Result<Vec<Outcome>> {
        let (mut outcomes, mut frame) = (Vec::with_capacity(many.len()), Frame { connection: self, at: At::Outside });
        let result = self.run_all(many, own.then_some(&mut frame), &mut outcomes).await;
        match frame.leave() {
            At::Outside => {}
            At::Inside if result.is_ok() || lost(&result) => {}
            At::Inside => {
                // The first error says more; what can't be rolled back is closed.
                let undoing = self.mark(Abandoned::Commit);
                let _ = undoing.done(self.client.batch_execute(&Level::OUTERMOST.rollback_sql()).await.map_err(using));
                self.undone();
            }
            At::Committing if result.is_ok() => self.ended(Level::OUTERMOST),
            At::Committing if lost(&result) => return result.map_err(Error::of_commit).map(|()| outcomes),
            // The server has rolled back, whichever failed.
            At::Committing => self.undone(),
        }
        result.map(|()| outcomes)
    }

    /// Prepares and runs, as many at a time as can be prepared together. A transaction of its own begins right before
    /// the first and is committed right behind the last.
    async fn run_all(
        &self,
        many: Many<'_>,
        mut own: Option<&mut Frame<'_>>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let mut from = 0;
        while from < many.len() {
            let range = from..many.prepared_until(from);
            from = range.end;
            let (kept, bytes) = (self.keep_all(many, range.clone()).await?, AtomicUsize::new(0));
            let mut flight = Flight::default();
            if let Some(frame) = own.as_mut().filter(|frame| frame.at == At::Outside) {
                frame.enter();
                flight.send(None, self.plain("BEGIN".into()), &bytes).await;
            }
            for ((index, one), kept) in many.each(range.clone()).zip(&kept) {
                while flight.is_full() {
                    flight.answer(many, outcomes).await?;
                }
                flight.send(Some(index), self.one(one, kept, &bytes), &bytes).await;
                if flight.is_doomed() {
                    break;
                }
            }
            if let Some(frame) = own.as_mut().filter(|_| range.end == many.len() && !flight.is_doomed()) {
                frame.at = At::Committing;
                flight.send(None, self.plain(Level::OUTERMOST.commit_sql()), &bytes).await;
                frame.free();
            }
            while !flight.sent.is_empty() {
                flight.answer(many, outcomes).await?;
            }
        }
        Ok(())
    }

    fn one<'a>(&'a self, one: One<'a>, kept: &'a Kept, bytes: &'a AtomicUsize) -> Answer<'a> {
        let params = one.params.iter().map(|param| Measured { value: *param, bytes }).collect::<Vec<_>>();
        async move {
            if one.fetches {
                let rows = self.client.query_raw(&kept.statement, params).await.map_err(using)?;
                let rows: Vec<_> = rows.map_ok(Row::from_driver).map_err(using).try_collect().await?;
                return Ok(Some(Outcome::Rows(rows)));
            }
            Ok(Some(Outcome::Count(self.client.execute_raw(&kept.statement, params).await.map_err(using)?)))
        }
        .boxed()
    }

    /// A statement that only frames the others.
    fn plain(&self, sql: String) -> Answer<'_> {
        async move { self.client.batch_execute(&sql).await.map_err(using).map(|()| None) }.boxed()
    }

    /// The statements of these texts, those that are missing prepared in one trip. What is wrong with one, or with its
    /// parameters, is found before any is run.
    async fn keep_all(&self, many: Many<'_>, range: Range<usize>) -> Result<Vec<Kept>> {
        let mut texts: HashMap<&str, Option<Kept>> = HashMap::new();
        let mut missing = Vec::new();
        for (index, one) in many.each(range.clone()) {
            texts.entry(one.sql).or_insert_with(|| {
                let kept = self.statements().get(one.sql);
                if kept.is_none() {
                    missing.push((index, one.sql));
                }
                kept
            });
        }
        if !missing.is_empty() {
            let preparing = self.mark(Abandoned::Prepare);
            let prepared = self.prepare_all(&missing).await.map_err(|(index, error)| many.failed(index, error));
            for (sql, kept) in preparing.done(prepared)? {
                self.statements().insert(sql, kept.clone());
                texts.insert(sql, Some(kept));
            }
        }
        let mut all = Vec::with_capacity(range.len());
        for (index, one) in many.each(range) {
            let Some(Some(kept)) = texts.get(one.sql) else { continue };
            self.note(kept.traces);
            kept.check_for(Travel::Rows, one.params.len()).map_err(|error| many.failed(index, error))?;
            all.push(kept.clone());
        }
        Ok(all)
    }

    async fn prepare_all<'a>(&self, texts: &[(usize, &'a str)]) -> Result<Vec<(&'a str, Kept)>, (usize, Error)> {
        let mut preparing = Vec::with_capacity(texts.len());
        for (_, sql) in texts {
            preparing.push(Request::send(self.client.prepare(sql).boxed()).await);
        }
        let mut kept = Vec::with_capacity(texts.len());
        let mut failed = None;
        for ((index, sql), request) in texts.iter().zip(preparing) {
            match request.answer().await {
                Ok(statement) => kept.push((*sql, Kept::new(sql, statement))),
                Err(error) => failed = failed.or(Some((*index, using(error)))),
            }
        }
        failed.map_or(Ok(kept), Err)
    }

    /// Whether a transaction is open. The server is asked only if a statement may have left one.
    async fn is_in_transaction(&self) -> Result<bool> {
        if !self.left().has(Traces::TRANSACTION) {
            return Ok(false);
        }
        match self.client.batch_execute(ASK).await.map_err(using) {
            Ok(()) => Ok(true),
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => {
                self.ended(Level::OUTERMOST);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn lost(result: &Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionLost)
}

/// Nothing for what only frames.
type Answer<'a> = BoxFuture<'a, Result<Option<Outcome>>>;

/// Requests that were sent and whose answers were not taken yet, in their order.
#[derive(Default)]
struct Flight<'a> {
    sent: VecDeque<Sent<'a>>,
    bytes: usize,
    doomed: bool,
}

struct Sent<'a> {
    index: Option<usize>,
    request: Request<'a, Result<Option<Outcome>>>,
    bytes: usize,
}

impl<'a> Flight<'a> {
    /// Sends a request, which the driver does when it is first polled.
    async fn send(&mut self, index: Option<usize>, answer: Answer<'a>, measured: &AtomicUsize) {
        let request = Request::send(answer).await;
        let bytes = measured.swap(0, Relaxed);
        self.bytes += bytes;
        self.doomed |= matches!(&request, Request::Answered(Err(_)));
        self.sent.push_back(Sent { index, request, bytes });
    }

    fn is_full(&self) -> bool {
        self.sent.len() >= AHEAD || self.bytes >= BYTES_AHEAD
    }

    /// What was sent last could not be sent, and nothing is to be sent behind it.
    fn is_doomed(&self) -> bool {
        self.doomed
    }

    /// Takes the first answer.
    async fn answer(&mut self, many: Many<'_>, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let Some(Sent { index, request, bytes }) = self.sent.pop_front() else { return Ok(()) };
        self.bytes -= bytes;
        let outcome = request.answer().await.map_err(|error| match index {
            Some(index) => many.failed(index, error),
            None => error,
        });
        outcomes.extend(outcome?);
        Ok(())
    }
}

/// How far a transaction of its own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Outside,
    Inside,
    Committing,
}

/// A transaction of its own. Dropped within it, it is rolled back ahead of whatever comes next.
struct Frame<'a> {
    connection: &'a Connection,
    at: At,
}

impl Frame<'_> {
    /// Until it is left, the connection is taken: what others send would belong to this transaction.
    fn enter(&mut self) {
        self.connection.note(Traces::TRANSACTION);
        self.connection.streaming.store(true, SeqCst);
        self.at = At::Inside;
    }

    fn free(&self) {
        self.connection.streaming.store(false, SeqCst);
    }

    fn leave(mut self) -> At {
        let at = std::mem::replace(&mut self.at, At::Outside);
        if at == At::Inside {
            self.free();
        }
        at
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        match self.at {
            At::Outside => {}
            At::Inside => {
                self.free();
                self.connection.rollback_behind(Level::OUTERMOST);
            }
            At::Committing => self.connection.abandon(Abandoned::Commit),
        }
    }
}
