//! Many statements in one call, sent without waiting for the answers.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::{FutureExt as _, TryStreamExt as _, future::BoxFuture};

use super::{connection::Connection, frame::Frame, param::Param, request::Request, running::Abandoned};
use crate::{
    Error, Outcome, Result, Row,
    driver_error::using,
    many::{Many, One, Prepared, Within},
    statement_cache::Kept,
    traces::{Traces, commits},
    transaction::Level,
};

/// The most requests that are on their way at a time.
const AHEAD: usize = 256;
/// The most bytes of parameters that are on their way at a time; one request may have more.
const BYTES_AHEAD: usize = 1024 * 1024;

impl Connection {
    /// Runs all or none, unless it is within a transaction that whoever began it ends.
    pub(crate) async fn many(&self, many: Many<'_>, within: Within) -> Result<Vec<Outcome>> {
        let running = self.ready(Abandoned::Statement).await?;
        running.done(self.many_kept(many, within).await)
    }

    async fn many_kept(&self, many: Many<'_>, within: Within) -> Result<Vec<Outcome>> {
        let several = within == Within::Connection && many.len() > 1;
        // What others send in between would belong to its transaction, and one that they begin would be ended by it. Nor may
        // one of them fail the transaction between the question about it and a `COMMIT`.
        let _alone = if several || many.texts().any(commits) { Some(self.alone()?) } else { None };
        let own = several && !self.is_in_transaction().await?;
        let (mut outcomes, mut runs) = (Vec::with_capacity(many.len()), 1);
        loop {
            let mut kept = Prepared::default();
            match self.attempt(many, own, &mut kept, &mut outcomes).await {
                Ok(()) => return Ok(outcomes),
                Err(error) if self.rest_runs_again(many, &kept, &outcomes, runs, &error) => runs += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&self, many: Many<'_>, own: bool, kept: &mut Prepared, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut entered = None;
        let result = self.run_rest(many, own.then_some(&mut entered), kept, outcomes).await;
        let Some(frame) = entered else { return result };
        let ended = self.left().has(Traces::ENDED);
        let result = frame.end(result).await;
        if ended {
            // What ran before is kept, or what ran behind.
            *kept = Prepared::default();
        } else if result.is_err() {
            // Nothing is left of those that have run.
            outcomes.clear();
        }
        result
    }

    /// Whether those without an outcome may be run again, since the first of them did not fit any more and nothing of it
    /// has run.
    fn rest_runs_again(
        &self,
        many: Many<'_>,
        prepared: &Prepared,
        outcomes: &[Outcome],
        runs: u32,
        error: &Error,
    ) -> bool {
        let (Some(index), Some(sql)) = (error.index(), many.text_of(error)) else { return false };
        let Some((kept, was_kept)) = prepared.get(index) else { return false };
        let again = self.runs_again(sql, kept, *was_kept, runs, error);
        if again {
            // What made one stale may have made others so.
            many.texts().for_each(|sql| self.statements().remove(sql));
        }
        again && (outcomes.is_empty() || outcomes.len() == index)
    }

    /// Prepares and runs those without an outcome, as many at a time as can be prepared together. A transaction of its own
    /// begins right before the first and is committed right behind the last.
    async fn run_rest<'a>(
        &'a self,
        many: Many<'_>,
        mut own: Option<&mut Option<Frame<&'a Self>>>,
        prepared: &mut Prepared,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let mut from = outcomes.len();
        while from < many.len() {
            let range = from..many.prepared_until(from);
            *prepared = Prepared { from, kept: self.keep_all(many, range.clone()).await? };
            from = range.end;
            let (kept, bytes) = (&prepared.kept, AtomicUsize::new(0));
            if own.is_none() && prepared.begins_with_commit() {
                self.may_commit().await?;
            }
            let mut flight = Flight::default();
            if let Some(entered) = own.as_mut().filter(|entered| entered.is_none()) {
                **entered = Some(Frame::enter(self));
                flight.send(None, self.begin_ahead(), &bytes).await;
            }
            for ((index, one), (kept, _)) in many.each(range.clone()).zip(kept) {
                // What may heal a transaction is sent only once it is known that none before has failed it.
                let heals = kept.traces.has(Traces::ENDS);
                while flight.is_full() || heals && !flight.sent.is_empty() {
                    flight.answer(many, outcomes).await?;
                }
                self.note(kept.traces);
                flight.send(Some(index), self.one(one, kept, &bytes), &bytes).await;
                if flight.is_doomed() {
                    break;
                }
            }
            let ends = range.end == many.len() && !flight.is_doomed();
            if let Some(frame) = own.as_mut().and_then(|entered| entered.as_mut()).filter(|_| ends)
                && frame.commits()
            {
                flight.send(None, self.plain(Level::OUTERMOST.commit_sql(true)), &bytes).await;
            }
            while !flight.sent.is_empty() {
                flight.answer(many, outcomes).await?;
            }
        }
        Ok(())
    }

    fn one<'a>(&'a self, one: One<'a>, kept: &'a Kept, bytes: &'a AtomicUsize) -> Answer<'a> {
        let params = one.params.iter().map(|param| Param::measured(*param, bytes)).collect::<Vec<_>>();
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

    /// `BEGIN` with others behind it.
    fn begin_ahead(&self) -> Answer<'_> {
        async move { self.client.batch_execute("BEGIN").await.map_err(using).map_err(Error::of_begin).map(|()| None) }
            .boxed()
    }

    /// A statement that only frames the others.
    fn plain(&self, sql: String) -> Answer<'_> {
        async move { self.client.batch_execute(&sql).await.map_err(using).map(|()| None) }.boxed()
    }

    /// The statements of these texts, those that are missing prepared in one trip, and whether each was kept. What is
    /// wrong with one, or with its parameters, is found before any is run.
    async fn keep_all(&self, many: Many<'_>, range: Range<usize>) -> Result<Vec<(Kept, bool)>> {
        let mut texts: HashMap<&str, Option<(Kept, bool)>> = HashMap::new();
        let mut missing = Vec::new();
        for (index, one) in many.each(range.clone()) {
            texts.entry(one.sql).or_insert_with(|| {
                let kept = self.kept(one.sql).map(|kept| (kept, true));
                if kept.is_none() {
                    missing.push((index, one.sql));
                }
                kept
            });
        }
        if !missing.is_empty() {
            let preparing = self.mark(Abandoned::Prepare);
            self.forget_composites();
            let prepared = self.prepare_all(&missing).await.map_err(|(index, error)| many.failed(index, error));
            for (sql, kept) in preparing.done(prepared)? {
                self.keep_prepared(sql, &kept);
                texts.insert(sql, Some((kept, false)));
            }
        }
        let mut all = Vec::with_capacity(range.len());
        for (index, one) in many.each(range) {
            let Some(Some((kept, was_kept))) = texts.get(one.sql) else { continue };
            kept.check_for(one.params).map_err(|error| many.failed(index, error))?;
            all.push((kept.clone(), *was_kept));
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
                Ok(statement) => {
                    self.note_composites(&statement);
                    kept.push((*sql, Kept::new(sql, statement)));
                }
                Err(error) => failed = failed.or(Some((*index, using(error)))),
            }
        }
        failed.map_or(Ok(kept), Err)
    }
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
