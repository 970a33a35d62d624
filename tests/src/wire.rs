//! A relay that writes down the messages of both sides, in the order in which they came.
//!
//! What a client sends is noted when it arrives here, and what the server answers before it is passed on. So an answer
//! always stands before what the client sent because of it.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// What asks for TLS in the place of a protocol version.
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Which connection it was on, counted from 0.
    pub connection: usize,
    /// Who sent it.
    pub from: Side,
    /// Its type in the protocol; 0 for those without one.
    pub kind: u8,
    /// The text of a Parse, else empty.
    pub text: String,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The service under test.
    Client,
    /// PostgreSQL.
    Server,
}

/// A relay between a service and a server, or a proxy in front of it. Its threads end with its connections.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Message>>>,
}

impl Wire {
    /// Listens on a free port.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let log = Arc::default();
        let wire = Self { address, log: Arc::clone(&log) };
        thread::spawn(move || {
            for (connection, client) in listener.incoming().flatten().enumerate() {
                // An upstream that refuses is seen by the client as an end.
                let Ok(server) = TcpStream::connect(upstream) else { continue };
                pump(Side::Client, connection, &client, &server, &log);
                pump(Side::Server, connection, &server, &client, &log);
            }
        });
        wire
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many messages there have been, as a mark for [`since`](Self::since).
    pub fn mark(&self) -> usize {
        self.log().len()
    }

    /// The messages since a mark.
    pub fn since(&self, mark: usize) -> Vec<Message> {
        self.log()[mark..].to_vec()
    }

    fn log(&self) -> MutexGuard<'_, Vec<Message>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many messages of one type the client sent.
pub fn sent(messages: &[Message], kind: u8) -> usize {
    messages.iter().filter(|message| message.from == Side::Client && message.kind == kind).count()
}

/// How often the client had a text prepared.
pub fn parsed(messages: &[Message], text: &str) -> usize {
    messages.iter().filter(|message| message.kind == b'P' && message.text == text).count()
}

/// The most requests that were unanswered at once on any connection.
pub fn deepest(messages: &[Message]) -> usize {
    let (mut open, mut most) = (Vec::new(), 0);
    for message in messages {
        if open.len() <= message.connection {
            open.resize(message.connection + 1, 0_usize);
        }
        let open = &mut open[message.connection];
        match (message.from, message.kind) {
            (Side::Client, b'S' | b'Q') => *open += 1,
            // ReadyForQuery; the first of a connection answers its startup.
            (Side::Server, b'Z') => *open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(*open);
    }
    most
}

fn pump(side: Side, connection: usize, from: &TcpStream, to: &TcpStream, log: &Arc<Mutex<Vec<Message>>>) {
    let _ = to.set_nodelay(true);
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut reader = Reader { side, connection, bytes: Vec::new(), started: false };
        let mut buffer = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            reader.read(&buffer[..count], &mut log.lock().unwrap_or_else(PoisonError::into_inner));
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// Finds the messages in the bytes of one side.
struct Reader {
    side: Side,
    connection: usize,
    bytes: Vec<u8>,
    /// The client's first messages have no type, and the server refuses TLS with a single byte.
    started: bool,
}

impl Reader {
    fn read(&mut self, bytes: &[u8], log: &mut Vec<Message>) {
        self.bytes.extend_from_slice(bytes);
        let mut at = 0;
        if self.side == Side::Server && !self.started {
            self.started = true;
            at = usize::from(bytes.first() == Some(&b'N'));
        }
        loop {
            let head = usize::from(self.started);
            let Some(length) = self.bytes.get(at + head..at + head + 4) else { break };
            let length = length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            let Some(body) = self.bytes.get(at + head + 4..at + head + length) else { break };
            let kind = if self.started { self.bytes[at] } else { 0 };
            let text = if self.side == Side::Client && kind == b'P' { parse_text(body) } else { String::new() };
            self.started |= !body.starts_with(&SSL_REQUEST);
            log.push(Message { connection: self.connection, from: self.side, kind, text });
            at += head + length;
        }
        self.bytes.drain(..at);
    }
}

/// A Parse has the name of the statement, its text and its types.
fn parse_text(body: &[u8]) -> String {
    body.split(|byte| *byte == 0).nth(1).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}
