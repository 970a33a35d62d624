//! Calls at once on one session: each is refused or stands by itself, all or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use catamaran::{
    AsyncSession, Batch, Bytes, Config, DatabaseService as _, ErrorKind, Executor as _, R2d2Database, Result, ToSql,
    TransactionOptions,
};
use catamaran_testkit::{Database, shared};
use catamaran_tests::{
    faces::{Face, LONG},
    ids,
};
use futures_util::{
    future::{BoxFuture, join, join_all},
    stream,
};
use tokio::time::timeout;

const SCHEMA: &str = "CREATE TABLE t (of int8, n int CHECK (n >= 0));";

/// How many rows a call inserts.
const SETS: usize = 300;

/// A call that inserts rows of its own number; `n` is 0 or, in a set that fails, -1.
type Call = for<'a> fn(&'a dyn AsyncSession, i64) -> BoxFuture<'a, Result<()>>;

const CALLS: [(&str, usize, Call); 8] = [
    ("execute", 1, |on, of| {
        Box::pin(async move { on.execute("INSERT INTO t VALUES ($1, 0)", &[&of]).await.map(drop) })
    }),
    ("execute of a new text", 1, |on, of| {
        Box::pin(async move { on.execute(&format!("INSERT INTO t VALUES ($1, 0) /* {of} */"), &[&of]).await.map(drop) })
    }),
    ("fetch_all of a new text", 1, |on, of| {
        let sql = format!("INSERT INTO t VALUES ($1, 0) RETURNING n /* {of} */");
        Box::pin(async move { on.fetch_all(&sql, &[&of]).await.map(drop) })
    }),
    ("batch_execute", 1, |on, of| {
        Box::pin(async move { on.batch_execute(&format!("INSERT INTO t VALUES ({of}, 0)")).await })
    }),
    ("execute_many", SETS, |on, of| Box::pin(sets(on, of, None))),
    ("execute_many whose last set fails", 0, |on, of| Box::pin(sets(on, of, Some(SETS - 1)))),
    ("execute_many whose first set fails", 0, |on, of| Box::pin(sets(on, of, Some(0)))),
    ("run_batch whose last statement fails", 0, |on, of| {
        Box::pin(async move {
            let batch = Batch::new()
                .execute("INSERT INTO t VALUES ($1, 0)", &[&of])
                .execute("INSERT INTO t VALUES ($1, -1)", &[&of]);
            on.run_batch(&batch).await.map(drop)
        })
    }),
];

async fn sets(on: &dyn AsyncSession, of: i64, fails: Option<usize>) -> Result<()> {
    let values: Vec<i32> = (0..SETS).map(|at| if Some(at) == fails { -1 } else { 0 }).collect();
    let sets: Vec<[&(dyn ToSql + Sync); 2]> = values.iter().map(|value| [&of as _, value as _]).collect();
    let sets: Vec<&[_]> = sets.iter().map(|set| set.as_slice()).collect();
    on.execute_many("INSERT INTO t VALUES ($1, $2)", &sets).await.map(drop)
}

