//! Many statements in one call, one after the other: the driver has no way to send one before the last is answered.

use std::ops::Range;

use super::connection::Open;
use crate::{
    Error, Outcome, Result, Row,
    driver_error::using,
    many::{Many, Prepared, Within},
    statement_cache::Kept,
    traces::Traces,
    transaction::Level,
};

impl Open {
    /// Runs all or none, unless it is within a transaction that whoever began it ends.
    pub(crate) fn many(&mut self, many: Many<'_>, within: Within) -> Result<Vec<Outcome>> {
        let own = within == Within::Connection && many.len() > 1 && !self.is_in_transaction()?;
        let (mut outcomes, mut runs) = (Vec::with_capacity(many.len()), 1);
        loop {
            let mut kept = Prepared::default();
            match self.attempt(many, own, &mut kept, &mut outcomes) {
                Ok(()) => return Ok(outcomes),
                Err(error) if self.rest_runs_again(many, &kept, &outcomes, runs, &error) => runs += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn attempt(&mut self, many: Many<'_>, own: bool, kept: &mut Prepared, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut begun = false;
        let result = self.run_rest(many, own.then_some(&mut begun), kept, outcomes);
        if !begun {
            return result;
        }
        let ended = self.left().has(Traces::ENDED);
        let result = self.end_own(result);
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
        &mut self,
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
    /// begins before the first.
    fn run_rest(
        &mut self,
        many: Many<'_>,
        mut begin: Option<&mut bool>,
        prepared: &mut Prepared,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let (mut from, own) = (outcomes.len(), begin.is_some());
        while from < many.len() {
            let range = from..many.prepared_until(from);
            *prepared = Prepared { from, kept: self.keep_all(many, range.clone())? };
            from = range.end;
            if !own && prepared.begins_with_commit() {
                self.may_commit()?;
            }
            if let Some(begun) = begin.take() {
                *begun = true;
                self.begin(Level::OUTERMOST, "BEGIN")?;
            }
            for ((index, one), (kept, _)) in many.each(range).zip(&prepared.kept) {
                self.note(kept.traces);
                let outcome = if one.fetches {
                    let rows = self.unless_it_panics(|client| client.query(&kept.statement, one.params));
                    rows.map(|rows| Outcome::Rows(rows.into_iter().map(Row::from_driver).collect()))
                } else {
                    self.unless_it_panics(|client| client.execute(&kept.statement, one.params)).map(Outcome::Count)
                };
                outcomes.push(outcome.map_err(|error| many.failed(index, using(error)))?);
            }
        }
        Ok(())
    }

    /// The statements of these texts, and whether each was kept. What is wrong with one, or with its parameters, is found
    /// before any is run.
    fn keep_all(&mut self, many: Many<'_>, range: Range<usize>) -> Result<Vec<(Kept, bool)>> {
        let mut all: Vec<(Kept, bool)> = Vec::with_capacity(range.len());
        let mut last = None;
        for (index, one) in many.each(range.clone()) {
            let kept = match all.last().filter(|_| last == Some(one.sql)) {
                Some(same) => same.clone(),
                None => self.keep(one.sql).map_err(|error| many.failed(index, error))?,
            };
            last = Some(one.sql);
            all.push(kept);
        }
        for ((index, one), (kept, _)) in many.each(range).zip(&all) {
            kept.check_for(one.params).map_err(|error| many.failed(index, error))?;
        }
        Ok(all)
    }
}
