//! Databases are fresh, fast, separate and gone afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use catamaran_testkit::{Cluster, Database, Error, Server, shared};
use common::connect;

fn names(server: &Server) -> Vec<String> {
    let rows = server.texts("postgres", "SELECT datname FROM pg_database").unwrap();
    rows.into_iter().flatten().collect()
}

#[test]
fn a_database_is_empty_separate_and_dropped() {
    let server = shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    assert_ne!(one.name(), two.name());
    one.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (NULL)").unwrap();
    assert_eq!(one.texts("SELECT id FROM t ORDER BY id").unwrap(), [Some("1".to_owned()), None]);
    assert!(two.execute("SELECT FROM t").is_err());
    let mut client = connect(&one.url()).unwrap();
    connect(&one.url_socket().unwrap()).unwrap();
    let name = one.name().to_owned();
    assert!(names(server).contains(&name));
    drop(one);
    assert!(!names(server).contains(&name), "dropped in spite of a connection");
    assert!(client.simple_query("SELECT 1").is_err());
    assert!(names(server).contains(&two.name().to_owned()));
}

#[test]
fn backends_are_listed_and_terminated() {
    let server = shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    let (mut first, mut second) = (connect(&one.url()).unwrap(), connect(&one.url()).unwrap());
    let mut other = connect(&two.url()).unwrap();
    let mut pids: Vec<i32> = [&mut first, &mut second]
        .into_iter()
        .map(|client| client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0))
        .collect();
    pids.sort_unstable();
    assert_eq!(one.backend_pids().unwrap(), pids);
    assert_eq!(one.terminate_backends().unwrap(), 2);
    assert!(one.backend_pids().unwrap().is_empty());
    assert!(first.simple_query("SELECT 1").is_err() && second.simple_query("SELECT 1").is_err());
    other.simple_query("SELECT 1").unwrap();
    assert_eq!(one.terminate_backends().unwrap(), 0);
}

#[test]
fn a_second_database_takes_less_than_half_a_second() {
    let start = Instant::now();
    let cluster = Cluster::start().unwrap();
    let started = start.elapsed();
    let start = Instant::now();
    let first = cluster.database().unwrap();
    let first_took = start.elapsed();
    drop(first);
    let setup = |url: &str| connect(url)?.batch_execute("CREATE TABLE t AS SELECT generate_series(1, 10000) AS id");
    let template = cluster.template("timed", setup).unwrap();
    let mut took = Vec::new();
    let mut kept = Vec::new();
    for _ in 0..10 {
        for create in [&|| cluster.database(), &|| template.database()] as [&dyn Fn() -> Result<Database, Error>; 2] {
            let start = Instant::now();
            kept.push(create().unwrap());
            took.push(start.elapsed());
        }
    }
    let start = Instant::now();
    drop(kept.pop());
    let dropped = start.elapsed();
    took.sort_unstable();
    let times = format!("start {started:?}, first {first_took:?}, later {took:?}, drop {dropped:?}");
    assert!(took[took.len() / 2] < Duration::from_millis(500), "{times}");
    assert!(std::env::var_os("CATAMARAN_SHOW_TIMES").is_none(), "{times}");
}

