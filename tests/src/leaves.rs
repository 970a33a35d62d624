//! The ways to leave a statement unread within a transaction.

use std::{panic::AssertUnwindSafe, time::Duration};

use catamaran::{AsyncExecutor, Batch, Bytes, BytesStream, Error, ErrorKind, Result, RowStream, ToSql};
use catamaran_testkit::drop_after_polls;
use futures_util::{FutureExt as _, stream};
use tokio::time::{sleep, timeout};

use crate::faces::Work;

/// What the statements here run on.
pub const SCHEMA: &str = "
    CREATE TABLE parent (id int8 PRIMARY KEY);
    CREATE TABLE child (id int8 REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE target (id int8 PRIMARY KEY, n int CHECK (n > 0));
    CREATE TABLE refusing (id int8);
    CREATE TABLE late (code text);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF current_setting('test.refuse', true) = 'no' THEN RETURN NULL; END IF;
            RAISE EXCEPTION 'refused' USING ERRCODE = 'P0001';
        END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON refusing FOR EACH STATEMENT EXECUTE FUNCTION refuse();
    CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = NEW.code; END $$;
    CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse_late();
    CREATE FUNCTION raise(code text) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = code; END $$;";

const MIDWAY: &str = "SELECT 1 / (3 - i) FROM generate_series(1, 10) i";
const FAR: &str = "SELECT repeat('x', 1000), 1 / (900 - i) FROM generate_series(1, 1000) i";
const FINE: &str = "SELECT repeat('x', 1000) FROM generate_series(1, 1000) i";
const LATE: &str = "SELECT 1 / length(pg_sleep(0.02)::text)";
const LATE_IF_ASKED: &str = "SELECT 1 / (length(pg_sleep($1)::text) + $2::int4)";
const COPY: &str = "COPY target FROM STDIN";

/// What a way does to its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoils {
    /// Nothing: it must be committed.
    Never,
    /// The server has failed it.
    Always,
    /// The server fails it when it is committed.
    AtCommit,
    /// It depends on how far the statement came, or the connection may be given up.
    Perhaps,
}

/// One way.
#[derive(Debug, Clone, Copy)]
pub struct Leave {
    /// What it is called.
    pub name: &'static str,
    /// What it does to the transaction.
    pub spoils: Spoils,
    /// How often something in it is done: items that are taken, polls before it is dropped.
    pub times: &'static [usize],
    /// Whether it drops a call, which blocking code can't.
    pub drops: bool,
    /// What is done.
    pub work: Work,
}

macro_rules! leaves {
    ($($name:ident $drops:ident $spoils:ident $times:expr; |$db:ident, $n:ident| $body:block)*) => {
        /// All ways.
        pub const LEAVES: &[Leave] = &[$(Leave {
            name: stringify!($name),
            spoils: Spoils::$spoils,
            times: &$times,
            drops: leaves!(@ $drops),
            work: |$db, $n| Box::pin(async move { let _ = $n; $body }),
        }),*];
    };
    (@ dropped) => { true };
    (@ kept) => { false };
}

const POLLS: [usize; 6] = [0, 1, 2, 3, 5, 8];

