//! The statements that a connection keeps: found by their text, prepared where they are missing, and forgotten when they may
//! not fit any more.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use tokio_postgres::Statement;

use super::{connection::Connection, running::Abandoned};
use crate::{
    Error, Result,
    driver_error::using,
    stale::{Verdict, verdict},
    statement_cache::{Kept, knows_composites},
    traces::{Traces, check_sendable},
};

impl Connection {
    /// The statement of this text, prepared now if it is not kept, and whether it was.
    pub(super) async fn keep(&self, sql: &str) -> Result<(Kept, bool)> {
        match self.kept(sql) {
            Some(kept) => Ok((kept, true)),
            None => Ok((Box::pin(self.prepare_kept(sql)).await?, false)),
        }
    }

    /// The statement of this text if it is kept.
    pub(super) fn kept(&self, sql: &str) -> Option<Kept> {
        let mut statements = self.statements();
        if self.followed.is_behind() {
            statements.clear();
            self.client.clear_type_cache();
        }
        statements.get(sql)
    }

    /// Notes what running a statement may leave, of which nothing is concluded about the transaction that it is in.
    pub(super) fn note_of(&self, kept: &Kept) {
        if kept.traces != Traces::NONE {
            self.doubted.store(true, SeqCst);
            self.note(kept.traces);
        }
    }

    /// Prepares a statement once, however many ask for it at the same time.
    pub(super) async fn prepare_kept(&self, sql: &str) -> Result<Kept> {
        let _one_at_a_time = self.preparing.lock().await;
        if let Some(kept) = self.kept(sql) {
            return Ok(kept);
        }
        let kept = Kept::new(sql, self.prepare(sql).await?);
        self.keep_prepared(sql, &kept);
        Ok(kept)
    }

    /// Keeps what was prepared, unless that can come to mean something else without anybody noticing.
    pub(super) fn keep_prepared(&self, sql: &str, kept: &Kept) {
        if kept.is_of_the_moment() {
            self.statements().runs(sql);
        } else {
            self.statements().insert(sql, kept.clone());
        }
    }

    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement> {
        check_sendable(sql)?;
        let running = self.mark(Abandoned::Prepare);
        self.forget_composites();
        let prepared = self.client.prepare(sql).await.map_err(using);
        if prepared.as_ref().is_err_and(Error::is_forgotten_statement) {
            // The driver's own statements for looking up types are gone, and it makes them once.
            self.cut();
        }
        let statement = running.answered(prepared)?;
        self.note_composites(&statement);
        Ok(statement)
    }

    /// Notes what the driver has learned of types.
    pub(super) fn note_composites(&self, statement: &Statement) {
        if knows_composites(statement) {
            self.composites.store(true, Relaxed);
        }
    }

    /// Has the driver look again for the fields of types, which may have been renamed.
    pub(super) fn forget_composites(&self) {
        if self.composites.swap(false, Relaxed) {
            self.client.clear_type_cache();
        }
    }

    /// Whether a statement that has failed is to be prepared anew and run again. One that may not fit is forgotten.
    pub(super) fn runs_again(&self, sql: &str, kept: &Kept, was_kept: bool, runs: u32, error: &Error) -> bool {
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