#[test]
fn a_template_is_filled_once_and_copied() {
    let cluster = Cluster::start().unwrap();
    let filled = AtomicUsize::new(0);
    let setup = |url: &str| {
        filled.fetch_add(1, Ordering::SeqCst);
        let mut client = connect(url)?;
        client.batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (7)")?;
        // A pool that outlives the setup must not keep it from being copied.
        std::mem::forget(client);
        Ok::<(), postgres::Error>(())
    };
    let mut made = HashSet::new();
    std::thread::scope(|scope| {
        let work = || {
            let template = cluster.template("filled_once", setup).unwrap();
            let (copy, other) = (template.database().unwrap(), cluster.database_from(&template).unwrap());
            copy.execute("DELETE FROM t").unwrap();
            assert_eq!(other.texts("SELECT id FROM t").unwrap(), [Some("7".to_owned())]);
            assert!(connect(&cluster.url(template.name())).is_err(), "a template takes no connections");
            (copy, other)
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let (copy, other) = thread.join().unwrap();
            made.extend([copy.name().to_owned(), other.name().to_owned()]);
        }
    });
    assert_eq!(filled.load(Ordering::SeqCst), 1);
    assert_eq!(made.len(), 12);
    let left: Vec<String> = names(&cluster).into_iter().filter(|name| made.contains(name)).collect();
    assert!(left.is_empty(), "{left:?}");
    cluster.restart().unwrap();
    assert_eq!(cluster.template("filled_once", setup).unwrap().database().unwrap().texts("TABLE t").unwrap().len(), 1);
    assert_eq!(filled.load(Ordering::SeqCst), 1, "a template outlives a restart");
}

#[test]
fn a_template_whose_setup_fails_is_not_kept() {
    let server = shared().unwrap();
    let name = format!("failing_{}", std::process::id());
    let error = server.template(&name, |_| Err(io::Error::other("no seed"))).unwrap_err();
    assert!(matches!(&error, Error::Setup(source) if source.to_string() == "no seed"), "{error}");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        server.template(&name, |url| -> Result<(), io::Error> {
            connect(url).unwrap().batch_execute("CREATE TABLE half_done ()").unwrap();
            panic!("in the setup");
        })
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"in the setup"));
    assert!(!names(server).iter().any(|other| other.contains(&name)));
    let template = server.template(&name, |_| Ok::<(), io::Error>(())).unwrap();
    assert!(template.database().unwrap().execute("SELECT FROM half_done").is_err());
    for wrong in ["", "Upper", "with space", &"x".repeat(41)] {
        let error = server.template(wrong, |_| Ok::<(), io::Error>(())).unwrap_err();
        assert!(matches!(error, Error::Setting(_)), "{wrong:?}: {error}");
    }
}

#[test]
fn all_of_it_works_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = shared().unwrap();
        let name = format!("in_runtime_{}", std::process::id());
        let setup = |url: &str| connect(url)?.batch_execute("CREATE TABLE t ()");
        let database = server.template(&name, setup).unwrap().database().unwrap();
        let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.query("SELECT FROM t", &[]).await.unwrap();
        assert_eq!(database.terminate_backends().unwrap(), 1);
        drop(database);
        assert!(connection.await.unwrap().is_err());
    });
}

#[test]
fn other_processes_share_an_exported_cluster() {
    let cluster = Cluster::start().unwrap();
    let mut children: Vec<_> = (0..3)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "child_that_shares_a_cluster", "--ignored"]);
            cluster.export_to(&mut command).env("CATAMARAN_EXPECTED_PORT", cluster.port().to_string());
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert!(cluster.is_running(), "a cluster that is not its own is no child's to stop");
    let filled = cluster.texts("postgres", "SELECT count(*) FROM filled").unwrap();
    assert_eq!(filled, [Some("1".to_owned())], "one of them filled the template");
    assert!(!names(&cluster).iter().any(|name| name.starts_with("test_")));
}

#[test]
#[ignore = "run by other_processes_share_an_exported_cluster"]
fn child_that_shares_a_cluster() {
    let server = shared().unwrap();
    assert_eq!(server.port().to_string(), std::env::var("CATAMARAN_EXPECTED_PORT").unwrap());
    let setup = |url: &str| {
        connect(url)?.batch_execute("CREATE TABLE t ()")?;
        let note = "CREATE TABLE IF NOT EXISTS filled (id int); INSERT INTO filled VALUES (1)";
        connect(&server.url("postgres"))?.batch_execute(note)
    };
    server.template("between_processes", setup).unwrap().database().unwrap().execute("SELECT FROM t").unwrap();
}
