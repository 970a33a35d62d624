//! A throwaway server with its own data directory.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::data_directory::{Layout, SUPERUSER};
use crate::janitor::{self, Janitor};
use crate::postmaster::{Postmaster, free_port};
use crate::{Auth, Binaries, CLUSTER_VARIABLE, Certificates, ClusterBuilder, Error, Server};

/// How many ports are tried before a start is given up.
const PORT_ATTEMPTS: usize = 20;

/// How long a server may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a start waits for what the server's predecessor held to be free.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// A PostgreSQL server of its own, gone with its owner.
///
/// Processes, directory, socket and shared memory are removed when the value
/// is dropped, at which [`Drop`] waits, and by a separate process when this
/// process ends without dropping it, be it by `exit`, abort or `SIGKILL`.
///
/// It listens on `127.0.0.1` and on a Unix socket. Methods of [`Server`], to
/// which a cluster dereferences, create databases and return URLs. The same
/// value may be used from several threads.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    certificates: Option<Certificates>,
    binaries: Binaries,
    account: Account,
    layout: Layout,
    start_timeout: Duration,
    postmaster: Mutex<Option<Postmaster>>,
    janitor: Janitor,
}

impl Cluster {
    /// Creates and starts a cluster with default settings.
    ///
    /// # Errors
    ///
    /// Those of [`ClusterBuilder::start`].
    pub fn start() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// Returns the default settings, to be changed before the start.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::new()
    }

    pub(crate) fn create(builder: ClusterBuilder) -> Result<Self, Error> {
        let binaries = match builder.major {
            Some(major) => Binaries::find_major(Some(major))?,
            None => Binaries::find()?,
        };
        let account = Account::choose()?;
        let janitor = Janitor::start(&account.parent(builder.directory.as_deref())?, account)?;
        let layout = Layout { root: janitor.root().to_owned() };
        let mut cluster = Self {
            server: Server {
                host: Some("127.0.0.1".to_owned()),
                socket_dir: Some(layout.socket()),
                port: 0,
                user: SUPERUSER.to_owned(),
                password: match &builder.auth {
                    Auth::Trust => None,
                    Auth::ScramSha256 { password } => Some(password.clone()),
                },
                maintenance: "postgres".to_owned(),
            },
            certificates: None,
            binaries,
            account,
            layout,
            start_timeout: builder.start_timeout,
            postmaster: Mutex::new(None),
            janitor,
        };
        cluster.certificates = cluster.layout.fill(&builder, &cluster.binaries, account)?;
        cluster.start_on_some_port()?;
        Ok(cluster)
    }

    fn start_on_some_port(&mut self) -> Result<(), Error> {
        let mut attempts = 1;
        loop {
            self.server.port = free_port()?;
            match self.spawn() {
                Ok(postmaster) => {
                    *self.lock() = Some(postmaster);
                    return Ok(());
                }
                // Somebody was faster between the choice and the start.
                Err(Error::PortTaken(_)) if attempts < PORT_ATTEMPTS => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The server this cluster runs.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The files for TLS, `None` if TLS is off.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// The programs this cluster runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The directory of everything that belongs to the cluster.
    pub fn directory(&self) -> &Path {
        &self.layout.root
    }

    /// Everything the server has logged since the cluster was created; empty
    /// if the log cannot be read.
    pub fn log(&self) -> String {
        fs::read(self.layout.log()).map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// The process id of the server, `None` while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_mut().and_then(|postmaster| postmaster.is_running().then(|| postmaster.id()))
    }

    /// Whether the server process runs.
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Stops the server, rolling back what its clients are doing.
    ///
    /// Clients see error `57P01`. Does nothing if the server does not run.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it still runs after 30 s.
    pub fn stop(&self) -> Result<(), Error> {
        self.end("INT")
    }

    /// Stops the server without a checkpoint: it recovers at its next start.
    ///
    /// Clients see error `57P02`, or an end of the connection. Does nothing if
    /// the server does not run.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it still runs after 30 s.
    pub fn stop_immediate(&self) -> Result<(), Error> {
        self.end("QUIT")
    }

    fn end(&self, signal: &str) -> Result<(), Error> {
        let mut postmaster = self.lock();
        if let Some(running) = postmaster.as_mut() {
            running.end(signal, STOP_TIMEOUT, &self.layout)?;
        }
        *postmaster = None;
        Ok(())
    }

    /// Kills the server and all its processes with `SIGKILL`.
    ///
    /// Clients see an end of the connection without any message. Does nothing
    /// if the server does not run.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the processes cannot be signalled.
    pub fn kill(&self) -> Result<(), Error> {
        let mut postmaster = self.lock();
        if let Some(mut running) = postmaster.take() {
            // The first blow must not leave it the time to tell its clients.
            running.kill();
        }
        janitor::kill_all(&self.layout.root, self.account)
    }

    /// Starts the server after a stop or a kill, on the same port.
    ///
    /// Does nothing if the server runs.
    ///
    /// # Errors
    ///
    /// [`Error::PortTaken`] if another process holds the port for 5 s, else
    /// those of [`ClusterBuilder::start`].
    pub fn start_again(&self) -> Result<(), Error> {
        let mut postmaster = self.lock();
        if postmaster.as_mut().is_some_and(Postmaster::is_running) {
            return Ok(());
        }
        let deadline = Instant::now() + HANDOVER_TIMEOUT;
        loop {
            match self.spawn() {
                Ok(started) => {
                    *postmaster = Some(started);
                    return Ok(());
                }
                Err(error) if is_passing(&error) && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops the server and starts it again on the same port.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::stop`] and [`Cluster::start_again`].
    pub fn restart(&self) -> Result<(), Error> {
        self.stop()?;
        self.start_again()
    }

    /// Returns the name and value of the environment variable that makes
    /// [`shared`](crate::shared) of another process use this cluster.
    pub fn export(&self) -> (&'static str, String) {
        (CLUSTER_VARIABLE, self.admin_url())
    }

    /// Sets that variable for a command to be run.
    pub fn export_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(CLUSTER_VARIABLE, self.admin_url())
    }

    fn spawn(&self) -> Result<Postmaster, Error> {
        Postmaster::start(&self.layout, &self.binaries, self.account, self.server.port, self.start_timeout)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Postmaster>> {
        // The state is whole at every point where a panic could occur.
        self.postmaster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Cluster {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.janitor.finish();
        if let Some(mut postmaster) = self.lock().take() {
            postmaster.kill();
        }
        // Whatever the janitor could not remove; usually there is nothing.
        let _ = fs::remove_dir_all(&self.layout.root);
    }
}

/// Whether a start may succeed a little later, because the killed predecessor's
/// last processes still hold the port or the shared memory.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::PortTaken(_) => true,
        Error::NotStarted { log, .. } => log.contains("pre-existing shared memory block"),
        _ => false,
    }
}
