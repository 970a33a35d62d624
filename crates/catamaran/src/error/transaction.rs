//! What a failure means for the transaction that it is of.

use super::{Error, ErrorKind};

const ENDED: &str = "a statement of the transaction had ended it before, and that one decided what was kept";

impl Error {
    /// What a failed `BEGIN` means for statements that were sent behind it.
    #[cfg(feature = "async")]
    pub(crate) fn of_begin(self) -> Self {
        let message = "BEGIN was refused while the statements were on the way; each of them may have been kept";
        if self.is_loss() { self } else { Self::with_source(ErrorKind::CommitUnknown, message, self) }
    }

    /// What a failed `COMMIT` means for the transaction.
    pub(crate) fn of_commit(self) -> Self {
        match (self.kind(), self.sqlstate()) {
            (ErrorKind::ConnectionLost, _) => Self::with_source(
                ErrorKind::CommitUnknown,
                "the connection was lost during COMMIT; the transaction may or may not have been committed",
                self,
            ),
            // What a trigger raises at the commit may have any code.
            _ if self.is_raised() => self,
            (_, Some("25P02")) => Self::with_source(
                ErrorKind::TransactionAborted,
                "a statement of the transaction had failed; it was rolled back",
                self,
            ),
            (_, Some("25P01" | "3B001")) => Self::with_source(ErrorKind::TransactionEnded, ENDED, self),
            _ => self,
        }
    }

    /// A procedural language or another server reported it, and not the server itself.
    fn is_raised(&self) -> bool {
        let routine = self.server_error().and_then(|report| report.routine.as_deref());
        matches!(routine, Some("exec_stmt_raise" | "pgfdw_report_error"))
    }

    /// What a commit gets of a transaction that a statement of its own has ended.
    pub(crate) fn transaction_ended() -> Self {
        Self::new(ErrorKind::TransactionEnded, ENDED)
    }

    /// The same of a statement behind that one: its own error would say that nothing was kept.
    pub(crate) fn behind_end(self) -> Self {
        if self.is_loss() {
            return self;
        }
        let place = self.1;
        Self(Self::with_source(ErrorKind::TransactionEnded, ENDED, self).0, place)
    }

    /// What a failed `ROLLBACK TO` means for the level.
    pub(crate) fn of_rollback(self) -> Self {
        match self.sqlstate() {
            Some("25P01" | "3B001") => Self::with_source(ErrorKind::TransactionEnded, ENDED, self),
            _ => self,
        }
    }

    /// What `begin` gets where a transaction is open that was begun by hand.
    pub(crate) fn within_another() -> Self {
        let advice = "end it first, or use SAVEPOINT";
        Self::new(ErrorKind::WrongStatement, format!("a transaction that was begun by hand is open here; {advice}"))
    }
}
