//! The ways to end a transaction, and what each claims to have kept.

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, AsyncTransaction, Batch, Error, ErrorKind, Result, TransactionOptions,
    prelude::*,
};
use catamaran_testkit::{Polled, drop_after_polls};

use crate::{
    faces::{Face, Opened},
    inline::{Inline, at_once},
    leaves::{Leave, Spoils},
};

/// Where what a transaction keeps is found afterwards.
pub const KEPT: &str = "CREATE TABLE kept (id int8)";

const INSERT: &str = "INSERT INTO kept VALUES ($1)";

/// How a savepoint ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// By its own method.
    Commit,
    /// By its own method.
    Rollback,
    /// By being dropped.
    Drop,
    /// Its method is dropped after so many polls.
    CommitDropped(usize),
    /// Its method is dropped after so many polls.
    RollbackDropped(usize),
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `commit`.
    Commit,
    /// `rollback`.
    Rollback,
    /// It is dropped.
    Drop,
    /// What is left unread is left within a savepoint, then `commit`.
    Savepoint(Within),
    /// The closure of `transaction` returns `Ok`.
    Closure,
    /// `commit` of a transaction of a session.
    OfSession,
    /// A session's own `BEGIN` and `COMMIT`, by `execute` or `batch_execute`.
    ByHand(bool),
    /// A statement that ends it, by `execute` or `batch_execute`, then `commit`.
    ByHandWithin(&'static str, bool),
    /// The frame of `execute_many`, which comes after what is left unread.
    Sets,
    /// The frame of `run_batch`.
    Batch,
}

impl End {
    /// All of them that can be had behind a face.
    pub fn all(face: Face) -> Vec<Self> {
        use End::*;
        let mut all = vec![Commit, Rollback, Drop, Closure, OfSession, ByHand(false), ByHand(true), Sets, Batch];
        all.extend([Within::Commit, Within::Rollback, Within::Drop].map(Savepoint));
        for text in ["COMMIT", "ROLLBACK", "PREPARE TRANSACTION 'x'", "ROLLBACK AND CHAIN"] {
            all.extend([ByHandWithin(text, false), ByHandWithin(text, true)]);
        }
        all.push(ByHandWithin("ROLLBACK; BEGIN", true));
        if face != Face::Blocking {
            all.extend((0..4).map(|polls| Savepoint(Within::CommitDropped(polls))));
            all.extend((0..4).map(|polls| Savepoint(Within::RollbackDropped(polls))));
        }
        all
    }
}

/// What was claimed of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is kept.
    Kept,
    /// It is not.
    Gone,
    /// Nobody knows.
    Unknown,
}

/// What became of one transaction: claims of its rows, and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Of each row, by its id.
    pub claims: Vec<(i64, Claim)>,
    /// The last word of the transaction, `None` where there is none.
    pub result: Option<Result<()>>,
    /// What should have come instead, if the result is wrong whatever the server has kept.
    pub wrong: Option<&'static str>,
}

/// What a result says of what was to be kept.
pub fn claim(result: &Result<()>) -> Claim {
    match result.as_ref().map_err(Error::kind) {
        Ok(()) => Claim::Kept,
        Err(ErrorKind::Server | ErrorKind::TransactionAborted | ErrorKind::ConnectionLost | ErrorKind::Busy) => {
            Claim::Gone
        }
        Err(_) => Claim::Unknown,
    }
}

