//! Whether the transaction that is open is the one that was begun, where a text of several statements may have ended it.
//!
//! The server alone can tell. It is asked before and after such a text when the transaction began that is open: that of
//! another one is the moment in which the server got the text that began it. Of the text it is only asked whether it can
//! end a transaction at all, for which it must have one of a few words somewhere.

use tokio_postgres::SimpleQueryMessage;

use crate::{Error, Result, many::FAILED_TRANSACTION};

/// Asks for the moment, in microseconds.
pub(crate) const ASK: &str = "SELECT (pg_catalog.date_part('epoch', pg_catalog.now()) \
                              OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8";

/// One of these is in each text that ends a transaction, and none can be written in another way.
const ENDING: &[&str] = &["abort", "commit", "end", "prepare", "rollback"];

/// What is known of a transaction of the library's own.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    open: bool,
    at: Option<i64>,
    /// Texts of which nobody knows yet whether they have ended it.
    unproved: u32,
    /// One of them reads as if it had.
    suspected: bool,
}

impl Begun {
    /// It begins.
    pub(crate) fn begin(&mut self) {
        *self = Self { open: true, ..Self::default() };
    }

    /// It has ended as it should.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether the server has to be asked about a text.
    pub(crate) fn may_be_ended_by(&self, sql: &str) -> bool {
        self.open && may_end(sql)
    }

    pub(crate) fn is_known(&self) -> bool {
        self.at.is_some()
    }

    /// Notes the answer to the question before a text.
    pub(crate) fn learn(&mut self, answer: Result<Vec<SimpleQueryMessage>>) -> Result<()> {
        match answer {
            // What is open behind a text of which nothing is known is not what was begun for certain.
            Ok(messages) if self.unproved == 0 => self.at = moment(&messages),
            Ok(_) => {}
            // It can't be asked while it has failed.
            Err(error) if is_of_failed(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes that a text is being sent that may end it, or reads so.
    pub(crate) fn sends(&mut self, is_suspect: bool) {
        self.unproved += 1;
        self.suspected |= is_suspect;
    }

    /// How many texts were sent of which nobody knows whether they have ended it, if that can be found out.
    pub(crate) fn unproved(&self) -> u32 {
        if self.is_known() { self.unproved } else { 0 }
    }

    /// Whether the answer to the question behind so many texts tells of another transaction, or of none.
    ///
    /// # Errors
    ///
    /// What the question failed with: in a transaction that has failed, nothing has become known.
    pub(crate) fn is_another(&mut self, texts: u32, answer: Result<Vec<SimpleQueryMessage>>) -> Result<bool> {
        let is_another = moment(&answer?) != self.at;
        self.unproved = self.unproved.saturating_sub(texts);
        self.suspected &= self.unproved > 0;
        Ok(is_another)
    }

    /// Whether a text reads as if it had ended it, of which the server was not asked.
    pub(crate) fn is_suspected(&self) -> bool {
        self.suspected
    }
}

/// Whether a text of several statements can end a transaction. One statement alone is known by its first word.
fn may_end(sql: &str) -> bool {
    let mut words = sql.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    sql.contains(';') && words.any(|word| ENDING.iter().any(|ending| word.eq_ignore_ascii_case(ending)))
}

fn is_of_failed(error: &Error) -> bool {
    error.sqlstate() == Some(FAILED_TRANSACTION)
}

fn moment(answer: &[SimpleQueryMessage]) -> Option<i64> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(may_end(sql), may, "{sql}");
        }
    }

    #[test]
    fn only_what_was_answered_is_proved() {
        let mut begun = Begun::default();
        assert!(!begun.may_be_ended_by("SELECT 1; END"), "nothing is open");
        begun.begin();
        begun.at = Some(1);
        begun.sends(true);
        begun.sends(false);
        let failed = begun.is_another(2, Err(Error::server(FAILED_TRANSACTION, "")));
        assert!(failed.is_err() && begun.is_suspected() && begun.unproved() == 2);
        assert_eq!((begun.is_another(1, Ok(Vec::new())).unwrap(), begun.is_suspected()), (true, true));
        assert_eq!((begun.is_another(1, Ok(Vec::new())).unwrap(), begun.is_suspected()), (true, false));
        begun.begin();
        begun.learn(Err(Error::server(FAILED_TRANSACTION, ""))).unwrap();
        begun.sends(true);
        begun.learn(Ok(Vec::new())).unwrap();
        assert!(!begun.is_known() && begun.is_suspected() && begun.unproved() == 0);
    }
}
