//! What a closure in a transaction promises, asked of both twins.

mod fake;
mod send;

use std::sync::Arc;

use super::*;
use crate::{AsyncAttempt, AsyncExecutor, Executor, Result};
use fake::{Fake, Opaque, aborted, conflict, nothing};

/// Runs a closure and the same awaited, and compares what the twins returned and did.
macro_rules! both {
    ($answers:expr, $options:expr, $blocking:expr, $awaited:expr) => {{
        let (blocking, nonblocking) = (Fake::answering($answers), Fake::answering($answers));
        let service: &dyn DatabaseService = &blocking;
        let first = service.transaction($options, $blocking);
        let service: Arc<dyn AsyncDatabaseService> = Arc::new(nonblocking.clone());
        let second = block_on(service.transaction($options, $awaited));
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(blocking.log(), nonblocking.log());
        (first, blocking.log())
    }};
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn options() -> TransactionOptions {
    TransactionOptions::new().retries(2)
}

fn helper(db: &dyn Executor, sql: &str) -> Result<u64> {
    db.execute(sql, &[])
}

async fn async_helper(db: &dyn AsyncExecutor, sql: &str) -> Result<u64> {
    db.execute(sql, &[]).await
}

#[test]
fn ok_commits_and_err_rolls_back() {
    let (outcome, log) = both!([], options(), |tx| helper(tx, "a"), async |tx| async_helper(tx, "a").await);
    assert_eq!((outcome.unwrap(), &*log), (1, "begin a commit"));
    let (outcome, log) = both!(
        [],
        options(),
        |tx| {
            tx.execute("a", &[])?;
            nothing::<()>()
        },
        async |tx| {
            tx.execute("a", &[]).await?;
            nothing::<()>()
        }
    );
    assert_eq!((outcome.unwrap_err().kind(), &*log), (ErrorKind::NoRows, "begin a rollback"));
}

#[test]
fn a_conflict_is_run_again_whatever_the_closure_made_of_it() {
    let (outcome, log) =
        both!([conflict(), Ok(()), conflict()], options(), |tx| tx.execute("a", &[]).map_err(|_| Opaque), async |tx| {
            tx.execute("a", &[]).await.map_err(|_| Opaque)
        });
    assert_eq!((outcome, &*log), (Ok(1), "begin a rollback begin a commit begin a commit"));
    let (outcome, log) = both!(
        [conflict(), conflict(), conflict(), conflict()],
        options(),
        |tx| Ok::<_, Opaque>(tx.execute("a", &[])?),
        async |tx| Ok::<_, Opaque>(tx.execute("a", &[]).await?)
    );
    assert_eq!((outcome, &*log), (Err(Opaque), "begin a rollback begin a rollback begin a rollback"));
}

#[test]
fn a_conflict_that_the_closure_passed_over_is_run_again() {
    let answers = || [conflict(), Err(Error::new(ErrorKind::TransactionAborted, "rolled back"))];
    let (outcome, log) = both!(
        answers(),
        options(),
        |tx| {
            let _ = tx.execute("a", &[]);
            Ok::<_, Error>(())
        },
        async |tx| {
            let _ = tx.execute("a", &[]).await;
            Ok::<_, Error>(())
        }
    );
    assert!(outcome.is_ok());
    assert_eq!(log, "begin a commit begin a commit");
}

#[test]
fn a_conflict_among_streamed_rows_is_seen() {
    let (outcome, log) = both!(
        [conflict()],
        options(),
        |tx| tx.fetch_iter("a", &[])?.map(|row| row.map_err(|_| Opaque)).collect::<Result<Vec<_>, _>>(),
        async |tx| {
            let mut rows = tx.fetch_stream("a", &[]).await?;
            let mut all = Vec::new();
            while let Some(row) = rows.next().await {
                all.push(row.map_err(|_| Opaque)?);
            }
            Ok::<_, Opaque>(all)
        }
    );
    assert_eq!((outcome.unwrap().len(), &*log), (1, "begin a rollback begin a commit"));
}

#[test]
fn a_conflict_in_a_savepoint_counts_until_the_transaction_goes_on() {
    // Tidied up and given up: run again.
    let (outcome, log) = both!(
        [conflict()],
        options(),
        |tx| {
            let nested = tx.savepoint()?;
            if nested.execute("a", &[]).is_err() {
                nested.rollback()?;
                return Err(Opaque);
            }
            nested.commit()?;
            Ok(())
        },
        async |tx| {
            let nested = tx.savepoint().await?;
            if nested.execute("a", &[]).await.is_err() {
                nested.rollback().await?;
                return Err(Opaque);
            }
            nested.commit().await?;
            Ok(())
        }
    );
    assert_eq!(outcome, Ok(()));
    assert_eq!(log, "begin savepoint a rollback rollback begin savepoint a commit commit");
    // Tidied up and gone on: what fails later is the closure's own affair.
    let (outcome, log) = both!(
        [conflict(), aborted()],
        options(),
        |tx| {
            let nested = tx.savepoint()?;
            let _ = (nested.execute("a", &[]), nested.execute("b", &[]));
            nested.rollback()?;
            tx.execute("c", &[])?;
            Err::<(), _>(Opaque)
        },
        async |tx| {
            let nested = tx.savepoint().await?;
            let _ = (nested.execute("a", &[]).await, nested.execute("b", &[]).await);
            nested.rollback().await?;
            tx.execute("c", &[]).await?;
            Err::<(), _>(Opaque)
        }
    );
    assert_eq!((outcome, &*log), (Err(Opaque), "begin savepoint a b rollback c rollback"));
}

#[test]
fn a_commit_of_unknown_outcome_is_never_run_again() {
    let unknown = || [conflict(), Err(Error::new(ErrorKind::CommitUnknown, "lost"))];
    let (outcome, log) =
        both!(unknown(), options(), |tx| Ok::<_, Error>(tx.execute("a", &[]).is_ok()), async |tx| Ok::<_, Error>(
            tx.execute("a", &[]).await.is_ok()
        ));
    assert_eq!((outcome.unwrap_err().kind(), &*log), (ErrorKind::CommitUnknown, "begin a commit"));
}

#[test]
fn each_run_starts_from_the_same_state() {
    let names = vec!["a".to_owned()];
    let (blocking, awaited) = (names.clone(), names);
    let (outcome, _) = both!(
        [conflict()],
        options(),
        {
            let mut names = blocking;
            move |tx| {
                names.push("b".to_owned());
                tx.execute(&names.join(""), &[])?;
                Ok::<_, Error>(names.len())
            }
        },
        {
            let mut names = awaited;
            async move |tx: &mut AsyncAttempt| {
                names.push("b".to_owned());
                tx.execute(&names.join(""), &[]).await?;
                Ok::<_, Error>(names.len())
            }
        }
    );
    assert_eq!(outcome.unwrap(), 2);
}
