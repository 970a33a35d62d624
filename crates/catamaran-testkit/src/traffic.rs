//! What went through a proxy.

/// The code in the place of a protocol version that asks for TLS.
const SSL_REQUEST: u32 = 80_877_103;

/// The code that asks for GSSAPI encryption.
const GSS_REQUEST: u32 = 80_877_104;

/// The code that asks for the cancellation of a query.
const CANCEL_REQUEST: u32 = 80_877_102;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Counts of what a [`Proxy`](crate::Proxy) has passed on since its start.
///
/// Messages of the client are counted by their type unless the connection is
/// encrypted. Whatever the server has answered is already counted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Connections accepted, including those left hanging.
    pub connections: u64,
    /// Bytes passed on to the server.
    pub bytes_to_server: u64,
    /// Bytes passed on to clients.
    pub bytes_to_client: u64,
    /// How often a client sent something new after hearing from the server, or
    /// for the first time: the round trips of a client that does not send ahead.
    pub turns: u64,
    /// Requests to cancel a query.
    pub cancels: u64,
    messages: [u64; 256],
}

impl Default for Traffic {
    fn default() -> Self {
        Self { connections: 0, bytes_to_server: 0, bytes_to_client: 0, turns: 0, cancels: 0, messages: [0; 256] }
    }
}

impl Traffic {
    /// Client messages of one type of the protocol, such as `b'P'` for Parse.
    pub fn messages(&self, kind: u8) -> u64 {
        self.messages[usize::from(kind)]
    }

    /// Sync messages: the round trips of the extended query protocol.
    pub fn syncs(&self) -> u64 {
        self.messages(b'S')
    }

    /// Query messages: the round trips of the simple query protocol.
    pub fn queries(&self) -> u64 {
        self.messages(b'Q')
    }

    /// Parse messages: statements prepared.
    pub fn parses(&self) -> u64 {
        self.messages(b'P')
    }

    /// The difference to an earlier count.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut messages = self.messages;
        for (now, before) in messages.iter_mut().zip(earlier.messages) {
            *now = now.saturating_sub(before);
        }
        Self {
            connections: self.connections.saturating_sub(earlier.connections),
            bytes_to_server: self.bytes_to_server.saturating_sub(earlier.bytes_to_server),
            bytes_to_client: self.bytes_to_client.saturating_sub(earlier.bytes_to_client),
            turns: self.turns.saturating_sub(earlier.turns),
            cancels: self.cancels.saturating_sub(earlier.cancels),
            messages,
        }
    }
}

/// What the bytes of a client are at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// A length and a code, without a type.
    #[default]
    Startup,
    /// A type, a length and a body.
    Messages,
    /// Nothing that can be read.
    Opaque,
}

/// Finds the messages in the bytes of one client.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    phase: Phase,
    header: Vec<u8>,
    body_left: usize,
}

impl Reader {
    /// Counts the messages that begin in `bytes`, the next ones of the stream.
    pub(crate) fn read(&mut self, mut bytes: &[u8], traffic: &mut Traffic) {
        while let [first, rest @ ..] = bytes {
            if self.body_left > 0 {
                let skipped = self.body_left.min(bytes.len());
                self.body_left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            if self.phase == Phase::Startup && self.header.is_empty() && *first == TLS_HANDSHAKE {
                self.phase = Phase::Opaque;
            }
            if self.phase == Phase::Opaque {
                return;
            }
            self.header.push(*first);
            bytes = rest;
            self.end_header(traffic);
        }
    }

    /// Acts on the header if it is complete.
    fn end_header(&mut self, traffic: &mut Traffic) {
        let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        let length = match (self.phase, self.header.as_slice()) {
            (Phase::Startup, [length @ .., _, _, _, _]) if length.len() == 4 => {
                let code = number(&self.header[4..]);
                match code {
                    SSL_REQUEST | GSS_REQUEST => {}
                    CANCEL_REQUEST => {
                        traffic.cancels += 1;
                        self.phase = Phase::Opaque;
                    }
                    _ => self.phase = Phase::Messages,
                }
                number(length).saturating_sub(8)
            }
            (Phase::Messages, [kind, length @ ..]) if length.len() == 4 => {
                traffic.messages[usize::from(*kind)] += 1;
                number(length).saturating_sub(4)
            }
            _ => return,
        };
        self.body_left = usize::try_from(length).unwrap_or(usize::MAX);
        self.header.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Traffic};

    fn stream() -> Vec<u8> {
        let mut stream = vec![0, 0, 0, 8, 4, 210, 22, 47];
        stream.extend([0, 0, 0, 10, 0, 3, 0, 0, b'S', b'Q']);
        stream.extend(b"P\0\0\0\x06SSS\0\0\0\x04Q\0\0\0\x05\0X\0\0\0\x04");
        stream
    }

    #[test]
    fn messages_are_counted_however_the_bytes_are_split() {
        for size in 1..=stream().len() {
            let (mut reader, mut traffic) = (Reader::default(), Traffic::default());
            stream().chunks(size).for_each(|bytes| reader.read(bytes, &mut traffic));
            let counts = [traffic.parses(), traffic.syncs(), traffic.queries(), traffic.messages(b'X')];
            assert_eq!(counts, [1, 1, 1, 1], "in pieces of {size}");
        }
    }

    #[test]
    fn nothing_is_read_into_encrypted_bytes() {
        let (mut reader, mut traffic) = (Reader::default(), Traffic::default());
        reader.read(&stream()[..8], &mut traffic);
        reader.read(&[0x16, 3, 1], &mut traffic);
        reader.read(b"S\0\0\0\x04S\0\0\0\x04", &mut traffic);
        assert_eq!(traffic, Traffic::default());
    }

    #[test]
    fn a_cancel_request_is_no_message() {
        let (mut reader, mut traffic) = (Reader::default(), Traffic::default());
        reader.read(&[0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2], &mut traffic);
        assert_eq!(traffic, Traffic { cancels: 1, ..Traffic::default() });
    }
}
