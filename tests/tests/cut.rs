//! The wire is cut behind each byte of each operation, on its way to the server and back: what is reported as done is
//! there, what certainly failed is not, the rest is there wholly or not at all, and the next call works.
//!
//! `CATAMARAN_LONG=1` has each byte tried, otherwise it is every seventh.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    env,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor, Batch, Bytes, Config, Error, ErrorKind, Result, TransactionOptions, prelude::*,
};
use catamaran_testkit::{Database, Proxy, shared};
use catamaran_tests::faces::{Face, LONG};
use tokio::time::timeout;

const INSERT: &str = "INSERT INTO t VALUES ($1)";

/// Where an operation failed.
#[derive(Debug)]
enum Failed {
    /// Before anything was to be kept.
    Before(Error),
    AtTheEnd(Error),
}

type Done<'a> = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send + 'a>>;

/// An operation, how many rows it leaves when it is done, and what it does.
struct Operation {
    name: &'static str,
    rows: usize,
    run: for<'a> fn(&'a dyn AsyncDatabaseService, &'a AtomicUsize) -> Done<'a>,
}

macro_rules! operations {
    ($($name:ident $rows:literal: |$db:ident, $runs:ident| $body:block)*) => {
        const OPERATIONS: &[Operation] = &[$(
            Operation { name: stringify!($name), rows: $rows, run: |$db, $runs| Box::pin(async move { $body }) },
        )*];
    };
}

