//! A task that holds a transaction does not come to stand behind statements that wait for its locks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{sync::Arc, time::Duration};

use catamaran::{ErrorKind, Result, TransactionOptions};
use catamaran_testkit::Database;
use catamaran_tests::sharing::{LONG, SELECT, Service, ask, asleep, config, database, learn, service};
use tokio::{task::JoinSet, time::timeout};

/// Writes that wait for the lock of a transaction, on connections that are shared.
struct Locked {
    database: Arc<Database>,
    db: Service,
    writes: JoinSet<Result<u64>>,
}

const WRITE: &str = "UPDATE t SET n = n + 1 WHERE id = $1";

impl Locked {
    fn new(size: u32, checkout_timeout: Duration) -> Self {
        let database = Arc::new(database());
        database.execute("CREATE TABLE t (id int8 PRIMARY KEY, n int8); INSERT INTO t VALUES (1, 0), (2, 0)").unwrap();
        let config = config(&database).max_size(size).checkout_timeout(checkout_timeout);
        let db = service(config.test_timeout(checkout_timeout));
        Self { database, db, writes: JoinSet::new() }
    }

    /// Learns both statements, and has so many shared connections.
    async fn learn(&self) {
        learn(&self.db, WRITE, &[&2i64]).await;
        learn(&self.db, SELECT, &[&1i64]).await;
    }

    fn write(&mut self) {
        let db = self.db.clone();
        self.writes.spawn(async move { db.execute(WRITE, &[&1i64]).await });
    }

    async fn end(self, expected: i64) {
        for result in self.writes.join_all().await {
            assert_eq!(result.unwrap(), 1);
        }
        let n = self.database.texts("SELECT n::text FROM t WHERE id = 1").unwrap();
        assert_eq!(n, [Some(expected.to_string())]);
    }
}

/// Whoever holds a transaction may ask for something else meanwhile, and does not stand behind who waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_holder_of_a_transaction_does_not_stand_behind_those_that_wait_for_it() {
    tokio::spawn(async {
        let mut locked = Locked::new(3, LONG);
        locked.learn().await;
        let tx = locked.db.begin(TransactionOptions::new()).await.unwrap();
        tx.execute(WRITE, &[&1i64]).await.unwrap();
        // Together, so that they share one connection.
        for _ in 0..6 {
            locked.write();
        }
        asleep(&locked.database, "transactionid", 1).await;
        let own = timeout(LONG / 2, locked.db.execute(WRITE, &[&2i64])).await;
        assert_eq!(own.expect("it stands behind those that wait for its own task").unwrap(), 1);
        let own = timeout(LONG / 2, ask(&locked.db, 42)).await;
        assert_eq!(own.expect("it stands behind those that wait for its own task").unwrap(), 42);
        tx.commit().await.unwrap();
        locked.end(7).await;
    })
    .await
    .unwrap();
}

/// Where all connections are taken, it is told so in time, as without sharing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_holder_of_a_transaction_is_told_when_all_connections_wait_for_it() {
    tokio::spawn(async {
        let mut locked = Locked::new(2, Duration::from_secs(1));
        locked.learn().await;
        let tx = locked.db.begin(TransactionOptions::new()).await.unwrap();
        tx.execute(WRITE, &[&1i64]).await.unwrap();
        locked.write();
        asleep(&locked.database, "transactionid", 1).await;
        let own = timeout(LONG / 2, ask(&locked.db, 42)).await;
        let error = own.expect("it stands behind what waits for its own task").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PoolTimeout, "{error:?}");
        tx.commit().await.unwrap();
        locked.end(2).await;
    })
    .await
    .unwrap();
}
