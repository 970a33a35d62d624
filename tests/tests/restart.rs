//! The server goes away under both pools, and comes back: they work again without a restart of the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    thread,
    time::{Duration, Instant},
};

use catamaran::{Config, ErrorKind, TransactionOptions};
use catamaran_testkit::{Cluster, Proxy, eventually, shared};
use catamaran_tests::hull::{Hull, both};

const LONG: Duration = Duration::from_secs(20);
const SIZE: u32 = 4;

/// Fills a pool with idle connections that have just been used.
fn warm(db: &Hull) {
    let held: Vec<_> = (0..SIZE).map(|_| db.session().unwrap()).collect();
    held.iter().for_each(|session| drop(session.fetch_all("SELECT 1", &[]).unwrap()));
    drop(held);
    assert!(eventually(LONG, || db.status().idle == SIZE as usize), "{db}: {:?}", db.status());
}

/// How many of the calls after a fault fail. Calls until `SIZE` in a row have succeeded.
fn failures(db: &Hull) -> usize {
    let (mut failed, mut in_a_row, began) = (0, 0, Instant::now());
    while in_a_row < SIZE {
        match db.fetch_one("SELECT 42", &[]) {
            Ok(row) => {
                assert_eq!(row.get::<i32>(0).unwrap(), 42);
                in_a_row += 1;
            }
            Err(error) => {
                assert!(error.is_connection_error(), "{db}: {error:?}");
                (failed, in_a_row) = (failed + 1, 0);
            }
        }
        assert!(began.elapsed() < LONG, "{db}: {failed} failures");
    }
    failed
}

#[test]
fn a_restart_and_a_crash() {
    let cluster = Cluster::start().unwrap();
    let database = cluster.server().database().unwrap();
    let services = both(&Config::from_url(&database.url()).unwrap().max_size(SIZE)).unwrap();
    for crash in [false, true] {
        services.iter().for_each(warm);
        if crash {
            cluster.kill().unwrap();
        } else {
            cluster.stop().unwrap();
        }
        for db in &services {
            let began = Instant::now();
            let mut error = db.ping().unwrap_err();
            while error.kind() == ErrorKind::ConnectionLost && began.elapsed() < LONG {
                error = db.ping().unwrap_err();
            }
            assert_eq!(error.kind(), ErrorKind::Connect, "{db}: {error:?}");
            assert!(began.elapsed() < Duration::from_secs(4), "{db} took its time to say so: {:?}", began.elapsed());
        }
        cluster.start_again().unwrap();
        for db in &services {
            let failed = failures(db);
            assert_eq!(failed, 0, "{db}: the dead connections were noticed while the server was away");
        }
    }
}

#[test]
fn a_restart_nobody_noticed() {
    let cluster = Cluster::start().unwrap();
    let database = cluster.server().database().unwrap();
    for db in both(&Config::from_url(&database.url()).unwrap().max_size(SIZE)).unwrap() {
        warm(&db);
        cluster.restart().unwrap();
        let failed = failures(&db);
        assert!(failed <= 1, "{db}: after one dead connection the others are tested, but {failed} calls failed");
    }
}

#[test]
fn backends_killed_at_work() {
    let database = shared().unwrap().database().unwrap();
    for db in both(&Config::from_url(&database.url()).unwrap().max_size(SIZE)).unwrap() {
        warm(&db);
        thread::scope(|scope| {
            let sleepers: Vec<_> =
                (0..SIZE).map(|_| scope.spawn(|| db.fetch_all("SELECT pg_sleep(30)", &[]))).collect();
            assert!(eventually(LONG, || db.status().in_use == SIZE as usize));
            // Killed once the server has their statements.
            let asleep = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
            assert!(eventually(LONG, || database.texts(asleep).unwrap()[0].as_deref() == Some("4")));
            database.terminate_backends().unwrap();
            for sleeper in sleepers {
                assert_eq!(sleeper.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionLost, "{db}");
            }
        });
        assert_eq!(failures(&db), 0, "{db}");
    }
}

#[test]
fn a_connection_cut_in_a_transaction_and_in_its_commit() {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (x int)").unwrap();
    for hull in 0..2 {
        let proxy = Proxy::start(database.server()).unwrap();
        let db =
            both(&Config::from_url(&database.url_via(proxy.address())).unwrap().max_size(1)).unwrap()[hull].clone();
        let tx = db.begin(TransactionOptions::new()).unwrap();
        tx.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
        proxy.cut();
        assert_eq!(tx.execute("INSERT INTO t VALUES (2)", &[]).unwrap_err().kind(), ErrorKind::ConnectionLost, "{db}");
        tx.abandon();
        db.ping().unwrap();
        let tx = db.begin(TransactionOptions::new()).unwrap();
        tx.execute("INSERT INTO t VALUES (3)", &[]).unwrap();
        proxy.cut();
        assert_eq!(tx.commit().unwrap_err().kind(), ErrorKind::CommitUnknown, "{db}");
        assert_eq!(db.fetch_one("SELECT count(*) FROM t", &[]).unwrap().get::<i64>(0).unwrap(), 0, "{db}");
    }
}
