//! The connections of a proxy and the threads that pass on their bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Traffic;
use crate::traffic::Reader;

/// The size of the pieces in which bytes are passed on.
const PIECE: usize = 16 * 1024;

/// How many pieces may wait in each direction before reading pauses.
const WAITING_PIECES: usize = 256;

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a proxy's threads have in common.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    control: Mutex<Control>,
    changed: Condvar,
}

/// How bytes are to be passed on, and what was.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) stalled: bool,
    pub(crate) to_server: Duration,
    pub(crate) to_client: Duration,
    pub(crate) traffic: Traffic,
    pub(crate) capturing: bool,
    pub(crate) captured: Vec<Vec<u8>>,
    pub(crate) live: Vec<Arc<Connection>>,
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    client: TcpStream,
    server: Mutex<Option<TcpStream>>,
    cut: AtomicBool,
    open_directions: AtomicUsize,
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
enum Direction {
    ToServer,
    ToClient,
}

/// Bytes and the time at which to pass them on; an end if there are none.
type Piece = (Instant, Vec<u8>);

impl Relay {
    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how bytes are passed on, for bytes already waiting as well.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Control)) {
        change(&mut self.control());
        self.changed.notify_all();
    }

    /// Cuts all live connections and returns how many there were.
    pub(crate) fn cut(&self) -> usize {
        let doomed = std::mem::take(&mut self.control().live);
        for connection in &doomed {
            connection.cut();
        }
        self.wake();
        doomed.len()
    }

    /// Takes in a connection, before anything is passed on.
    pub(crate) fn admit(&self, client: TcpStream) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            client,
            server: Mutex::new(None),
            cut: AtomicBool::new(false),
            open_directions: AtomicUsize::new(2),
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

    /// Passes on bytes both ways until both are closed.
    pub(crate) fn pass(self: &Arc<Self>, connection: &Arc<Connection>, upstream: SocketAddr) {
        if let Ok(server) = TcpStream::connect_timeout(&upstream, CONNECT_TIMEOUT) {
            // Only latency suffers if this fails.
            let _ = (connection.client.set_nodelay(true), server.set_nodelay(true));
            let client = connection.client.try_clone();
            let clones = (client, server.try_clone());
            *connection.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
            // It may have been cut while there was no server to be cut from.
            if !connection.cut.load(Ordering::SeqCst)
                && let (Ok(client), Ok(server)) = clones
            {
                self.pump(connection, &client, &server);
            }
        }
        self.dismiss(connection);
    }

    fn pump(&self, connection: &Connection, client: &TcpStream, server: &TcpStream) {
        thread::scope(|scope| {
            for (direction, from, to) in [(Direction::ToServer, client, server), (Direction::ToClient, server, client)]
            {
                let (sender, receiver) = sync_channel(WAITING_PIECES);
                let spawned = [
                    thread::Builder::new().spawn_scoped(scope, move || self.read(direction, from, sender)),
                    thread::Builder::new().spawn_scoped(scope, move || self.write(direction, to, receiver, connection)),
                ];
                if spawned.iter().any(Result::is_err) {
                    // Without all of its threads a connection would hang.
                    connection.cut();
                    self.wake();
                }
            }
        });
    }

    fn dismiss(&self, connection: &Arc<Connection>) {
        connection.cut();
        self.control().live.retain(|other| !Arc::ptr_eq(other, connection));
    }

    fn read(&self, direction: Direction, mut from: &TcpStream, sender: SyncSender<Piece>) {
        let mut buffer = vec![0; PIECE];
        loop {
            let count = from.read(&mut buffer).unwrap_or(0);
            let delay = match direction {
                Direction::ToServer => self.control().to_server,
                Direction::ToClient => self.control().to_client,
            };
            let piece = (Instant::now() + delay, buffer[..count].to_vec());
            if sender.send(piece).is_err() || count == 0 {
                return;
            }
        }
    }

    fn write(&self, direction: Direction, mut to: &TcpStream, receiver: Receiver<Piece>, connection: &Connection) {
        for (due, bytes) in receiver {
            if !self.wait(due, connection) {
                break;
            }
            if bytes.is_empty() {
                // The other direction may still have something to say.
                let _ = to.shutdown(Shutdown::Write);
                if connection.open_directions.fetch_sub(1, Ordering::SeqCst) == 1 {
                    break;
                }
                return;
            }
            // Counted first, so that an answer never arrives before its count.
            connection.note(direction, &bytes, &mut self.control());
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        connection.cut();
        self.wake();
    }

    /// Makes waiting threads notice that their connection was cut.
    fn wake(&self) {
        // A thread between its look at the flag and its wait holds the lock.
        drop(self.control());
        self.changed.notify_all();
    }

    /// Waits until bytes may be passed on; returns whether they still may.
    fn wait(&self, due: Instant, connection: &Connection) -> bool {
        let mut control = self.control();
        loop {
            if connection.cut.load(Ordering::SeqCst) {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            control = if control.stalled {
                self.changed.wait(control).unwrap_or_else(PoisonError::into_inner)
            } else if left.is_zero() {
                return true;
            } else {
                self.changed.wait_timeout(control, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

impl Connection {
    /// Closes both sides at once.
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // A side that is closed already is as wanted.
        let _ = self.client.shutdown(Shutdown::Both);
        if let Some(server) = &*self.server.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// Counts bytes that are about to be passed on.
    fn note(&self, direction: Direction, bytes: &[u8], control: &mut Control) {
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
