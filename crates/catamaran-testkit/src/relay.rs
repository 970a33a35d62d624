//! The connections of a proxy, and how their bytes are to be passed on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Traffic;
use crate::traffic::Reader;

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a proxy's threads have in common.
#[derive(Debug)]
pub(crate) struct Relay {
    control: Mutex<Control>,
    closed: AtomicBool,
    /// What is written to the one wakes the thread that waits at the other.
    rope: UnixStream,
    bell: UnixStream,
}

/// How bytes are to be passed on, and what was.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) stalled: bool,
    pub(crate) to_server: Duration,
    pub(crate) to_client: Duration,
    /// How many more bytes are passed on, to the server and to the client, before the connection of the next one is cut.
    pub(crate) left: [Option<u64>; 2],
    pub(crate) traffic: Traffic,
    pub(crate) capturing: bool,
    pub(crate) captured: Vec<Vec<u8>>,
    pub(crate) live: Vec<Arc<Connection>>,
    /// Those that have a server now.
    pub(crate) arrived: Vec<(Arc<Connection>, TcpStream)>,
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: TcpStream,
    server: Mutex<Option<TcpStream>>,
    pub(crate) cut: AtomicBool,
    log: Mutex<Log>,
}

/// What is known of a connection's past.
#[derive(Debug, Default)]
struct Log {
    reader: Reader,
    /// Whether the last bytes came from the client.
    client_spoke: bool,
    /// Where its bytes are captured.
    capture: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

impl Relay {
    pub(crate) fn new() -> io::Result<Self> {
        let (rope, bell) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        Ok(Self { control: Mutex::default(), closed: AtomicBool::new(false), rope, bell })
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how bytes are passed on, for bytes already waiting as well.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Control)) {
        change(&mut self.control());
        self.ring();
    }

    /// Ends the thread that passes on bytes.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.ring();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Cuts all live connections and returns how many there were.
    pub(crate) fn cut(&self) -> usize {
        let doomed = std::mem::take(&mut self.control().live);
        for connection in &doomed {
            connection.cut();
        }
        self.ring();
        doomed.len()
    }

    /// Takes in a connection, before anything is passed on.
    pub(crate) fn admit(&self, client: TcpStream) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            client,
            server: Mutex::new(None),
            cut: AtomicBool::new(false),
            log: Mutex::new(Log::default()),
        });
        let mut control = self.control();
        control.traffic.connections += 1;
        control.live.push(Arc::clone(&connection));
        connection
    }

    /// Discards what the client sends, until it or the proxy closes.
    pub(crate) fn hang(&self, connection: &Arc<Connection>) {
        let mut discarded = [0; 1024];
        while matches!((&connection.client).read(&mut discarded), Ok(count) if count > 0) {}
        self.dismiss(connection);
    }

    /// Connects to the server, and has bytes passed on both ways until both are closed.
    pub(crate) fn pass(&self, connection: &Arc<Connection>, upstream: SocketAddr) {
        if let Ok(server) = TcpStream::connect_timeout(&upstream, CONNECT_TIMEOUT)
            && let Ok(clone) = server.try_clone()
            && server.set_nonblocking(true).is_ok()
            && connection.client.set_nonblocking(true).is_ok()
        {
            // Only latency suffers if this fails.
            let _ = (connection.client.set_nodelay(true), server.set_nodelay(true));
            *connection.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(clone);
            // It may have been cut while there was no server to be cut from.
            if !connection.cut.load(Ordering::SeqCst) {
                self.control().arrived.push((Arc::clone(connection), server));
                return self.ring();
            }
        }
        self.dismiss(connection);
    }

    pub(crate) fn dismiss(&self, connection: &Arc<Connection>) {
        connection.cut();
        self.control().live.retain(|other| !Arc::ptr_eq(other, connection));
    }

    /// Wakes the thread that passes on bytes.
    fn ring(&self) {
        // If it takes no more, it was rung already.
        let _ = (&self.rope).write(&[0]);
    }

    /// What that thread waits at.
    pub(crate) fn bell(&self) -> &UnixStream {
        &self.bell
    }

    /// Ends the ringing.
    pub(crate) fn hush(&self) {
        let mut rings = [0; 64];
        while matches!((&self.bell).read(&mut rings), Ok(count) if count == rings.len()) {}
    }
}

impl Control {
    /// How many of so many bytes are passed on. Behind a cut, everything is again.
    fn take(&mut self, direction: Direction, bytes: usize) -> usize {
        let [to_server, to_client] = &mut self.left;
        let left = if direction == Direction::ToServer { to_server } else { to_client };
        let wanted = u64::try_from(bytes).unwrap_or(u64::MAX);
        match *left {
            Some(few) if few < wanted => {
                self.left = [None, None];
                usize::try_from(few).unwrap_or(bytes)
            }
            _ => {
                *left = left.map(|many| many - wanted);
                bytes
            }
        }
    }
}

impl Connection {
    /// Closes both sides at once.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // A side that is closed already is as wanted.
        let _ = self.client.shutdown(Shutdown::Both);
        if let Some(server) = &*self.server.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// Counts bytes that are about to be passed on, and returns how many of them are before the connection is cut.
    pub(crate) fn note(&self, direction: Direction, bytes: &[u8], control: &mut Control) -> usize {
        let passed = control.take(direction, bytes.len());
        self.count(direction, bytes.get(..passed).unwrap_or(bytes), control);
        passed
    }

    fn count(&self, direction: Direction, bytes: &[u8], control: &mut Control) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if direction == Direction::ToClient {
            control.traffic.bytes_to_client += count;
            log.client_spoke = false;
            return;
        }
        control.traffic.bytes_to_server += count;
        if !log.client_spoke {
            control.traffic.turns += 1;
            log.client_spoke = true;
        }
        log.reader.read(bytes, &mut control.traffic);
        if control.capturing {
            let place = *log.capture.get_or_insert_with(|| {
                control.captured.push(Vec::new());
                control.captured.len() - 1
            });
            if let Some(captured) = control.captured.get_mut(place) {
                captured.extend_from_slice(bytes);
            }
        }
    }
}
