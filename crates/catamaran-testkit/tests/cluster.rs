//! A cluster starts, stops, dies and comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use catamaran_testkit::{Auth, Binaries, Cluster, Error, Server, eventually};
use common::{connect, runs};
use postgres::error::SqlState;

#[test]
fn a_cluster_starts_whoever_runs_the_test() {
    let cluster = Cluster::start().unwrap();
    let pid = cluster.pid().unwrap();
    let owner = fs::metadata(cluster.directory().join("data")).unwrap().uid();
    assert_ne!(owner, 0, "the server cannot run as root");
    assert!(runs(pid));
    assert_eq!(cluster.texts("postgres", "SHOW max_connections").unwrap(), [Some("200".to_owned())]);
    assert_eq!(cluster.texts("postgres", "SHOW fsync").unwrap(), [Some("off".to_owned())]);
    assert_eq!(cluster.texts("postgres", "SHOW server_encoding").unwrap(), [Some("UTF8".to_owned())]);
    let major = cluster.texts("postgres", "SELECT current_setting('server_version_num')::int / 10000").unwrap();
    assert_eq!(major, [Some(cluster.binaries().major().to_string())]);
    for url in [cluster.url("postgres"), cluster.url_socket("postgres").unwrap()] {
        let mut client = connect(&url).unwrap();
        let row = client.query_one("SELECT inet_server_port(), current_user::text", &[]).unwrap();
        let expected = (!url.contains("%2F")).then_some(i32::from(cluster.port()));
        assert_eq!(row.get::<_, Option<i32>>(0), expected, "{url}");
        assert_eq!(row.get::<_, &str>(1), cluster.superuser());
    }
    assert!(cluster.log().contains("ready to accept connections"));
}

#[test]
fn clusters_live_side_by_side() {
    let one = Cluster::start().unwrap();
    let two = Cluster::builder().max_connections(33).setting("application_name", r"it's a \ name").start().unwrap();
    assert_ne!(one.port(), two.port());
    assert_ne!(one.socket_dir(), two.socket_dir());
    one.execute("postgres", "CREATE TABLE only_in_one ()").unwrap();
    assert!(two.execute("postgres", "SELECT FROM only_in_one").is_err());
    assert_eq!(two.texts("postgres", "SHOW max_connections").unwrap(), [Some("33".to_owned())]);
    let set = "SELECT setting FROM pg_file_settings WHERE name = 'application_name'";
    assert_eq!(two.texts("postgres", set).unwrap(), [Some(r"it's a \ name".to_owned())]);
    drop(one);
    assert!(two.is_running());
    two.execute("postgres", "SELECT 1").unwrap();
}

#[test]
fn a_cluster_comes_back_after_every_kind_of_end() {
    let cluster = Cluster::start().unwrap();
    let port = cluster.port();
    cluster.execute("postgres", "CREATE TABLE kept (id int)").unwrap();
    for (count, end) in [Cluster::stop, Cluster::stop_immediate, Cluster::kill].into_iter().enumerate() {
        let mut client = connect(&cluster.url("postgres")).unwrap();
        client.execute("INSERT INTO kept VALUES (1)", &[]).unwrap();
        // The log is not synchronised for each commit, so a kill could lose it.
        client.batch_execute("CHECKPOINT").unwrap();
        let pid = cluster.pid().unwrap();
        let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        assert!(runs(pid) && runs(backend.unsigned_abs()));
        end(&cluster).unwrap();
        assert!(!cluster.is_running() && cluster.pid().is_none());
        assert!(!runs(pid) && !runs(backend.unsigned_abs()), "a process survived end {count}");
        assert!(client.simple_query("SELECT 1").is_err());
        assert!(connect(&cluster.url("postgres")).is_err());
        end(&cluster).unwrap();
        cluster.start_again().unwrap();
        cluster.start_again().unwrap();
        assert_eq!(cluster.port(), port);
        assert_ne!(cluster.pid(), Some(pid));
        let rows = cluster.texts("postgres", "SELECT count(*) FROM kept").unwrap();
        assert_eq!(rows, [Some((count + 1).to_string())]);
    }
    let pid = cluster.pid();
    cluster.restart().unwrap();
    assert_ne!(cluster.pid(), pid);
    cluster.execute("postgres", "SELECT 1").unwrap();
}

#[test]
fn a_kill_ends_backends_that_are_busy() {
    let cluster = Cluster::start().unwrap();
    let url = cluster.url("postgres");
    let busy = std::thread::spawn(move || {
        // Computation, which does not notice that the server is gone.
        connect(&url).unwrap().simple_query("SELECT sum(i) FROM generate_series(1, 1000000000000) i")
    });
    let found = eventually(Duration::from_secs(10), || {
        let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT sum%'";
        cluster.texts("postgres", active).unwrap() == [Some("1".to_owned())]
    });
    let pids = cluster.backend_pids("postgres").unwrap();
    assert!(found && !pids.is_empty());
    cluster.kill().unwrap();
    assert!(pids.iter().all(|pid| !runs(pid.unsigned_abs())));
    assert!(busy.join().unwrap().is_err());
    cluster.start_again().unwrap();
}

