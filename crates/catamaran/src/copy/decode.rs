//! Rows out of the binary COPY format.

use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};

use super::SIGNATURE;
use crate::{Column, Error, ErrorKind, Result, Row, Value};

/// Signature, flags, and the length of the header's extension.
const HEADER: usize = SIGNATURE.len() + 8;
/// The flags that a reader must know of to go on; none of them is in use any more.
const CRITICAL: u32 = 0xffff_0000;
/// The server makes no value longer than this.
const LONGEST: usize = 0x3fff_ffff;

/// Turns chunks of data into rows. Chunks may break anywhere.
pub(super) struct Decoder {
    columns: Arc<[Column]>,
    /// What has arrived and was not read. Only data that really arrived makes it grow.
    buffer: BytesMut,
    state: State,
}

enum State {
    Header,
    /// What is left of the header's extension.
    Extension(usize),
    Rows,
    /// The last row was read; the end of the data is to follow.
    Trailer,
    Failed(Error),
    Over,
}

impl Decoder {
    pub(super) fn new(columns: Arc<[Column]>) -> Self {
        Self { columns, buffer: BytesMut::new(), state: State::Header }
    }

    /// Whether neither a row nor an error is to come.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes the next chunk, or `None` after the last.
    pub(super) fn feed(&mut self, chunk: Option<Result<Bytes>>) {
        match (chunk, &self.state) {
            (Some(Ok(chunk)), State::Trailer) if !chunk.is_empty() => {
                self.state = State::Failed(malformed("more data behind the last row"));
            }
            (Some(Ok(chunk)), _) => self.buffer.extend_from_slice(&chunk),
            (Some(Err(error)), _) => self.state = State::Failed(error),
            (None, State::Trailer) => self.state = State::Over,
            (None, _) => self.state = State::Failed(malformed("it ends in the middle")),
        }
    }

    /// The next row of what has arrived, or `None` if that holds no whole one. An error is the last item.
    pub(super) fn row(&mut self) -> Option<Result<Row>> {
        let row = self.read();
        match row {
            Ok(row) => row.map(Ok),
            Err(error) => {
                self.state = State::Over;
                self.buffer = BytesMut::new();
                Some(Err(error))
            }
        }
    }

    fn read(&mut self) -> Result<Option<Row>> {
        loop {
            match &mut self.state {
                State::Header => match header(&mut self.buffer)? {
                    Some(extension) => self.state = State::Extension(extension),
                    None => return Ok(None),
                },
                State::Extension(left) => {
                    let here = self.buffer.len().min(*left);
                    self.buffer.advance(here);
                    *left -= here;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Rows;
                }
                State::Rows => match measure(&self.buffer, self.columns.len())? {
                    Measured::Incomplete => return Ok(None),
                    Measured::Row(length) => return self.split_row(length).map(Some),
                    Measured::Trailer => {
                        self.buffer.advance(2);
                        self.state = State::Trailer;
                        if !self.buffer.is_empty() {
                            return Err(malformed("more data behind the last row"));
                        }
                    }
                },
                State::Failed(error) => return Err(error.clone()),
                State::Trailer | State::Over => return Ok(None),
            }
        }
    }

    /// Takes a row that was measured. Its values share its bytes.
    fn split_row(&mut self, length: usize) -> Result<Row> {
        let mut row = self.buffer.split_to(length).freeze();
        row.advance(2);
        let values: Vec<Value> = self
            .columns
            .iter()
            .map(|column| {
                let bytes = usize::try_from(row.get_i32()).ok().map(|length| row.split_to(length));
                Value::from_wire(column.ty().clone(), bytes)
            })
            .collect();
        Row::from_values(Arc::clone(&self.columns), values)
    }
}

/// Takes the header, if all of it is there, and returns the length of its extension.
fn header(buffer: &mut BytesMut) -> Result<Option<usize>> {
    let seen = buffer.len().min(SIGNATURE.len());
    if buffer.get(..seen) != SIGNATURE.get(..seen) {
        return Err(malformed("it does not begin as binary COPY data does"));
    }
    if buffer.len() < HEADER {
        return Ok(None);
    }
    buffer.advance(SIGNATURE.len());
    if buffer.get_u32() & CRITICAL != 0 {
        return Err(malformed("it has flags that are not known"));
    }
    let extension = usize::try_from(buffer.get_i32());
    extension.map(Some).map_err(|_| malformed("its header has a negative length"))
}

enum Measured {
    Incomplete,
    Row(usize),
    Trailer,
}

/// How long the row is that the data begins with. Afterwards it can be taken apart without looking at its bounds again.
fn measure(data: &[u8], columns: usize) -> Result<Measured> {
    let Some((fields, mut rest)) = data.split_first_chunk() else {
        return Ok(Measured::Incomplete);
    };
    let fields = i16::from_be_bytes(*fields);
    if fields == -1 {
        return Ok(Measured::Trailer);
    }
    if usize::try_from(fields) != Ok(columns) {
        return Err(malformed(format!("it has a row of {fields} fields for {columns} columns")));
    }
    for _ in 0..columns {
        let Some((length, behind)) = rest.split_first_chunk() else {
            return Ok(Measured::Incomplete);
        };
        rest = match i32::from_be_bytes(*length) {
            -1 => behind,
            length => {
                let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST);
                let length = length.ok_or_else(|| malformed("it has a value of an impossible length"))?;
                let Some(behind) = behind.get(length..) else {
                    return Ok(Measured::Incomplete);
                };
                behind
            }
        };
    }
    Ok(Measured::Row(data.len() - rest.len()))
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Decode, format!("the COPY data is malformed: {what}"))
}