fn rows(database: &Database) -> BTreeMap<i64, usize> {
    let rows = database.texts("SELECT of::text || ' ' || count(*) FROM t GROUP BY of").unwrap();
    let pair = |text: String| {
        let (of, count) = text.split_once(' ').unwrap();
        (of.parse().unwrap(), count.parse().unwrap())
    };
    rows.into_iter().flatten().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_refused_or_stands_by_itself() {
    let database = shared().unwrap().database().unwrap();
    database.execute(SCHEMA).unwrap();
    let config = Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG);
    static OF: AtomicUsize = AtomicUsize::new(1);
    for face in [Face::Apart, Face::Sharing, Face::Offloaded] {
        let (db, mut results, mut wrong) = (face.open(&config).db, Vec::new(), Vec::new());
        for ((first, first_rows, one), (second, second_rows, other)) in
            CALLS.iter().flat_map(|one| CALLS.iter().map(move |other| (*one, *other)))
        {
            for third in [None, Some(CALLS[0].2), Some(CALLS[4].2)] {
                let session = db.session().await.unwrap();
                // Rows are inserted by whoever comes in between, too.
                let calls = [Some((one, first_rows)), Some((other, second_rows)), third.map(|call| (call, 0))];
                let called = calls.into_iter().flatten().map(|(call, rows)| {
                    let of = OF.fetch_add(1, SeqCst) as i64;
                    let session = &*session;
                    async move { (of, rows, call(session, of).await) }
                });
                for (of, rows, result) in join_all(called.collect::<Vec<_>>()).await {
                    results.push((of, rows, result, format!("{face}: {first} beside {second}")));
                }
                session.execute("SELECT 1", &[]).await.unwrap();
            }
        }
        let found = rows(&database);
        let mut busy = 0;
        for (of, expected, result, label) in results {
            let count = found.get(&of).copied().unwrap_or(0);
            match result {
                Ok(()) if count == 0 || (expected > 0 && count != expected) => {
                    wrong.push(format!("{label}: Ok, and {count} of {expected} rows"));
                }
                Ok(()) => {}
                Err(error) if count > 0 => wrong.push(format!("{label}: {error:?}, and {count} rows")),
                Err(error) if error.kind() == ErrorKind::Busy => busy += 1,
                Err(error) if error.sqlstate() == Some("23514") => {}
                Err(error) => wrong.push(format!("{label}: {error:?}")),
            }
        }
        println!("{face}: {} calls, {busy} refused, {} wrong", CALLS.len() * CALLS.len() * 3, wrong.len());
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// A COPY whose data comes from the connection that it is sent on is told so, and does not wait for itself.
#[test]
fn a_copy_whose_data_asks_the_same_connection_is_told_so() {
    let (database, copy) = (ids::database(), "COPY t FROM STDIN");
    let db = R2d2Database::new(ids::config(&database)).unwrap();
    let chunk = |asked: Result<u64>| asked.map(|_| Bytes::from_static(b"1\n"));
    let session = db.session().unwrap();
    let copied = session.copy_in(copy, &mut std::iter::once_with(|| chunk(session.execute("SELECT 1", &[]))));
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::Busy);
    drop(session);
    let tx = db.begin(TransactionOptions::new()).unwrap();
    let copied = tx.copy_in(copy, &mut std::iter::once_with(|| chunk(tx.execute("SELECT 1", &[]))));
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(tx.commit().unwrap_err().kind(), ErrorKind::TransactionAborted);
    let tx = db.begin(TransactionOptions::new()).unwrap();
    tx.copy_in(copy, &mut std::iter::once_with(|| chunk(Ok(1)))).unwrap();
    tx.commit().unwrap();
    assert_eq!(ids::kept(&database), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_one_over_a_bridge() {
    let (database, copy) = (ids::database(), "COPY t FROM STDIN");
    for face in [Face::Apart, Face::Sharing, Face::Offloaded, Face::Lent] {
        let db = face.open(&ids::config(&database).checkout_timeout(LONG)).db;
        let session = db.session().await.unwrap();
        let on = &session;
        let asks = async move { on.execute("SELECT 1", &[]).await.map(|_| Bytes::from_static(b"1\n")) };
        let copied =
            timeout(LONG, session.copy_in(copy, &mut Box::pin(stream::once(asks)))).await.expect("it waits for itself");
        assert_eq!(copied.unwrap_err().kind(), ErrorKind::Busy, "{face}");
        // Nor does one wait for another call that is to wait for it.
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let waits =
            async move { told.await.map_or_else(|_| panic!("nobody told it"), |()| Ok(Bytes::from_static(b"1\n"))) };
        let other = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let asked = session.execute("SELECT 1", &[]).await;
            let _ = tell.send(());
            asked
        };
        let mut data = Box::pin(stream::once(waits));
        let (copied, asked) = timeout(LONG, join(session.copy_in(copy, &mut data), other)).await.expect("both wait");
        assert_eq!((copied.unwrap(), asked.unwrap_err().kind()), (1, ErrorKind::Busy), "{face}");
        drop(session);
        db.execute("SELECT 1", &[]).await.unwrap();
        assert_eq!(ids::kept(&database), [1], "{face}");
    }
}
