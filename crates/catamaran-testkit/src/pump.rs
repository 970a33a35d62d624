//! The thread that passes on the bytes of all connections of a proxy.
//!
//! One for all, so that the proxy is not what limits a client with many small messages: whatever came and whatever is
//! due in the same moment costs one turn.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::flow::{self, Flow};
use crate::relay::{Connection, Direction, Relay};

/// While bytes are on their way, how long the next ones may lie before they are read. They are timed as if they had
/// come in the middle of it.
const TURN: Duration = Duration::from_micros(50);

/// A connection with both of its sides.
struct Link {
    connection: Arc<Connection>,
    server: TcpStream,
    to_server: Flow,
    to_client: Flow,
}

/// Passes on bytes until the relay is closed.
pub(crate) fn run(relay: &Relay) {
    // A thread may oversleep by this, and by default it is as long as a turn. Only precision suffers if it fails.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000));
    let mut links: Vec<Link> = Vec::new();
    let mut buffer = flow::buffer();
    loop {
        let now = Instant::now();
        let stalled = relay.control().stalled;
        let next = links.iter().filter_map(|link| link.next(now)).min().filter(|_| !stalled);
        let slept = match next {
            Some(left) => {
                let turn = left.min(TURN);
                thread::sleep(turn);
                turn
            }
            None => Duration::ZERO,
        };
        let ready = wait(relay, &links, next.is_some());
        if relay.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut control = relay.control();
        let came = now - slept / 2;
        for (link, (client, server)) in links.iter_mut().zip(ready) {
            if client {
                link.to_server.fill(&link.connection.client, came + control.to_server, &mut buffer);
            }
            if server {
                link.to_client.fill(&link.server, came + control.to_client, &mut buffer);
            }
            if control.stalled {
                continue;
            }
            let connection = &link.connection;
            let note = |bytes: &[u8]| connection.note(Direction::ToServer, bytes, &mut control);
            let sent = link.to_server.drain(&link.server, now, note);
            let note = |bytes: &[u8]| connection.note(Direction::ToClient, bytes, &mut control);
            let sent = sent.and(link.to_client.drain(&connection.client, now, note));
            if sent.is_err() {
                connection.cut();
            }
        }
        let arrived = std::mem::take(&mut control.arrived);
        drop(control);
        links.extend(arrived.into_iter().map(|(connection, server)| Link {
            connection,
            server,
            to_server: Flow::default(),
            to_client: Flow::default(),
        }));
        links.retain(|link| {
            let lives = !link.is_over();
            if !lives {
                relay.dismiss(&link.connection);
            }
            lives
        });
    }
}

/// Waits for any socket, unless bytes are on their way already, and tells for each connection which sides can be read.
fn wait(relay: &Relay, links: &[Link], at_once: bool) -> Vec<(bool, bool)> {
    let flags = |reads: &Flow, writes: &Flow| {
        let read = if reads.takes_more() { PollFlags::IN } else { PollFlags::empty() };
        read | if writes.is_held_up() { PollFlags::OUT } else { PollFlags::empty() }
    };
    let mut sockets = vec![PollFd::new(relay.bell(), PollFlags::IN)];
    let mut sides = Vec::with_capacity(links.len() * 2);
    for (index, link) in links.iter().enumerate() {
        let client = (&link.connection.client, flags(&link.to_server, &link.to_client));
        let server = (&link.server, flags(&link.to_client, &link.to_server));
        for (is_client, (socket, flags)) in [(true, client), (false, server)] {
            // One that is asked for nothing may still tell, again and again, that its other end is gone.
            if !flags.is_empty() {
                sockets.push(PollFd::new(socket, flags));
                sides.push((index, is_client));
            }
        }
    }
    let zero = Timespec::default();
    // It fails where a signal came, and then nothing is ready.
    let waited = poll(&mut sockets, at_once.then_some(&zero));
    relay.hush();
    let mut ready = vec![(false, false); links.len()];
    if waited.is_ok() {
        for (socket, (index, is_client)) in sockets.iter().skip(1).zip(sides) {
            if let Some((client, server)) = ready.get_mut(index).filter(|_| !socket.revents().is_empty()) {
                *(if is_client { client } else { server }) = true;
            }
        }
    }
    ready
}

impl Link {
    fn next(&self, now: Instant) -> Option<Duration> {
        let nexts = [self.to_server.next(now), self.to_client.next(now)];
        nexts.into_iter().flatten().min()
    }

    fn is_over(&self) -> bool {
        self.connection.cut.load(Ordering::SeqCst) || (self.to_server.is_over() && self.to_client.is_over())
    }
}
