//! Nothing of a cluster is left, however its owner ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use catamaran_testkit::{Cluster, PgBouncer, eventually};
use common::{connect, kill, runs, users_of};

const LONG: Duration = Duration::from_secs(20);

/// Whether a cluster's directory and all of its processes are gone.
fn is_gone(directory: &str) -> bool {
    !Path::new(directory).exists() && users_of(directory).is_empty()
}

/// The SysV shared memory segments of the system, where it lists them.
fn segments() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect()
}

/// The segment a running cluster uses.
fn segment_of(cluster: &Cluster) -> String {
    let file = std::fs::read_to_string(cluster.directory().join("data/postmaster.pid")).unwrap();
    file.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn nothing_is_left_after_drop() {
    let cluster = Cluster::start().unwrap();
    let directory = cluster.directory().to_str().unwrap().to_owned();
    let (pid, segment) = (cluster.pid().unwrap(), segment_of(&cluster));
    let client = connect(&cluster.url("postgres")).unwrap();
    assert!(!is_gone(&directory));
    assert!(users_of(&directory).len() >= 2, "the janitor and the server");
    drop(cluster);
    assert!(is_gone(&directory));
    assert!(!runs(pid) && !segments().contains(&segment));
    drop(client);
}

#[test]
fn nothing_is_left_of_a_cluster_that_was_killed_or_stopped() {
    let cluster = Cluster::start().unwrap();
    let (directory, segment) = (cluster.directory().to_str().unwrap().to_owned(), segment_of(&cluster));
    cluster.kill().unwrap();
    drop(cluster);
    assert!(is_gone(&directory));
    assert!(!segments().contains(&segment), "a killed server cannot remove it");

    let cluster = Cluster::start().unwrap();
    let directory = cluster.directory().to_str().unwrap().to_owned();
    cluster.stop().unwrap();
    drop(cluster);
    assert!(is_gone(&directory));
}

#[test]
fn nothing_is_left_when_the_server_is_suspended() {
    let cluster = Cluster::start().unwrap();
    let directory = cluster.directory().to_str().unwrap().to_owned();
    let pid = cluster.pid().unwrap().to_string();
    Command::new("sh").args(["-c", "kill -STOP \"$1\"", "stop", &pid]).status().unwrap();
    drop(cluster);
    assert!(is_gone(&directory));
}

#[test]
fn nothing_is_left_after_a_panic() {
    let mut directory = String::new();
    let panicked = catch_unwind(std::panic::AssertUnwindSafe(|| {
        let cluster = Cluster::start().unwrap();
        directory = cluster.directory().to_str().unwrap().to_owned();
        assert!(!is_gone(&directory));
        panic!("a failed test");
    }));
    assert!(panicked.is_err() && !directory.is_empty());
    assert!(is_gone(&directory));
}

#[test]
fn nothing_is_left_of_a_pooler_after_drop_and_after_a_panic() {
    let cluster = Cluster::start().unwrap();
    for panics in [false, true] {
        let mut directory = String::new();
        let ended = catch_unwind(std::panic::AssertUnwindSafe(|| {
            let pooler = PgBouncer::start(&cluster, &[("pool_mode", "transaction")]).unwrap();
            directory = pooler.directory().to_str().unwrap().to_owned();
            let mut client = connect(&pooler.url("postgres")).unwrap();
            client.batch_execute("SELECT 1").unwrap();
            assert!(users_of(&directory).len() >= 2, "the janitor and the pooler");
            assert!(!panics, "a failed test");
        }));
        assert_eq!(ended.is_err(), panics);
        assert!(!directory.is_empty() && is_gone(&directory));
    }
    let wrong = PgBouncer::start(&cluster, &[("pool_mode", "none")]).unwrap_err();
    assert!(matches!(&wrong, catamaran_testkit::Error::NotStarted { log, .. } if log.contains("pool_mode")), "{wrong}");
}

#[test]
fn nothing_is_left_when_the_janitor_was_killed() {
    let cluster = Cluster::start().unwrap();
    let directory = cluster.directory().to_str().unwrap().to_owned();
    let janitor = users_of(&directory)
        .into_iter()
        .find(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sh"));
    // Only Linux tells the name; elsewhere this is one more plain drop.
    if let Some(pid) = janitor {
        kill(pid);
    } else {
        assert_ne!(std::env::consts::OS, "linux", "no janitor");
    }
    let segment = segment_of(&cluster);
    drop(cluster);
    assert!(is_gone(&directory));
    assert!(!segments().contains(&segment));
}

/// Starts `child_that_owns_a_cluster` and waits for its directory.
fn child(how: &str) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_owns_a_cluster", "--ignored", "--nocapture"])
        .env("CATAMARAN_CHILD", how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let directory = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("directory=")?.1.to_owned()));
    (child, directory.expect("the child starts a cluster"))
}

#[test]
#[ignore = "run by nothing_is_left_after_sigkill"]
fn child_that_owns_a_cluster() {
    let how = std::env::var("CATAMARAN_CHILD").unwrap();
    let cluster = Cluster::start().unwrap();
    if how == "after a restart" {
        cluster.kill().unwrap();
        cluster.start_again().unwrap();
    }
    let pooler = (how == "behind a pooler").then(|| PgBouncer::start(&cluster, &[]).unwrap());
    println!("directory={}", pooler.as_ref().map_or(cluster.directory(), PgBouncer::directory).display());
    std::io::stdout().flush().unwrap();
    // The parent closes the pipe or kills this process.
    let _ = std::io::stdin().lines().next();
    match how.as_str() {
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        _ => {}
    }
}

#[test]
fn nothing_is_left_after_sigkill() {
    for how in ["killed", "after a restart", "behind a pooler"] {
        let (mut child, directory) = child(how);
        assert!(!is_gone(&directory));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(eventually(LONG, || is_gone(&directory)), "{how}: {:?}", users_of(&directory));
    }
}

#[test]
fn nothing_is_left_after_exit_and_abort() {
    for how in ["exit", "abort"] {
        let (mut child, directory) = child(how);
        assert!(!is_gone(&directory));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(eventually(LONG, || is_gone(&directory)), "{how}: {:?}", users_of(&directory));
    }
}

#[test]
fn nothing_is_left_after_sigkill_at_any_time_of_the_start() {
    let base = tempfile::Builder::new().prefix("ctk").tempdir().unwrap();
    // The server's account must be able to use the directory.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(base.path(), open).unwrap();
    for delay in [5, 10, 15, 20, 25, 30, 40, 60, 90, 120, 200, 300, 400, 500, 700, 900] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_owns_a_cluster", "--ignored"])
            .env("CATAMARAN_CHILD", "early")
            .env("CATAMARAN_PG_DIR", base.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let path = base.path().to_str().unwrap();
        let empty = || std::fs::read_dir(base.path()).unwrap().next().is_none();
        assert!(eventually(LONG, || empty() && users_of(path).is_empty()), "after {delay} ms: {:?}", users_of(path));
    }
}
