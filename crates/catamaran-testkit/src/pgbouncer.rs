//! A real connection pooler in front of a server.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::janitor::Janitor;
use crate::postmaster::{free_port, tail};
use crate::{Error, Server, eventually};

/// How long a pooler may take to get ready.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How many ports are tried before a start is given up.
const PORT_ATTEMPTS: usize = 20;

/// Where packages put the program if that is not in `PATH`.
const PLACES: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];

/// A PgBouncer in front of a server, on a port of `127.0.0.1`, gone with its owner as a
/// [`Cluster`](crate::Cluster) is.
///
/// It accepts everyone, and logs in to the server as its superuser.
#[derive(Debug)]
pub struct PgBouncer {
    server: Server,
    address: SocketAddr,
    process: Child,
    janitor: Janitor,
}

impl PgBouncer {
    /// Starts one with lines of the section `[pgbouncer]` of its configuration,
    /// such as `("pool_mode", "transaction")`.
    ///
    /// # Errors
    ///
    /// [`Error::PgBouncerMissing`] if it is not installed, [`Error::Setting`]
    /// if the server has no TCP, [`Error::NoAccount`] if root finds no account
    /// to run it as, [`Error::NotStarted`] if it ends at once, for example
    /// because of a wrong setting, and [`Error::TimedOut`] if it does not get
    /// ready.
    pub fn start(server: &Server, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let program = Self::find()?;
        let account = Account::choose()?;
        let mut attempts = 1;
        loop {
            let janitor = Janitor::start(&account.parent(None)?, account)?;
            match Self::start_on(free_port()?, &program, server, settings, account, janitor) {
                // Somebody was faster between the choice and the start.
                Err(Error::PortTaken(_)) if attempts < PORT_ATTEMPTS => attempts += 1,
                result => return result,
            }
        }
    }

    /// Finds the program in `PATH` or where packages put it.
    ///
    /// # Errors
    ///
    /// [`Error::PgBouncerMissing`] if there is none.
    pub fn find() -> Result<PathBuf, Error> {
        let path = env::var_os("PATH").unwrap_or_default();
        let directories = env::split_paths(&path).chain(PLACES.iter().map(PathBuf::from));
        let mut programs = directories.map(|directory| directory.join("pgbouncer"));
        programs.find(|program| program.is_file()).ok_or(Error::PgBouncerMissing)
    }

    fn start_on(
        port: u16,
        program: &Path,
        server: &Server,
        settings: &[(&str, &str)],
        account: Account,
        janitor: Janitor,
    ) -> Result<Self, Error> {
        let root = janitor.root().to_owned();
        let (configuration, log) = (root.join("pgbouncer.ini"), root.join("log"));
        account.write(&configuration, &text(server, port, settings)?)?;
        let output = File::create(&log).map_err(Error::io(format!("creating {}", log.display())))?;
        let mut command = Command::new(program);
        command.arg(&configuration).current_dir(&root).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        account.apply(&mut command);
        let process = command.spawn().map_err(Error::io("starting pgbouncer"))?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let mut pooler = Self { server: server.clone(), address, process, janitor };
        pooler.wait_until_ready(&log)?;
        Ok(pooler)
    }

    fn wait_until_ready(&mut self, log: &Path) -> Result<(), Error> {
        let (start, port) = (Instant::now(), self.address.port());
        let mut ended = None;
        let says = |what: &str| fs::read_to_string(log).is_ok_and(|log| log.contains(what));
        let ready = eventually(START_TIMEOUT, || {
            ended = self.process.try_wait().ok().flatten();
            ended.is_some() || says("process up")
        });
        let log = || tail(log, 0);
        match ended {
            _ if says("Address already in use") => Err(Error::PortTaken(port)),
            Some(status) => Err(Error::NotStarted { status, log: log() }),
            None if ready => Ok(()),
            None => Err(Error::TimedOut { waiting_for: "pgbouncer to get ready", waited: start.elapsed(), log: log() }),
        }
    }

    /// The URL of one of the server's databases through the pooler.
    pub fn url(&self, database: &str) -> String {
        self.server.url_via(self.address, database)
    }

    /// The directory of everything that belongs to it.
    pub fn directory(&self) -> &Path {
        self.janitor.root()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // It fails only for a process that has ended.
        let _ = self.process.kill().and_then(|()| self.process.wait());
        self.janitor.finish();
    }
}

/// The configuration.
fn text(server: &Server, port: u16, settings: &[(&str, &str)]) -> Result<String, Error> {
    let host = server.host().ok_or_else(|| Error::Setting("a pooler needs a server with TCP".to_owned()))?;
    let quoted = |value: &str| format!("'{}'", value.replace('\'', "''"));
    let mut login = format!("host={} port={} user={}", quoted(host), server.port(), quoted(server.superuser()));
    if let Some(password) = server.password() {
        login.push_str(&format!(" password={}", quoted(password)));
    }
    let mut text = format!(
        "[databases]\n* = {login}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\nlogfile =\npidfile =\n"
    );
    for (name, value) in settings {
        if [name, value].iter().any(|part| part.contains(['\n', '\r'])) {
            return Err(Error::Setting(format!("{name:?} cannot be set to {value:?} in pgbouncer.ini")));
        }
        text.push_str(&format!("{name} = {value}\n"));
    }
    Ok(text)
}
