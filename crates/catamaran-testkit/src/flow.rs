//! One direction of a connection: bytes on their way.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How many bytes are read at once.
const PIECE: usize = 16 * 1024;

/// How many bytes may be on their way before reading pauses.
const LIMIT: usize = 256 * PIECE;

/// Bytes and the time at which to pass them on; an end if there are none.
type Piece = (Instant, Vec<u8>);

/// The queue between a socket that is read and one that is written.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pieces: VecDeque<Piece>,
    on_their_way: usize,
    /// Due, and counted, but not taken by the socket yet.
    leaving: Vec<u8>,
    /// Whether the end was read.
    ended: bool,
    /// Whether the end was passed on.
    closed: bool,
    /// Whether it is cut behind what is leaving.
    doomed: bool,
}

impl Flow {
    /// Reads what has come, to be passed on at a time.
    pub(crate) fn fill(&mut self, mut from: &TcpStream, due: Instant, buffer: &mut [u8; PIECE]) {
        while self.takes_more() {
            let piece = match from.read(buffer) {
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => &[],
            };
            self.ended = piece.is_empty();
            self.on_their_way += piece.len();
            self.pieces.push_back((due, piece.to_vec()));
            if piece.len() < PIECE {
                return;
            }
        }
    }

    /// Writes what is due, as far as the socket takes it, and of each piece as much as is said when it is noted. Fails as
    /// the socket does, and behind a piece of which not all was to be written.
    pub(crate) fn drain(
        &mut self,
        mut to: &TcpStream,
        now: Instant,
        mut note: impl FnMut(&[u8]) -> usize,
    ) -> Result<(), ()> {
        while !self.doomed
            && self.pieces.front().is_some_and(|(due, _)| *due <= now)
            && let Some((_, bytes)) = self.pieces.pop_front()
        {
            if bytes.is_empty() {
                self.closed = true;
                break;
            }
            // Counted first, so that an answer never arrives before its count.
            let passed = bytes.get(..note(&bytes)).unwrap_or(&bytes);
            self.on_their_way -= bytes.len();
            self.leaving.extend_from_slice(passed);
            self.doomed = passed.len() < bytes.len();
        }
        while !self.leaving.is_empty() {
            match to.write(&self.leaving) {
                Ok(count) => drop(self.leaving.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(()),
            }
        }
        if self.doomed {
            return Err(());
        }
        if self.closed {
            // The other direction may still have something to say.
            let _ = to.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Whether there is room for more, and may be more.
    pub(crate) fn takes_more(&self) -> bool {
        !self.ended && self.on_their_way + self.leaving.len() < LIMIT
    }

    /// Whether the socket it is written to has to take more first.
    pub(crate) fn is_held_up(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Whether everything, and the end, was passed on.
    pub(crate) fn is_over(&self) -> bool {
        self.closed && self.leaving.is_empty()
    }

    /// How long the first bytes on their way still take.
    pub(crate) fn next(&self, now: Instant) -> Option<Duration> {
        self.pieces.front().map(|(due, _)| due.saturating_duration_since(now))
    }
}

/// A place to read into.
pub(crate) fn buffer() -> Box<[u8; PIECE]> {
    Box::new([0; PIECE])
}
