//! The statements that a connection keeps: found by their text, prepared where they are missing, and forgotten when they may
//! not fit any more.

use postgres::Statement;
use postgres_types::ToSql;

use super::connection::Open;
use crate::{
    Error, Result,
    driver_error::using,
    stale::{Verdict, verdict},
    statement_cache::{Kept, knows_composites},
    traces::{Traces, check_sendable},
};

impl Open {
    /// The statement of this text, prepared now if it is not kept, and whether it was.
    pub(super) fn keep(&mut self, sql: &str) -> Result<(Kept, bool)> {
        if self.followed.is_behind() {
            self.statements().clear();
            self.client.clear_type_cache();
        }
        let found = self.statements().get(sql);
        let was_kept = found.is_some();
        let kept = match found {
            Some(kept) => kept,
            None => self.prepare_kept(sql)?,
        };
        Ok((kept, was_kept))
    }

    /// The same, of rows, for these parameters.
    pub(super) fn keep_for(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<(Kept, bool)> {
        let (kept, was_kept) = self.keep(sql)?;
        kept.check_for(params)?;
        if kept.commits {
            self.may_commit()?;
        }
        self.note(kept.traces);
        Ok((kept, was_kept))
    }

    /// Keeps what was prepared, unless that can come to mean something else without anybody noticing.
    pub(super) fn prepare_kept(&mut self, sql: &str) -> Result<Kept> {
        let kept = Kept::new(sql, self.prepare(sql)?);
        if kept.is_of_the_moment() {
            self.statements().runs(sql);
        } else {
            self.statements().insert(sql, kept.clone());
        }
        Ok(kept)
    }

    pub(super) fn prepare(&mut self, sql: &str) -> Result<Statement> {
        // Has the driver look again for the fields of types, which may have been renamed.
        if std::mem::take(&mut self.composites) {
            self.client.clear_type_cache();
        }
        check_sendable(sql)?;
        let prepared = self.client.prepare(sql).map_err(using);
        // The driver's own statements for looking up types are gone, and it makes them once.
        self.lost |= prepared.as_ref().is_err_and(Error::is_forgotten_statement);
        let statement = prepared?;
        self.composites = knows_composites(&statement);
        Ok(statement)
    }

    /// Whether a statement that has failed is to be prepared anew and run again. One that may not fit is forgotten.
    pub(super) fn runs_again(&mut self, sql: &str, kept: &Kept, was_kept: bool, runs: u32, error: &Error) -> bool {
        let verdict = verdict(kept, was_kept, runs, self.left().has(Traces::TRANSACTION), error);
        if verdict != Verdict::Stands {
            self.statements().remove(sql);
            if !error.is_forgotten_statement() {
                self.client.clear_type_cache();
            }
        }
        verdict == Verdict::Again
    }
}
