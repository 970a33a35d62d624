//! Whether the transaction that is open is the one that was begun, where a text of several statements may have ended it.
//!
//! The server alone can tell. Before such a text, a setting of the connection is changed for the transaction: behind it, it
//! is as it was if that transaction has ended. Neither takes a snapshot, so that what has to come first in a transaction
//! still can. Going back to a savepoint also undoes the setting: then, and in a transaction that has failed, where nothing
//! can be asked, a text counts for what it looks like.

use tokio_postgres::SimpleQueryMessage;

use crate::{Result, many::FAILED_TRANSACTION, traces::Traces};

/// Asks for the mark. Each connection brings this setting along; see [`pooler`](crate::pooler).
pub(crate) use crate::pooler::QUESTION as ASK;

/// One of these is in each text that ends a transaction, and none can be written in another way.
const ENDING: &[&str] = &["abort", "commit", "end", "prepare", "rollback"];

/// What is known of the transaction that is open.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// Texts of which nobody knows yet whether they have ended it.
    unproved: u32,
    /// One of them reads as if it had.
    suspected: bool,
    /// The mark may have been taken back.
    goes_back: bool,
    /// Drawn for each mark, so that no text can write it.
    mark: u64,
}

impl Begun {
    /// Marks the transaction, of which no text is unproved.
    pub(crate) fn mark_sql(&mut self) -> String {
        self.mark = fastrand::u64(..);
        format!("SET LOCAL catamaran.connection = '{}'", self.mark)
    }

    /// Notes that a text is being sent that may end the transaction, which is marked.
    pub(crate) fn sends(&mut self, sql: &str, reads_as: Traces) {
        self.unproved += 1;
        self.suspected |= reads_as.has(Traces::ENDED);
        self.goes_back |= reads_as.has(Traces::ENDS) || has_word(sql, &["reset", "catamaran"]);
    }

    /// Notes that a statement is being sent which leaves this: going back to a savepoint, and changing settings, may take
    /// the mark back.
    pub(crate) fn runs(&mut self, traces: Traces) {
        if traces.has(Traces::ENDS.and(Traces::SESSION)) {
            self.goes_back();
        }
    }

    /// How many texts were sent of which nobody knows whether they have ended it.
    pub(crate) fn unproved(&self) -> u32 {
        self.unproved
    }

    /// Notes that something of the transaction is undone.
    pub(crate) fn goes_back(&mut self) {
        self.goes_back |= self.unproved > 0;
    }

    /// Whether so many texts have ended it, by the answer to the question behind them.
    ///
    /// # Errors
    ///
    /// What the question failed with: in a transaction that has failed, nothing has become known.
    pub(crate) fn has_ended(&mut self, texts: u32, answer: Result<Vec<SimpleQueryMessage>>) -> Result<bool> {
        let has_ended = !self.is_in(&answer?) && (self.suspected || !self.goes_back);
        self.unproved = self.unproved.saturating_sub(texts);
        if self.unproved == 0 {
            *self = Self::default();
        }
        Ok(has_ended)
    }

    fn is_in(&self, answer: &[SimpleQueryMessage]) -> bool {
        let mark = self.mark.to_string();
        answer.iter().any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(&*mark)))
    }

    /// Whether a text reads as if it had ended it, of which the server was not asked.
    pub(crate) fn is_suspected(&self) -> bool {
        self.suspected
    }
}

/// The answer to a question, which is no in a transaction that has failed, where nothing can be asked.
pub(crate) fn unless_failed(answer: Result<bool>) -> Result<bool> {
    match answer {
        Err(error) if error.sqlstate() == Some(FAILED_TRANSACTION) => Ok(false),
        answer => answer,
    }
}

/// Whether the server has to be asked about a text of several statements, where this is left. One statement alone is known
/// by its first word.
pub(crate) fn may_end(left: Traces, sql: &str) -> bool {
    left.has(Traces::TRANSACTION) && !left.has(Traces::ENDED) && sql.contains(';') && has_word(sql, ENDING)
}

fn has_word(sql: &str, words: &[&str]) -> bool {
    let mut all = sql.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    all.any(|word| words.iter().any(|other| word.eq_ignore_ascii_case(other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn what_can_end_a_transaction() {
        for (sql, may) in [
            ("INSERT INTO t VALUES (1); UPDATE t SET ended = 2, prepared = 3", false),
            ("COMMIT", false),
            ("COMMIT;", true),
            ("SELECT 1;End", true),
            ("SELECT 1;/**/aBort/**/", true),
            ("SELECT '; -- $$ /* ;rollback", true),
            ("CREATE PROCEDURE p() BEGIN ATOMIC END; END; BEGIN", true),
            ("SELECT 1; PREPARE TRANSACTION 'x'", true),
        ] {
            assert_eq!(may_end(Traces::TRANSACTION, sql), may, "{sql}");
            assert!(!may_end(Traces::NONE, sql) && !may_end(Traces::TRANSACTION.and(Traces::ENDED), sql), "{sql}");
        }
    }

    #[test]
    fn only_what_was_answered_is_proved() {
        let not_marked = || Ok(Vec::new());
        let mut begun = Begun::default();
        begun.sends("", Traces::ENDED);
        begun.sends("", Traces::NONE);
        assert!(begun.has_ended(2, Err(Error::server(FAILED_TRANSACTION, ""))).is_err());
        assert!(begun.is_suspected() && begun.unproved() == 2);
        assert!(begun.has_ended(1, not_marked()).unwrap() && begun.is_suspected());
        assert!(begun.has_ended(1, not_marked()).unwrap() && !begun.is_suspected());
    }

    #[test]
    fn a_mark_may_be_taken_back() {
        let not_marked = || Ok(Vec::new());
        let mut begun = Begun::default();
        for (sql, reads_as, ended) in [
            ("", Traces::NONE, true),
            ("", Traces::ENDS, false),
            ("", Traces::ENDS.and(Traces::ENDED), true),
            ("RESET ALL", Traces::NONE, false),
        ] {
            begun.goes_back();
            begun.sends(sql, reads_as);
            assert_eq!(begun.has_ended(1, not_marked()).unwrap(), ended, "{sql}");
        }
        begun.sends("", Traces::NONE);
        begun.goes_back();
        assert!(!begun.has_ended(1, not_marked()).unwrap());
    }
}
