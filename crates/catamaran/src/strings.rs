//! How the server reads a backslash in a literal, where it hinges on that whether a text ends the transaction.

use tokio_postgres::SimpleQueryMessage;

use crate::{
    Result,
    many::FAILED_TRANSACTION,
    traces::{Traces, hinges_on_backslashes},
};

/// Asks for it: `off` says that a backslash escapes in every literal.
pub(crate) const ASK: &str = "SHOW standard_conforming_strings";

/// Whether the server has to be asked before a text of several statements is run. What is `left` tells of a transaction.
pub(crate) fn have_to_be_known(left: Traces, sql: &str) -> bool {
    left.has(Traces::TRANSACTION) && hinges_on_backslashes(sql)
}

/// What the text may leave, by the server's answer.
pub(crate) fn traces(sql: &str, answer: Result<Vec<SimpleQueryMessage>>) -> Result<Traces> {
    match answer {
        Ok(messages) => {
            let off = |message: &SimpleQueryMessage| match message {
                SimpleQueryMessage::Row(row) => row.get(0) == Some("off"),
                _ => false,
            };
            Ok(Traces::of_batch_where(sql, messages.iter().any(off)))
        }
        // So will the text be refused.
        Err(error) if error.sqlstate() == Some(FAILED_TRANSACTION) => Ok(Traces::of_batch(sql)),
        Err(error) => Err(error),
    }
}