#[test]
fn a_taken_port_is_reported_and_waited_for() {
    let cluster = Cluster::start().unwrap();
    cluster.stop().unwrap();
    let squatter = TcpListener::bind(("127.0.0.1", cluster.port())).unwrap();
    let error = cluster.start_again().unwrap_err();
    assert!(matches!(error, Error::PortTaken(port) if port == cluster.port()), "{error}");
    let leaves = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(squatter);
    });
    cluster.start_again().unwrap();
    leaves.join().unwrap();
}

#[test]
#[ignore = "run by the_directory_of_clusters_can_be_chosen"]
fn child_that_starts_in_a_chosen_directory() {
    let parent = std::env::var("CATAMARAN_PG_DIR").unwrap();
    match Cluster::start() {
        Ok(cluster) => assert!(cluster.directory().starts_with(parent)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_directory_of_clusters_can_be_chosen() {
    for (parent, expected) in [("/tmp", None), ("/nonexistent", Some("CATAMARAN_PG_DIR must be"))] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_starts_in_a_chosen_directory", "--ignored", "--nocapture"])
            .env("CATAMARAN_PG_DIR", fs::canonicalize(parent).unwrap_or_else(|_| parent.into()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), expected.is_none(), "{text}");
        assert!(expected.is_none_or(|expected| text.contains(expected)), "{text}");
    }
}

#[test]
fn one_cluster_can_be_on_a_disk_and_wait_for_it() {
    let chosen = fs::canonicalize("/var/tmp").unwrap();
    let cluster = Cluster::builder().directory(&chosen).setting("fsync", "on").start().unwrap();
    assert!(cluster.directory().starts_with(&chosen), "{}", cluster.directory().display());
    assert_eq!(cluster.texts("postgres", "SHOW fsync").unwrap(), [Some("on".to_owned())]);
    let error = Cluster::builder().directory("relative").start().unwrap_err();
    assert!(error.to_string().contains("the directory of a cluster must be the absolute path"), "{error}");
}

#[test]
fn a_password_is_asked_for() {
    let password = "p@ss:w/rd %".to_owned();
    let cluster = Cluster::builder().auth(Auth::ScramSha256 { password: password.clone() }).start().unwrap();
    connect(&cluster.url("postgres")).unwrap();
    connect(&cluster.url_socket("postgres").unwrap()).unwrap();
    for host in ["127.0.0.1", cluster.socket_dir().unwrap().to_str().unwrap()] {
        let wrong = format!("host={host} port={} user=postgres password=wrong", cluster.port());
        let error = connect(&wrong).err().unwrap();
        assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD), "{host}");
    }
    let again = Server::from_url(&cluster.admin_url()).unwrap();
    assert_eq!(again.password(), Some(password.as_str()));
    assert_eq!((again.host(), again.socket_dir(), again.port()), {
        (cluster.host(), cluster.socket_dir(), cluster.port())
    });
    drop(again.database().unwrap());
}

#[test]
fn a_wrong_setting_is_reported_with_the_log() {
    let error = Cluster::builder().setting("shared_buffers", "plenty").start().unwrap_err();
    assert!(matches!(&error, Error::NotStarted { log, .. } if log.contains("shared_buffers")), "{error}");
    let error = Cluster::builder().setting("not a name", "1").start().unwrap_err();
    assert!(matches!(error, Error::Setting(_)), "{error}");
}

#[test]
fn a_missing_server_is_reported_with_the_places_and_the_remedy() {
    let error = Binaries::find_major(Some(3)).unwrap_err();
    let Error::BinariesMissing { major, searched, install } = &error else { panic!("{error}") };
    assert_eq!(*major, Some(3));
    let found = Binaries::find().unwrap();
    assert!(searched.iter().any(|place| place == found.directory()), "{searched:?}");
    assert!(!install.is_empty() && error.to_string().contains(install.as_str()));

    // The search reads the environment, which only a child can be given.
    for (name, value, expected) in [
        ("CATAMARAN_PG_BIN", "/nonexistent/bin", "looked in /nonexistent/bin;"),
        ("CATAMARAN_PG_MAJOR", "3", "no PostgreSQL server of version 3 found"),
        ("CATAMARAN_PG_MAJOR", "newest", "CATAMARAN_PG_MAJOR must be a major version"),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_looks_for_a_server", "--ignored", "--nocapture"])
            .env(name, value)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(expected), "{text}");
    }
}

#[test]
#[ignore = "run by a_missing_server_is_reported_with_the_places_and_the_remedy"]
fn child_that_looks_for_a_server() {
    if let Err(error) = Binaries::find() {
        panic!("{error}");
    }
}
