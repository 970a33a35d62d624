//! What a failure means for the transaction that it is of.

use super::{Error, ErrorKind};

const ENDED: &str = "a statement of the transaction had ended it before, and that one decided what was kept";

/// Where the server finds that a transaction has failed, that there is none, or that a savepoint does not exist. Before
/// PostgreSQL 11 one of them had another name.
const OF_STATE: &[&str] = &[
    "exec_simple_query",
    "exec_parse_message",
    "exec_bind_message",
    "exec_execute_message",
    "CheckTransactionBlock",
    "CheckTransactionChain",
    "ReleaseSavepoint",
    "RollbackToSavepoint",
];

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
            _ if !self.is_of_state() => self,
            (_, Some("25P02")) => Self::with_source(
                ErrorKind::TransactionAborted,
                "a statement of the transaction had failed; it was rolled back",
                self,
            ),
            (_, Some("25P01" | "3B001")) => Self::with_source(ErrorKind::TransactionEnded, ENDED, self),
            _ => self,
        }
    }

    /// The server reported it of the state of the transaction, by the function of its source that does so. One that does
    /// not tell of its functions is believed.
    fn is_of_state(&self) -> bool {
        self.server_error().is_none_or(|report| {
            let is_known = |routine: &str| OF_STATE.contains(&routine);
            report.context.is_none() && report.routine.as_deref().is_none_or(is_known)
        })
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
