//! The server process of a cluster.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::data_directory::Layout;
use crate::{Binaries, Error, eventually};

/// How much of the log an error shows, in bytes.
const LOG_TAIL: u64 = 4000;

/// A running server process.
#[derive(Debug)]
pub(crate) struct Postmaster {
    process: Child,
}

impl Postmaster {
    /// Starts the server and waits until it accepts connections.
    pub(crate) fn start(
        layout: &Layout,
        binaries: &Binaries,
        account: Account,
        port: u16,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let doing = || Error::io(format!("opening {}", layout.log().display()));
        let log = OpenOptions::new().create(true).append(true).open(layout.log()).map_err(doing())?;
        account.own(&layout.log())?;
        let log_start = log.metadata().map_err(doing())?.len();
        let mut command = binaries.command("postgres");
        command
            .arg("-D")
            .arg(layout.data())
            .args(["-p", &port.to_string()])
            .current_dir(&layout.root)
            .stdout(log.try_clone().map_err(doing())?)
            .stderr(log);
        account.apply(&mut command);
        let process = command.spawn().map_err(Error::io("starting postgres"))?;
        let mut postmaster = Self { process };
        match postmaster.wait_until_ready(layout, port, log_start, timeout) {
            Ok(()) => Ok(postmaster),
            Err(error) => {
                postmaster.kill();
                Err(error)
            }
        }
    }

    fn wait_until_ready(&mut self, layout: &Layout, port: u16, log_start: u64, timeout: Duration) -> Result<(), Error> {
        let start = Instant::now();
        let mut ended = None;
        let ready = eventually(timeout, || {
            ended = self.process.try_wait().transpose();
            ended.is_some() || is_ready(&layout.data(), self.process.id())
        });
        match ended {
            Some(Err(source)) => Err(Error::Io { doing: "watching postgres".to_owned(), source }),
            Some(Ok(status)) => {
                let log = tail(&layout.log(), log_start);
                // It says so in English, because lc_messages is C.
                let taken = log.contains("Address already in use") || log.contains("could not create any TCP/IP");
                Err(if taken { Error::PortTaken(port) } else { Error::NotStarted { status, log } })
            }
            None if ready => Ok(()),
            None => Err(Error::TimedOut {
                waiting_for: "the server to get ready",
                waited: start.elapsed(),
                log: tail(&layout.log(), log_start),
            }),
        }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a signal such as `INT` and waits for the process to end.
    pub(crate) fn end(&mut self, signal: &str, timeout: Duration, layout: &Layout) -> Result<(), Error> {
        let start = Instant::now();
        if self.is_running() {
            // The process was not waited for, so its id is still its own.
            Command::new("sh")
                .args(["-c", "kill -\"$1\" \"$2\"", "kill", signal, &self.id().to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(Error::io("signalling postgres"))?;
        }
        if eventually(timeout, || !self.is_running()) {
            return Ok(());
        }
        Err(Error::TimedOut { waiting_for: "the server to stop", waited: start.elapsed(), log: tail(&layout.log(), 0) })
    }

    /// Kills the process, not its children, and returns how it ended.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        // It fails only for a process that has ended.
        let _ = self.process.kill();
        self.process.wait().unwrap_or_else(|_| ExitStatus::from_raw(0))
    }
}

/// Whether the server with this process id says it accepts connections.
fn is_ready(data: &Path, id: u32) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    // The file of a server that was killed stays behind, with another id.
    lines.next() == Some(id.to_string().as_str()) && lines.nth(6) == Some("ready")
}

/// The end of the log, from `start` bytes on.
pub(crate) fn tail(log: &Path, start: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = fs::File::open(log) {
        let end = file.metadata().map_or(0, |data| data.len());
        let from = start.max(end.saturating_sub(LOG_TAIL));
        // What cannot be read is missing from a message that is only a help.
        let _ = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut text));
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns a port nobody listens on at the moment.
pub(crate) fn free_port() -> Result<u16, Error> {
    use std::hash::{BuildHasher, RandomState};

    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Ports the system hands out to outgoing connections could be taken while
    // the server is stopped, so those below are better.
    for attempt in 0..50_u8 {
        let random = RandomState::new().hash_one(attempt) % 17_000;
        let port = u16::try_from(15_000 + random).unwrap_or(15_000);
        if is_free(port) {
            return Ok(port);
        }
    }
    let doing = || Error::io("looking for a free port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(doing())?;
    Ok(listener.local_addr().map_err(doing())?.port())
}
