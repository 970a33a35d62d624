//! Many statements in one call, one after the other: the driver has no way to send one before the last is answered.

use std::ops::Range;

use super::connection::Open;
use crate::{
    ErrorKind, Outcome, Result, Row,
    driver_error::using,
    many::{ASK, Many, NO_TRANSACTION, Within},
    statement_cache::Kept,
    traces::{Traces, Travel},
    transaction::Level,
};

impl Open {
    /// Runs all or none, unless it is within a transaction that whoever began it ends.
    pub(crate) fn many(&mut self, many: Many<'_>, within: Within) -> Result<Vec<Outcome>> {
        let own = within == Within::Connection && many.len() > 1 && !self.is_in_transaction()?;
        match self.attempt(many, own) {
            Err(error) if many.text_of(&error).is_some_and(|sql| self.may_prepare_again(sql, &error)) => {
                // What made one stale may have made others so.
                many.texts().for_each(|sql| self.statements().remove(sql));
                self.attempt(many, own)
            }
            result => result,
        }
    }

    fn attempt(&mut self, many: Many<'_>, own: bool) -> Result<Vec<Outcome>> {
        let (mut outcomes, mut begun) = (Vec::with_capacity(many.len()), false);
        match self.run_all(many, own.then_some(&mut begun), &mut outcomes) {
            Ok(()) if !own => Ok(outcomes),
            Ok(()) => {
                let committed = self.commit(Level::OUTERMOST);
                if committed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server) {
                    self.undone();
                }
                committed.map(|()| outcomes)
            }
            Err(error) => {
                if begun && error.kind() != ErrorKind::ConnectionLost {
                    // The first error says more; what can't be rolled back is closed.
                    let _ = self.rollback(Level::OUTERMOST);
                }
                Err(error)
            }
        }
    }

    /// Prepares and runs, as many at a time as can be prepared together. A transaction of its own begins before the first.
    fn run_all(&mut self, many: Many<'_>, mut begin: Option<&mut bool>, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut from = 0;
        while from < many.len() {
            let range = from..many.prepared_until(from);
            from = range.end;
            let kept = self.keep_all(many, range.clone())?;
            if let Some(begun) = begin.take() {
                *begun = true;
                self.begin("BEGIN")?;
            }
            for ((index, one), kept) in many.each(range).zip(kept) {
                let outcome = if one.fetches {
                    let rows = self.client.query(&kept.statement, one.params);
                    rows.map(|rows| Outcome::Rows(rows.into_iter().map(Row::from_driver).collect()))
                } else {
                    self.client.execute(&kept.statement, one.params).map(Outcome::Count)
                };
                outcomes.push(outcome.map_err(|error| many.failed(index, using(error)))?);
            }
        }
        Ok(())
    }

    /// The statements of these texts. What is wrong with one, or with its parameters, is found before any is run.
    fn keep_all(&mut self, many: Many<'_>, range: Range<usize>) -> Result<Vec<Kept>> {
        let mut all: Vec<Kept> = Vec::with_capacity(range.len());
        let mut last = None;
        for (index, one) in many.each(range.clone()) {
            let kept = match all.last().filter(|_| last == Some(one.sql)) {
                Some(same) => same.clone(),
                None => self.keep(one.sql).map_err(|error| many.failed(index, error))?,
            };
            last = Some(one.sql);
            all.push(kept);
        }
        for ((index, one), kept) in many.each(range).zip(&all) {
            kept.check_for(Travel::Rows, one.params.len()).map_err(|error| many.failed(index, error))?;
        }
        Ok(all)
    }

    /// Whether a transaction is open. The server is asked only if a statement may have left one.
    fn is_in_transaction(&mut self) -> Result<bool> {
        if !self.left().has(Traces::TRANSACTION) {
            return Ok(false);
        }
        match self.client.batch_execute(ASK).map_err(using) {
            Ok(()) => Ok(true),
            Err(error) if error.sqlstate() == Some(NO_TRANSACTION) => {
                self.ended(Level::OUTERMOST);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
