//! A `COMMIT` written by hand, beside a call that fails on the same session or transaction: what it reports is kept, and what
//! it refuses is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use catamaran::{AsyncExecutor, Batch, ErrorKind, Result, TransactionOptions};
use catamaran_tests::{
    faces::{Face, LONG, Opened},
    ids::{INSERT, config, database, kept},
};
use futures_util::{
    TryStreamExt as _,
    future::{BoxFuture, join},
};

type Way = for<'a> fn(&'a dyn AsyncExecutor, &'a str) -> BoxFuture<'a, Result<()>>;

/// How a text is run that commits.
const COMMITS: [(&str, Way); 8] = [
    ("execute", |on, sql| Box::pin(async move { on.execute(sql, &[]).await.map(drop) })),
    ("fetch_all", |on, sql| Box::pin(async move { on.fetch_all(sql, &[]).await.map(drop) })),
    ("fetch_optional", |on, sql| Box::pin(async move { on.fetch_optional(sql, &[]).await.map(drop) })),
    ("fetch_stream", |on, sql| {
        Box::pin(async move { on.fetch_stream(sql, &[]).await?.try_for_each(async |_| Ok(())).await })
    }),
    ("batch_execute", |on, sql| Box::pin(async move { on.batch_execute(&format!("{sql}; SELECT 1")).await })),
    ("execute_many", |on, sql| Box::pin(async move { on.execute_many(sql, &[&[]]).await.map(drop) })),
    ("run_batch", |on, sql| Box::pin(async move { on.run_batch(&Batch::new().execute(sql, &[])).await.map(drop) })),
    ("run_batch behind another", |on, sql| {
        Box::pin(async move {
            let batch = Batch::new().fetch_all("SELECT 1", &[]).execute(sql, &[]);
            on.run_batch(&batch).await.map(drop)
        })
    }),
];

/// What is run beside it, and fails.
const BESIDE: [(&str, Way); 6] = [
    ("a kept text", |on, _| Box::pin(async move { on.execute("SELECT 1 / 0", &[]).await.map(drop) })),
    ("a new text", |on, new| {
        Box::pin(async move { on.fetch_all(&format!("SELECT 1 / 0 {new}"), &[]).await.map(drop) })
    }),
    ("a batch", |on, _| Box::pin(async move { on.batch_execute("SELECT 1; SELECT 1 / 0").await })),
    ("sets", |on, _| Box::pin(async move { on.execute_many("SELECT 1 / 0", &[&[], &[]]).await.map(drop) })),
    ("a stream", |on, _| {
        Box::pin(async move { on.fetch_stream("SELECT 1 / 0", &[]).await?.try_for_each(async |_| Ok(())).await })
    }),
    ("a call behind a stream that is dropped", |on, new| {
        Box::pin(async move {
            let sql = format!("SELECT pg_sleep(0.01) {new}");
            let stream = tokio::time::timeout(std::time::Duration::from_millis(5), on.fetch_stream(&sql, &[]));
            drop(stream.await);
            on.execute("SELECT 1 / 0", &[]).await.map(drop)
        })
    }),
];

/// What the commit came to, with both on this.
async fn beside(on: &dyn AsyncExecutor, commit: (Way, &str), other: (Way, &str), first: bool) -> Result<()> {
    let (commit, other) = ((commit.0)(on, commit.1), (other.0)(on, other.1));
    if first { join(commit, other).await.0 } else { join(other, commit).await.1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_kept_or_refused_whatever_fails_beside_it() {
    let database = database();
    let (mut wrong, mut tried, mut committed, mut refused) = (Vec::new(), 0, 0, 0);
    for face in [Face::Apart, Face::Sharing, Face::Offloaded] {
        let Opened { db, .. } = face.open(&config(&database).checkout_timeout(LONG));
        for ((way, commit), (what, other)) in COMMITS.iter().flat_map(|one| BESIDE.iter().map(move |two| (*one, *two)))
        {
            for (by_hand, is_new, first) in (0..8).map(|bits| (bits & 1 == 0, bits & 2 == 0, bits & 4 == 0)) {
                tried += 1;
                let text = ["COMMIT", "END", "COMMIT AND CHAIN"][tried % 3];
                let new = format!("/* {tried} */");
                let sql = if is_new { format!("{text} {new}") } else { text.to_owned() };
                let (commit, other) = ((commit, sql.as_str()), (other, new.as_str()));
                let result = if by_hand {
                    let session = db.session().await.unwrap();
                    session.execute("BEGIN", &[]).await.unwrap();
                    session.execute(INSERT, &[&1i64]).await.unwrap();
                    beside(&*session, commit, other, first).await
                } else {
                    let tx = db.begin(TransactionOptions::new()).await.unwrap();
                    tx.execute(INSERT, &[&1i64]).await.unwrap();
                    let result = beside(&*tx, commit, other, first).await;
                    if tx.commit().await.is_ok() {
                        wrong.push(format!("{face}: a second commit, {what} beside {way} of {text}"));
                    }
                    result
                };
                db.execute("SELECT 1", &[]).await.unwrap();
                let kept = kept(&database);
                let is_right = match &result {
                    Ok(()) => kept == [1],
                    Err(error) if error.kind() == ErrorKind::CommitUnknown => false,
                    Err(_) => kept.is_empty(),
                };
                if result.is_ok() {
                    committed += 1
                } else {
                    refused += 1
                }
                if !is_right {
                    wrong.push(format!(
                        "{face}: {result:?}, {} rows: {what} beside {way} of {text}, by hand {by_hand}, new {is_new}, \
                         first {first}",
                        kept.len()
                    ));
                }
            }
        }
    }
    println!("{tried} tried, {committed} committed, {refused} refused");
    assert!(committed > 100 && refused > 100, "{committed} committed, {refused} refused");
    assert!(wrong.is_empty(), "{} of {tried} are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
