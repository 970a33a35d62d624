//! A troublesome network between a client and a server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::relay::Relay;
use crate::{Error, Server, Traffic, pump};

/// A TCP proxy on `127.0.0.1` that delays, stalls, refuses and cuts.
///
/// It starts out passing everything on. Its connections are closed and its
/// threads ended when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
    pump: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Inner {
    upstream: SocketAddr,
    relay: Arc<Relay>,
    hanging: AtomicBool,
    stopping: AtomicBool,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Proxy {
    /// Starts a proxy in front of a server, on a free port.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the server cannot be reached over TCP,
    /// [`Error::Io`] if there is no free port.
    pub fn start(server: &Server) -> Result<Self, Error> {
        let host = server.host().ok_or_else(|| Error::Setting("a proxy needs a server with TCP".to_owned()))?;
        Self::start_to((host, server.port()))
    }

    /// Starts a proxy in front of any address, on a free port.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address cannot be resolved or no port is free.
    pub fn start_to(upstream: impl ToSocketAddrs) -> Result<Self, Error> {
        let upstream = upstream
            .to_socket_addrs()
            .map_err(Error::io("resolving the server's address"))?
            .next()
            .ok_or_else(|| Error::Setting("the server's name has no address".to_owned()))?;
        let doing = || Error::io("opening a port for a proxy");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(doing())?;
        let mut proxy = Self {
            address: listener.local_addr().map_err(doing())?,
            inner: Arc::new(Inner {
                upstream,
                relay: Arc::new(Relay::new().map_err(doing())?),
                hanging: AtomicBool::new(false),
                stopping: AtomicBool::new(false),
                workers: Mutex::default(),
            }),
            acceptor: Mutex::new(None),
            pump: None,
        };
        let relay = Arc::clone(&proxy.inner.relay);
        proxy.pump = Some(spawn("proxy's pump", move || pump::run(&relay))?);
        proxy.listen(&mut proxy.acceptor(), listener)?;
        Ok(proxy)
    }

    /// The address to connect to instead of the server's.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets how much later bytes arrive, in each direction.
    ///
    /// The sum is added to each round trip, within 25 µs each way; the bandwidth
    /// stays the same. Both are zero at first. Bytes already on their way keep
    /// their old delay.
    pub fn set_delay(&self, to_server: Duration, to_client: Duration) {
        self.inner.relay.change(|control| (control.to_server, control.to_client) = (to_server, to_client));
    }

    /// Passes on new connections, after [`refuse`](Self::refuse) or
    /// [`hang`](Self::hang).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if another process has taken the port in the meantime.
    pub fn accept(&self) -> Result<(), Error> {
        self.inner.hanging.store(false, Ordering::SeqCst);
        self.open()
    }

    /// Refuses new connections, as if no server ran; live ones stay.
    pub fn refuse(&self) {
        let mut acceptor = self.acceptor();
        if let Some(thread) = acceptor.take() {
            self.inner.stopping.store(true, Ordering::SeqCst);
            // The thread waits for a connection and looks at the flag after it.
            let wake = TcpStream::connect(self.address);
            // It cannot have panicked, and if it had, it would be gone as well.
            let _ = thread.join();
            drop(wake);
            self.inner.stopping.store(false, Ordering::SeqCst);
        }
    }

    /// Accepts new connections but never answers or passes anything on.
    ///
    /// Connections accepted so hang until they are [`cut`](Self::cut) or the
    /// client gives up; live ones stay.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if another process has taken the port while the proxy
    /// refused connections.
    pub fn hang(&self) -> Result<(), Error> {
        self.inner.hanging.store(true, Ordering::SeqCst);
        self.open()
    }

    /// Closes all live connections at once, towards both sides, and returns
    /// how many there were.
    ///
    /// A client's `connect` may return a moment before the proxy knows of the
    /// connection. A test that cuts one before anything was answered on it
    /// waits for [`live`](Self::live) first.
    pub fn cut(&self) -> usize {
        self.inner.relay.cut()
    }

    /// Passes on so many more bytes to the server or to clients, of all
    /// connections together, and cuts the connection of the next one.
    ///
    /// `None` is no limit. What comes behind the cut is not limited any more.
    pub fn cut_after(&self, to_server: Option<u64>, to_client: Option<u64>) {
        self.inner.relay.change(|control| control.left = [to_server, to_client]);
    }

    /// Stops passing on bytes, and ends of connections, in both directions.
    ///
    /// Connections stay open and new ones are accepted but stall as well.
    pub fn stall(&self) {
        self.inner.relay.change(|control| control.stalled = true);
    }

    /// Passes on what has been held back, and everything after it.
    pub fn resume(&self) {
        self.inner.relay.change(|control| control.stalled = false);
    }

    /// The number of connections that are open now.
    pub fn live(&self) -> usize {
        self.inner.relay.control().live.len()
    }

    /// Counts of what has been passed on so far.
    pub fn traffic(&self) -> Traffic {
        self.inner.relay.control().traffic.clone()
    }

    /// Starts or stops keeping a copy of what clients send; off at first.
    pub fn capture(&self, on: bool) {
        self.inner.relay.change(|control| control.capturing = on);
    }

    /// Returns what clients sent while capturing was on, for each connection
    /// that sent something, in the order in which they first did.
    pub fn captured(&self) -> Vec<Vec<u8>> {
        self.inner.relay.control().captured.clone()
    }

    fn open(&self) -> Result<(), Error> {
        let mut acceptor = self.acceptor();
        if acceptor.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).map_err(Error::io("opening the proxy's port again"))?;
        self.listen(&mut acceptor, listener)
    }

    fn listen(&self, acceptor: &mut Option<JoinHandle<()>>, listener: TcpListener) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        *acceptor = Some(spawn("proxy", move || inner.serve(&listener))?);
        Ok(())
    }

    fn acceptor(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Accepts connections until told to stop.
    fn serve(&self, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok((client, _)) = accepted else {
                // Out of descriptors, most likely; some may become free.
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            let connection = self.relay.admit(client);
            let (relay, upstream) = (Arc::clone(&self.relay), self.upstream);
            let hanging = self.hanging.load(Ordering::SeqCst);
            let worker =
                thread::spawn(
                    move || {
                        if hanging { relay.hang(&connection) } else { relay.pass(&connection, upstream) }
                    },
                );
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            workers.retain(|worker| !worker.is_finished());
            workers.push(worker);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.cut();
        self.inner.relay.close();
        let workers = std::mem::take(&mut *self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers.into_iter().chain(self.pump.take()) {
            // A thread that panicked is gone as well.
            let _ = worker.join();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(Error::io("starting a proxy's thread"))
}
