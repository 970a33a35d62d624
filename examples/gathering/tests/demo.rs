//! The programs, from the outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

#[path = "common/site.rs"]
mod site;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use catamaran_testkit::eventually;

/// In the environment of the program and of all that it starts.
const MARK: &str = "GATHERING_TEST_MARK";

struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts a program that serves on a free port, and waits until it does.
    fn start(program: &str, args: &[&str], database: Option<&str>, mark: &str) -> Self {
        let mut command = Command::new(program);
        command.args(args).args(["--addr", "127.0.0.1:0"]).stdin(Stdio::null());
        command.env_remove("DATABASE_URL").env(MARK, mark);
        command.envs(database.map(|url| ("DATABASE_URL", url)));
        // The one speaks on its standard output, the other on its log.
        let (reader, writer) = std::io::pipe().unwrap();
        let child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        let mut running = Self { child, address: String::new() };
        drop(command);
        let mut said = String::new();
        for line in BufReader::new(reader.try_clone().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once("listening on http://") {
                running.address = address.trim().to_owned();
                // What it says from now on must not fill the pipe.
                std::thread::spawn(move || std::io::copy(&mut { reader }, &mut std::io::sink()));
                return running;
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("the program ended: {said}");
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(mut self, name: &str) -> ExitStatus {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let mut status = None;
        assert!(eventually(Duration::from_secs(30), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        }));
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that a marked program left, itself included.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_marked = |path: &std::path::Path| {
        fs::read(path.join("environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
    };
    let of_others = processes.map(|entry| entry.path()).filter(|path| is_marked(path));
    of_others.filter_map(|path| fs::read_to_string(path.join("comm")).ok()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn the_demo_brings_its_database_and_takes_it_away() {
    for (signal, mark) in [("INT", "own-int"), ("TERM", "own-term")] {
        let mark = format!("{mark}-{}", std::process::id());
        let demo = Running::start(env!("CARGO_BIN_EXE_demo"), &[], None, &mark);
        assert!(demo.get("/config/providers").contains(r#""total":8"#));
        assert!(demo.get("/circles").contains(r#""total":3"#));
        let processes = marked(&mark);
        assert!(processes.iter().any(|name| name.starts_with("postgres")), "{processes:?}");
        assert!(demo.signal(signal).success());
        assert!(eventually(Duration::from_secs(10), || marked(&mark).is_empty()), "{signal} left {:?}", marked(&mark));
    }
}

#[test]
fn both_programs_serve_a_given_database_and_close_their_connections() {
    let database = catamaran_testkit::shared().unwrap().database().unwrap();
    let url = database.url();
    for (program, args) in [(env!("CARGO_BIN_EXE_demo"), &[][..]), (env!("CARGO_BIN_EXE_gathering"), &["serve"])] {
        let server = Running::start(program, args, Some(&url), "given");
        assert!(server.get("/health/checks").contains(r#""message":"5 of 5 active""#));
        assert!(server.get("/agents").contains(r#""total":5"#));
        assert!(!database.backend_pids().unwrap().is_empty());
        assert!(server.signal("TERM").success());
        assert!(database.backend_pids().unwrap().is_empty(), "{program} left connections");
    }
}

#[test]
fn what_is_typed_wrong_is_said() {
    let run = |program: &str, args: &[&str], url: &str| {
        let output = Command::new(program).args(args).env("DATABASE_URL", url).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let gathering = env!("CARGO_BIN_EXE_gathering");
    let (code, said) = run(gathering, &[], "");
    assert_eq!(code, Some(2));
    assert!(said.starts_with("usage: gathering migrate"), "{said}");
    let (code, said) = run(gathering, &["serve", "--addr", "here"], "");
    assert_eq!((code, said.contains("not an address and port: \"here\"")), (Some(1), true), "{said}");
    let (code, said) = run(gathering, &["migrate"], "postgres://me:hunter2@127.0.0.1:1/x");
    assert_eq!(code, Some(1));
    assert!(said.contains("can't be reached") && !said.contains("hunter2"), "{said}");
    let (code, said) = run(env!("CARGO_BIN_EXE_demo"), &["--port", "1"], "");
    assert_eq!((code, said.contains("unknown argument \"--port\"")), (Some(1), true), "{said}");
}

#[test]
fn seed_can_be_run_again() {
    let database = site::database();
    for _ in 0..2 {
        let status =
            Command::new(env!("CARGO_BIN_EXE_gathering")).arg("seed").env("DATABASE_URL", database.url()).status();
        assert!(status.unwrap().success());
    }
    assert_eq!(database.texts("SELECT count(*)::text FROM agent.agents").unwrap(), [Some("5".into())]);
}
