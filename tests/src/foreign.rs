//! A relay that has the server speak another language, whatever locales there are.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// What the server says, and what is said instead, in as many bytes. A severity is sent twice, once translated.
const WORDS: [(&[u8], &[u8]); 3] = [
    (b"cached plan must not change result type", b"der Ergebnistyp eines Plans ist anders "),
    (b"prepared statement", b"vorbereiteter Satz"),
    (b"SERROR\0VERROR\0", b"SFEHLE\0VERROR\0"),
];

/// A relay between a service and a server. Its threads end with its connections.
#[derive(Debug)]
pub struct Foreign {
    address: SocketAddr,
    translated: Arc<AtomicUsize>,
}

impl Foreign {
    /// Listens on a free port.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let translated = Arc::<AtomicUsize>::default();
        let count = translated.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that refuses is seen by the client as an end.
                let Ok(server) = TcpStream::connect(server) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                relay(&client, &server, |_| ());
                let count = count.clone();
                relay(&server, &client, move |bytes| {
                    count.fetch_add(translate(bytes), SeqCst);
                });
            }
        });
        Self { address, translated }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often something was said in other words.
    pub fn translated(&self) -> usize {
        self.translated.load(SeqCst)
    }
}

fn relay(from: &TcpStream, to: &TcpStream, mut each: impl FnMut(&mut [u8]) + Send + 'static) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            each(&mut buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// Errors are short: none is read in two pieces.
fn translate(bytes: &mut [u8]) -> usize {
    let mut count = 0;
    for (word, other) in WORDS {
        while let Some(at) = bytes.windows(word.len()).position(|window| window == word) {
            bytes[at..at + word.len()].copy_from_slice(other);
            count += 1;
        }
    }
    count
}
