//! The mocks behind the traits, as handlers see them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::*;
use crate::{
    AsyncDatabaseService, AsyncExecutor, AsyncSession, AsyncTransaction, DatabaseService, Error, ErrorKind, Executor,
    Session, Transaction, TransactionOptions, row,
};

fn panic_message(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn mocks_fit_where_services_do() {
    fn shared<T: Send + Sync + 'static>(value: T) -> T {
        value
    }
    let _: Arc<dyn DatabaseService> = Arc::new(shared(MockDatabaseService::new()));
    let _: Box<dyn Session> = Box::new(shared(MockSession::new()));
    let _: Box<dyn Transaction> = Box::new(shared(MockTransaction::new()));
    let _: Arc<dyn AsyncDatabaseService> = Arc::new(shared(MockAsyncDatabaseService::new()));
    let _: Box<dyn AsyncSession> = Box::new(shared(MockAsyncSession::new()));
    let _: Box<dyn AsyncTransaction> = Box::new(shared(MockAsyncTransaction::new()));
}

#[test]
fn a_mismatch_shows_the_sql_and_the_parameters() {
    let mut db = MockDatabaseService::new();
    db.expect_execute().with(sql("DELETE FROM agents"), params![7i64]).returning(|_, _| Ok(1));
    let message = panic_message(|| {
        let _ = db.execute("DELETE FROM agents WHERE id = $1", &[&8i64]);
    });
    assert_eq!(
        message,
        "MockDatabaseService::execute(\"DELETE FROM agents WHERE id = $1\", [8::int8]): No matching expectation found"
    );
}

#[test]
fn an_expectation_that_was_not_met_shows_what_was_expected() {
    let message = panic_message(|| {
        let mut db = MockDatabaseService::new();
        db.expect_execute().with(sql("DELETE"), params![7i64, "x"]).times(1).returning(|_, _| Ok(1));
    });
    assert!(message.contains("sql contains \"DELETE\", params are [7::int8, \"x\"::text]"), "{message}");
}

#[test]
fn an_executor_may_be_any_mock() {
    let ask = |db: &dyn Executor| db.fetch_one("SELECT 1", &[]).and_then(|row| row.get::<i32>(0));
    let mut db = MockDatabaseService::new();
    db.expect_fetch_one().returning(|_, _| Ok(row! { "one" => 1i32 }));
    let mut tx = MockTransaction::new();
    tx.expect_fetch_one().returning(|_, _| Err(Error::new(ErrorKind::NoRows, "no rows")));
    assert_eq!(ask(&db).unwrap(), 1);
    assert_eq!(ask(&tx).unwrap_err().kind(), ErrorKind::NoRows);
}

#[test]
fn slow_replies_are_slow_together() {
    let mut db = MockAsyncDatabaseService::new();
    db.expect_execute().times(10).returning(|_, _| reply_after(Duration::from_millis(50), 1));
    let begun = Instant::now();
    let replies = run(futures_util::future::join_all((0..10).map(|_| db.execute("SELECT 1", &[]))));
    assert!(replies.iter().all(Result::is_ok));
    assert!((50..250).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[test]
fn streams_end_with_their_error() {
    let rows = || {
        let lost = Error::new(ErrorKind::ConnectionLost, "lost");
        Items::from(vec![Ok(row! { "n" => 1i32 }), Err(lost), Ok(row! { "n" => 2i32 })])
    };
    let mut db = MockDatabaseService::new();
    db.expect_fetch_iter().returning(move |_, _| Ok(rows()));
    assert_eq!(db.fetch_iter("SELECT n", &[]).unwrap().count(), 2);
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_stream().returning(move |_, _| reply(rows()));
    run(async {
        let mut stream = db.fetch_stream("SELECT n", &[]).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        assert!(stream.next().await.unwrap().is_err());
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn copy_in_arrives_in_one_piece_or_as_its_error() {
    let chunks = [Bytes::from("1\ta"), Bytes::from("da\n")];
    let mut db = MockDatabaseService::new();
    db.expect_copy_in().with(sql("COPY agents"), eq(Bytes::from("1\tada\n"))).times(1).returning(|_, _| Ok(1));
    assert_eq!(db.copy_in("COPY agents FROM STDIN", &mut chunks.iter().cloned().map(Ok)).unwrap(), 1);
    let error = Error::new(ErrorKind::Encode, "no such row");
    let result = db.copy_in("COPY agents FROM STDIN", &mut std::iter::once(Err(error)));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Encode);
}

#[test]
fn status_needs_no_expectation() {
    assert_eq!(DatabaseService::status(&MockDatabaseService::new()).max_size, 10);
    assert_eq!(AsyncDatabaseService::status(&MockAsyncDatabaseService::new()).max_size, 10);
}

#[test]
fn a_sequence_goes_through_a_transaction() {
    let mut order = Sequence::new();
    let mut savepoint = MockAsyncTransaction::new();
    savepoint.expect_execute().times(1).in_sequence(&mut order).returning(|_, _| reply(1));
    savepoint.expect_commit().times(1).in_sequence(&mut order).returning(|| reply(()));
    let mut tx = MockAsyncTransaction::new();
    tx.expect_savepoint().return_once(|| reply(savepoint));
    tx.expect_rollback().times(1).in_sequence(&mut order).returning(|| fails(Error::new(ErrorKind::Timeout, "late")));
    let mut db = MockAsyncDatabaseService::new();
    db.expect_begin().with(eq(TransactionOptions::new())).return_once(|_| reply(tx));
    run(async {
        let mut tx = db.begin(TransactionOptions::new()).await.unwrap();
        let savepoint = tx.savepoint().await.unwrap();
        savepoint.execute("DELETE FROM agents", &[]).await.unwrap();
        savepoint.commit().await.unwrap();
        assert_eq!(tx.rollback().await.unwrap_err().kind(), ErrorKind::Timeout);
    });
}