operations! {
    execute 1: |db, _runs| { db.execute(INSERT, &[&1i64]).await.map(drop).map_err(Failed::AtTheEnd) }
    execute_many 3: |db, _runs| {
        db.execute_many(INSERT, &[&[&1i64], &[&2i64], &[&3i64]]).await.map(drop).map_err(Failed::AtTheEnd)
    }
    run_batch 2: |db, _runs| {
        let batch = Batch::new().execute(INSERT, &[&1i64]).fetch_all("SELECT 1", &[]).execute(INSERT, &[&2i64]);
        db.run_batch(&batch).await.map(drop).map_err(Failed::AtTheEnd)
    }
    copy_in 3: |db, _runs| {
        let mut chunks = futures_util::stream::iter([Ok(Bytes::from_static(b"1\n2\n")), Ok(Bytes::from_static(b"3\n"))]);
        db.copy_in("COPY t FROM STDIN", &mut chunks).await.map(drop).map_err(Failed::AtTheEnd)
    }
    copy_out 2: |db, _runs| {
        let copied = async {
            let mut data = db.copy_out("COPY (INSERT INTO t VALUES (1), (2) RETURNING id) TO STDOUT").await?;
            while let Some(data) = data.next().await {
                data?;
            }
            Ok(())
        };
        copied.await.map_err(Failed::AtTheEnd)
    }
    commit 2: |db, _runs| {
        let tx = db.begin(TransactionOptions::new()).await.map_err(Failed::Before)?;
        tx.execute(INSERT, &[&1i64]).await.map_err(Failed::Before)?;
        tx.execute(INSERT, &[&2i64]).await.map_err(Failed::Before)?;
        tx.commit().await.map_err(Failed::AtTheEnd)
    }
    commit_behind_a_text 2: |db, _runs| {
        let tx = db.begin(TransactionOptions::new()).await.map_err(Failed::Before)?;
        tx.batch_execute("INSERT INTO t VALUES (1), (2); SELECT 1 AS end").await.map_err(Failed::Before)?;
        tx.commit().await.map_err(Failed::AtTheEnd)
    }
    commit_behind_a_savepoint 2: |db, _runs| {
        let mut tx = db.begin(TransactionOptions::new()).await.map_err(Failed::Before)?;
        tx.execute(INSERT, &[&1i64]).await.map_err(Failed::Before)?;
        let savepoint = tx.savepoint().await.map_err(Failed::Before)?;
        savepoint.execute(INSERT, &[&2i64]).await.map_err(Failed::Before)?;
        savepoint.commit().await.map_err(Failed::Before)?;
        let savepoint = tx.savepoint().await.map_err(Failed::Before)?;
        savepoint.execute(INSERT, &[&3i64]).await.map_err(Failed::Before)?;
        savepoint.rollback().await.map_err(Failed::Before)?;
        tx.commit().await.map_err(Failed::AtTheEnd)
    }
    rollback 0: |db, _runs| {
        let tx = db.begin(TransactionOptions::new()).await.map_err(Failed::Before)?;
        tx.execute(INSERT, &[&1i64]).await.map_err(Failed::Before)?;
        tx.rollback().await.map_err(Failed::Before)
    }
    closure 1: |db, runs| {
        db.transaction(TransactionOptions::new().retries(3), async move |tx| {
            runs.fetch_add(1, SeqCst);
            tx.execute(INSERT, &[&1i64]).await.map(drop)
        })
        .await
        .map_err(Failed::AtTheEnd)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

struct Wire {
    database: Database,
    proxy: Proxy,
    db: Arc<dyn AsyncDatabaseService>,
    face: Face,
}

impl Wire {
    fn new(face: Face) -> Self {
        let database = shared().unwrap().database().unwrap();
        database.execute("CREATE TABLE t (id int8)").unwrap();
        let proxy = Proxy::start(database.server()).unwrap();
        let config = Config::from_url(&database.url_via(proxy.address())).unwrap().max_size(1).checkout_timeout(LONG);
        Self { db: face.open(&config).db, database, proxy, face }
    }

    /// What is there once nobody is at work any more. Empties the table.
    fn kept(&self) -> usize {
        self.database.texts("DELETE FROM t RETURNING id").unwrap().len()
    }

    /// Whether the wire was cut so many bytes behind the beginning, and what is wrong then.
    async fn cut(&self, operation: &Operation, way: Way, bytes: u64) -> Result<bool, String> {
        // Prepared on whichever connection there is now.
        let ready = timeout(LONG, (operation.run)(&*self.db, &AtomicUsize::new(0))).await;
        let ready = ready.map_err(|_| "the next call hangs".to_string())?;
        if !matches!(ready, Ok(())) || self.kept() != operation.rows {
            return Err(format!("the next call: {ready:?}"));
        }
        let before = self.proxy.live();
        match way {
            Way::ToServer => self.proxy.cut_after(Some(bytes), None),
            Way::ToClient => self.proxy.cut_after(None, Some(bytes)),
        }
        let runs = AtomicUsize::new(0);
        let outcome = timeout(LONG, (operation.run)(&*self.db, &runs)).await;
        self.proxy.cut_after(None, None);
        let outcome = outcome.map_err(|_| "it hangs".to_string())?;
        let was_cut = self.proxy.live() < before || outcome.is_err();
        // One that was cut off is over when the server has noticed.
        let others = "SELECT count(*)::text FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        for _ in 0..2_000 {
            if self.database.texts(others).unwrap() == [Some("0".into())] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (kept, all) = (self.kept(), operation.rows);
        let is_loss = |error: &Error| matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::CommitUnknown);
        let is_right = match &outcome {
            Ok(()) => kept == all,
            Err(Failed::Before(error)) => is_loss(error) && kept == 0,
            Err(Failed::AtTheEnd(error)) => is_loss(error) && (kept == 0 || kept == all),
        };
        match () {
            () if !is_right => Err(format!("{outcome:?}, and {kept} of {all} rows are there")),
            () if runs.load(SeqCst) > 1 => Err(format!("the closure ran {} times", runs.load(SeqCst))),
            () => Ok(was_cut),
        }
    }

    async fn cut_everywhere(&self) {
        let is_long = env::var_os("CATAMARAN_LONG").is_some_and(|value| value == "1");
        let (mut wrong, mut cuts) = (Vec::new(), 0);
        for operation in OPERATIONS {
            for way in [Way::ToServer, Way::ToClient] {
                let mut bytes = 0;
                loop {
                    assert!(bytes < 10_000, "{} is never left alone", operation.name);
                    match self.cut(operation, way, bytes).await {
                        Ok(true) => cuts += 1,
                        Ok(false) => break,
                        Err(error) => {
                            wrong.push(format!("{} cut {way:?} behind {bytes} bytes: {error}", operation.name))
                        }
                    }
                    bytes += if is_long { 1 } else { 7 };
                }
            }
        }
        println!("{:?}: cut {cuts} times", self.face);
        assert!(wrong.is_empty(), "{:?}: {} are wrong:\n{}", self.face, wrong.len(), wrong.join("\n"));
        assert!(cuts > if is_long { 2_000 } else { 300 }, "{cuts}");
    }
}

macro_rules! faces {
    ($($name:ident $face:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Face::$face.host(async { Wire::new(Face::$face).cut_everywhere().await }).await.unwrap();
        }
    )*};
}

// The blocking service is the one that is offloaded.
faces! {
    sharing Sharing
    apart Apart
    offloaded Offloaded
}

/// The control: what was cut off and is said to be done is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_rows_that_are_not_there_are_noticed() {
    let wire = Wire::new(Face::Apart);
    let lies = Operation {
        name: "lies",
        rows: 1,
        run: |db, runs| {
            Box::pin(async move {
                if runs.fetch_add(1, SeqCst) == 0 {
                    let _ = db.execute(INSERT, &[&1i64]).await;
                }
                Ok(())
            })
        },
    };
    assert!(wire.cut(&lies, Way::ToServer, 1).await.is_err());
    assert!(wire.cut(&lies, Way::ToServer, 1_000).await.is_ok());
}