/// Begins a transaction, inserts `id` (and `id + 1` in a savepoint), leaves something unread and ends it.
///
/// # Errors
///
/// If the transaction can't even begin.
pub async fn run(opened: &Opened, leave: &Leave, times: usize, end: End, id: i64) -> Result<Ended> {
    let options = TransactionOptions::new();
    let leaving = async |on: &dyn AsyncExecutor| opened.work(on, leave.work, times).await;
    let db: &dyn AsyncDatabaseService = &*opened.db;
    let result = match end {
        End::Commit | End::Rollback | End::Drop | End::ByHandWithin(..) => {
            let tx = db.begin(options).await?;
            tx.execute(INSERT, &[&id]).await?;
            leaving(&*tx).await;
            return Ok(outermost(tx, end, leave, id).await);
        }
        End::Savepoint(within) => {
            let mut tx = db.begin(options).await?;
            tx.execute(INSERT, &[&id]).await?;
            let savepoint = tx.savepoint().await?;
            savepoint.execute(INSERT, &[&(id + 1)]).await?;
            leaving(&*savepoint).await;
            let inner = match within {
                Within::Commit => savepoint.commit().await.map_or(Claim::Gone, |()| Claim::Kept),
                Within::Rollback => savepoint.rollback().await.map_or(Claim::Unknown, |()| Claim::Gone),
                Within::Drop => {
                    drop(savepoint);
                    Claim::Gone
                }
                Within::CommitDropped(polls) => match drop_after_polls(savepoint.commit(), polls).await {
                    Polled::Done(Ok(())) => Claim::Kept,
                    Polled::Done(Err(_)) => Claim::Gone,
                    Polled::Dropped => Claim::Unknown,
                },
                Within::RollbackDropped(polls) => match drop_after_polls(savepoint.rollback(), polls).await {
                    Polled::Done(Ok(())) => Claim::Gone,
                    _ => Claim::Unknown,
                },
            };
            let result = tx.commit().await;
            let outer = claim(&result);
            let inner = if outer == Claim::Kept { inner } else { outer };
            let wrong = match (&result, leave.spoils) {
                (Err(_), Spoils::Never) => Some("it must be committed"),
                _ => None,
            };
            return Ok(Ended { claims: vec![(id, outer), (id + 1, inner)], result: Some(result), wrong });
        }
        End::Closure => match &opened.blocking {
            Some(blocking) => blocking.transaction(options, |tx| {
                tx.execute(INSERT, &[&id])?;
                at_once(leaving(&Inline(tx)));
                Ok::<_, Error>(())
            }),
            None => {
                let closure = async |tx: &mut catamaran::AsyncAttempt| {
                    tx.execute(INSERT, &[&id]).await?;
                    opened.work(tx, leave.work, times).await;
                    Ok::<_, Error>(())
                };
                db.transaction(options, closure).await
            }
        },
        End::OfSession => {
            let mut session = db.session().await?;
            let tx = session.begin(options).await?;
            tx.execute(INSERT, &[&id]).await?;
            leaving(&*tx).await;
            tx.commit().await
        }
        End::ByHand(batch) => {
            let session = db.session().await?;
            session.execute("BEGIN", &[]).await?;
            session.execute(INSERT, &[&id]).await?;
            leaving(&*session).await;
            by_hand(&*session, "COMMIT", batch).await
        }
        End::Sets => {
            let session = db.session().await?;
            leaving(&*session).await;
            let result = session.execute_many(INSERT, &[&[&id], &[&(id + 1)]]).await.map(drop);
            let claim = claim(&result);
            return Ok(Ended { claims: vec![(id, claim), (id + 1, claim)], result: Some(result), wrong: None });
        }
        End::Batch => {
            let session = db.session().await?;
            leaving(&*session).await;
            let ids = [id, id + 1];
            let batch = Batch::new().execute(INSERT, &[&ids[0]]).execute(INSERT, &[&ids[1]]);
            let result = session.run_batch(&batch).await.map(drop);
            let claim = claim(&result);
            return Ok(Ended { claims: vec![(id, claim), (id + 1, claim)], result: Some(result), wrong: None });
        }
    };
    let wrong = if matches!(end, End::ByHand(_)) { None } else { wrong(&result, leave.spoils) };
    Ok(Ended { claims: vec![(id, claim(&result))], result: Some(result), wrong })
}

async fn outermost(tx: Box<dyn AsyncTransaction>, end: End, leave: &Leave, id: i64) -> Ended {
    let (claim, result, wrong) = match end {
        End::Rollback => {
            let result = tx.rollback().await;
            (Claim::Gone, Some(result), None)
        }
        End::Drop => {
            drop(tx);
            (Claim::Gone, None, None)
        }
        End::ByHandWithin(text, batch) => {
            let by_hand = by_hand(&*tx, text, batch).await;
            let result = tx.commit().await;
            let wrong = result.is_ok().then_some("it was ended by hand");
            // Ended by hand, what the hand was told counts.
            let claimed = match text {
                "COMMIT" if by_hand.is_ok() && leave.spoils == Spoils::Never => Claim::Kept,
                _ if result.is_ok() => Claim::Kept,
                "COMMIT" => Claim::Unknown,
                _ => Claim::Gone,
            };
            (claimed, Some(result), wrong)
        }
        _ => {
            let result = tx.commit().await;
            (claim(&result), Some(result.clone()), wrong(&result, leave.spoils))
        }
    };
    Ended { claims: vec![(id, claim)], result, wrong }
}

async fn by_hand(on: &dyn AsyncExecutor, text: &str, batch: bool) -> Result<()> {
    if batch { on.batch_execute(text).await } else { on.execute(text, &[]).await.map(drop) }
}

/// What a commit should have said after what was done to its transaction.
fn wrong(result: &Result<()>, spoils: Spoils) -> Option<&'static str> {
    let kind = result.as_ref().err().map(Error::kind);
    match spoils {
        Spoils::Never if kind.is_some() => Some("it must be committed"),
        Spoils::Always if kind != Some(ErrorKind::TransactionAborted) => Some("TransactionAborted"),
        Spoils::AtCommit if kind != Some(ErrorKind::Server) => Some("Server"),
        _ => None,
    }
}