leaves! {
    nothing kept Never [0]; |_db, n| {}
    a_good_statement kept Never [0]; |db, n| { db.fetch_all(FINE, &[]).await.expect("it runs"); }
    a_good_stream kept Never [0, 1, 50, 2000]; |db, n| { take(db.fetch_stream(FINE, &[]).await, n).await; }
    an_error_of_a_callback_alone kept Never [1, 5]; |db, n| { each(db, FINE, n).await; }
    too_many_good_rows kept Never [0]; |db, n| {
        assert_eq!(kind(db.fetch_optional(FINE, &[]).await), Some(ErrorKind::TooManyRows));
    }
    a_good_copy_out kept Never [0, 1, 5, 2000]; |db, n| {
        take_bytes(db.copy_out(&format!("COPY ({FINE}) TO STDOUT")).await, n).await;
    }
    wrong_parameters kept Never [0]; |db, n| {
        assert!(db.execute("SELECT $1::int8", &[&"text"]).await.is_err());
        assert!(db.execute("SELECT 1", &[&1i64]).await.is_err());
    }
    a_failing_statement kept Always [0]; |db, n| { assert!(db.execute("SELECT 1/0", &[]).await.is_err()); }
    a_failing_fetch kept Always [0]; |db, n| { assert!(db.fetch_all(MIDWAY, &[]).await.is_err()); }
    a_failing_batch kept Always [0]; |db, n| { assert!(db.batch_execute("SELECT 1; SELECT 1/0; SELECT 2").await.is_err()); }
    a_statement_that_is_none kept Always [0]; |db, n| { assert!(db.execute("SELEC 1", &[]).await.is_err()); }
    a_failing_description kept Always [0]; |db, n| { assert!(db.describe("SELECT nothing").await.is_err()); }
    an_error_of_class_08 kept Always [0]; |db, n| { assert!(db.execute("SELECT raise('08006')", &[]).await.is_err()); }
    an_error_of_class_57 kept Always [0]; |db, n| { assert!(db.fetch_all("SELECT raise('57P01')", &[]).await.is_err()); }
    a_cancelled_statement kept Always [0]; |db, n| {
        assert!(db.batch_execute("SET LOCAL statement_timeout = 10; SELECT pg_sleep(5)").await.is_err());
    }
    a_stream_that_fails kept Perhaps [0, 1, 2, 3, 10]; |db, n| { take(db.fetch_stream(MIDWAY, &[]).await, n).await; }
    a_long_stream_that_fails kept Always [0, 1, 100, 2000]; |db, n| { take(db.fetch_stream(FAR, &[]).await, n).await; }
    an_error_of_a_callback kept Always [1, 2]; |db, n| { each(db, MIDWAY, n).await; }
    a_panic_of_a_callback kept Always [1, 2]; |db, n| {
        let mut left = n;
        let mut panics = move |_: &catamaran::Row| {
            left -= 1;
            if left == 0 { std::panic::resume_unwind(Box::new("on purpose")) } else { Ok(()) }
        };
        let panicked = AssertUnwindSafe(db.fetch_each(MIDWAY, &[], &mut panics)).catch_unwind().await;
        assert!(!matches!(panicked, Ok(Ok(()))));
    }
    too_many_rows_and_a_failure kept Always [0]; |db, n| {
        assert!(db.fetch_optional(MIDWAY, &[]).await.is_err());
        assert!(db.fetch_one(MIDWAY, &[]).await.is_err());
    }
    many_sets_of_which_one_fails kept Always [0, 1, 299]; |db, n| { assert!(sets(db, n).await.is_err()); }
    a_batch_of_which_one_fails kept Always [0]; |db, n| { assert!(batch(db).await.is_err()); }
    a_copy_in_with_an_error kept Always [0, 1, 20]; |db, n| { assert!(copy(db, COPY, n, true).await.is_err()); }
    a_copy_in_of_bad_data kept Always [0, 1, 20]; |db, n| {
        let lines = (0..n).map(line).chain([Ok(Bytes::from("no number\t1\n"))]);
        assert!(db.copy_in(COPY, &mut stream::iter(lines)).await.is_err());
    }
    a_copy_in_that_breaks_a_rule kept Always [0, 1, 20]; |db, n| {
        let lines = (0..n).map(line).chain([Ok(Bytes::from("100\t-1\n"))]);
        assert!(db.copy_in(COPY, &mut stream::iter(lines)).await.is_err());
    }
    a_copy_in_that_is_refused kept Perhaps [0, 1, 20]; |db, n| {
        assert!(copy(db, "COPY nothing FROM STDIN", n, false).await.is_err());
    }
    a_copy_in_with_a_column_twice kept Perhaps [2]; |db, n| {
        assert!(copy(db, "COPY target (id, id) FROM STDIN", n, false).await.is_err());
    }
    a_copy_in_that_a_trigger_refuses kept Perhaps [0, 1, 20]; |db, n| {
        assert!(copy(db, "COPY refusing FROM STDIN", n, false).await.is_err());
    }
    a_copy_in_of_a_kept_text_that_a_trigger_refuses kept Perhaps [1]; |db, n| {
        db.batch_execute("SET test.refuse = 'no'").await.expect("it runs");
        copy(db, "COPY refusing FROM STDIN", n, false).await.expect("nothing refuses it");
        db.batch_execute("SET test.refuse = 'yes'").await.expect("it runs");
        assert!(copy(db, "COPY refusing FROM STDIN", n, false).await.is_err());
    }
    a_copy_out_that_fails kept Always [0, 1, 2000]; |db, n| {
        take_bytes(db.copy_out(&format!("COPY ({FAR}) TO STDOUT")).await, n).await;
    }
    a_copy_out_that_is_refused kept Perhaps [1]; |db, n| {
        take_bytes(db.copy_out("COPY nothing TO STDOUT").await, n).await;
    }
    a_violated_constraint kept AtCommit [0]; |db, n| {
        let _ = db.execute("INSERT INTO child VALUES (1)", &[]).await;
    }
    a_deferred_error_of_class_08 kept AtCommit [0]; |db, n| {
        let _ = db.execute("INSERT INTO late VALUES ('08006')", &[]).await;
    }
    a_deferred_error_of_class_57 kept AtCommit [0]; |db, n| {
        let _ = db.execute("INSERT INTO late VALUES ('57P01')", &[]).await;
    }
    a_dropped_call dropped Perhaps POLLS; |db, n| { drop_after_polls(db.execute(LATE, &[]), n).await; }
    a_dropped_call_of_a_kept_text dropped Perhaps POLLS; |db, n| {
        db.execute(LATE_IF_ASKED, &[&0f64, &1i32]).await.expect("it runs");
        drop_after_polls(db.execute(LATE_IF_ASKED, &[&0.02f64, &0i32]), n).await;
    }
    a_dropped_fetch dropped Perhaps POLLS; |db, n| { drop_after_polls(db.fetch_all(MIDWAY, &[]), n).await; }
    a_dropped_batch dropped Perhaps POLLS; |db, n| { drop_after_polls(db.batch_execute(LATE), n).await; }
    a_dropped_description dropped Perhaps POLLS; |db, n| { drop_after_polls(db.describe("SELECT nothing"), n).await; }
    dropped_sets dropped Perhaps POLLS; |db, n| { drop_after_polls(sets(db, 5), n).await; }
    a_dropped_statement_of_many dropped Perhaps POLLS; |db, n| { drop_after_polls(batch(db), n).await; }
    a_dropped_copy_in dropped Perhaps POLLS; |db, n| { drop_after_polls(copy(db, COPY, 3, true), n).await; }
    a_dropped_copy_in_that_is_refused dropped Perhaps POLLS; |db, n| {
        drop_after_polls(copy(db, "COPY nothing FROM STDIN", 3, false), n).await;
    }
    a_dropped_copy_in_that_a_trigger_refuses dropped Perhaps POLLS; |db, n| {
        drop_after_polls(copy(db, "COPY refusing FROM STDIN", 3, false), n).await;
    }
    a_dropped_copy_out dropped Perhaps POLLS; |db, n| {
        let copying = async { take_bytes(db.copy_out(&format!("COPY ({FAR}) TO STDOUT")).await, 3).await };
        drop_after_polls(copying, n).await;
    }
    a_timeout dropped Always [0]; |db, n| {
        // However late the machine is, the time is up first.
        tokio::select! {
            biased;
            () = sleep(Duration::from_millis(20)) => {}
            done = db.execute("SELECT 1 / length(pg_sleep(0.08)::text)", &[]) => panic!("it was to be dropped: {done:?}"),
        }
    }
    two_at_once dropped Always [0]; |db, n| {
        let slow = timeout(Duration::from_millis(20), db.execute("SELECT 1 / length(pg_sleep(0.05)::text)", &[]));
        let _ = tokio::join!(slow, db.fetch_all("SELECT 1", &[]));
    }
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Takes so many items, and drops the rest.
async fn take(rows: Result<RowStream<'_>>, count: usize) {
    let Ok(mut rows) = rows else { return };
    for _ in 0..count {
        if !matches!(rows.next().await, Some(Ok(_))) {
            return;
        }
    }
}

async fn take_bytes(data: Result<BytesStream<'_>>, count: usize) {
    let Ok(mut data) = data else { return };
    for _ in 0..count {
        if !matches!(data.next().await, Some(Ok(_))) {
            return;
        }
    }
}

/// Fails at the row of this number.
async fn each(db: &dyn AsyncExecutor, sql: &str, row: usize) {
    let mut left = row;
    let mut fails = |_: &catamaran::Row| {
        left -= 1;
        if left == 0 { Err(Error::new(ErrorKind::Decode, "on purpose")) } else { Ok(()) }
    };
    assert!(db.fetch_each(sql, &[], &mut fails).await.is_err());
}

/// Sets of which that at an index fails.
async fn sets(db: &dyn AsyncExecutor, index: usize) -> Result<Vec<u64>> {
    let values: Vec<i32> = (0..300).map(|at| i32::from(at != index)).collect();
    let sets: Vec<[&(dyn ToSql + Sync); 1]> = values.iter().map(|value| [value as _]).collect();
    let sets: Vec<&[_]> = sets.iter().map(|set| set.as_slice()).collect();
    db.execute_many("SELECT 1 / $1::int4", &sets).await
}

async fn batch(db: &dyn AsyncExecutor) -> Result<Vec<catamaran::Outcome>> {
    let batch = Batch::new()
        .execute("SELECT $1::int4", &[&1i32])
        .fetch_all("SELECT 1 / $1::int4", &[&0i32])
        .execute("SELECT $1::int4", &[&2i32]);
    db.run_batch(&batch).await
}

fn line(id: usize) -> Result<Bytes> {
    Ok(Bytes::from(format!("{id}\t1\n")))
}

/// Some lines, and perhaps an error behind them.
async fn copy(db: &dyn AsyncExecutor, sql: &str, lines: usize, fails: bool) -> Result<u64> {
    let error = fails.then(|| Err(Error::new(ErrorKind::Decode, "on purpose")));
    let line = |id| if sql.contains("refusing") { Ok(Bytes::from(format!("{id}\n"))) } else { line(id) };
    db.copy_in(sql, &mut stream::iter((0..lines).map(line).chain(error))).await
}
