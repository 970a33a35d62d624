//! Rows into the binary COPY format.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type, WrongType};

use super::{CopyRow, SIGNATURE};
use crate::{Column, Error, ErrorKind, Result, param};

/// A chunk is handed out once it holds this much.
const CHUNK: usize = 64 * 1024;

/// Turns rows into chunks of data, one row at a time.
pub(super) struct Encoder {
    columns: Arc<[Column]>,
    /// The number of columns as each row states it.
    fields: i16,
    rows: u64,
    buffer: BytesMut,
    over: bool,
}

impl Encoder {
    pub(super) fn new(columns: Arc<[Column]>) -> Result<Self> {
        let fields = i16::try_from(columns.len())
            .map_err(|_| Error::new(ErrorKind::Encode, format!("COPY can't write {} columns", columns.len())))?;
        let mut buffer = BytesMut::with_capacity(CHUNK);
        buffer.put_slice(SIGNATURE);
        // No flags, and no extension of the header.
        buffer.put_i32(0);
        buffer.put_i32(0);
        Ok(Self { columns, fields, rows: 0, buffer, over: false })
    }

    /// The number of rows taken so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the last chunk has been handed out.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes the next row, or `None` after the last, and hands out a chunk if there is enough for one.
    pub(super) fn step<R: CopyRow>(&mut self, row: Option<Result<R>>) -> Option<Result<Bytes>> {
        match row.map(|row| self.row(&row?)) {
            Some(Ok(())) if self.buffer.len() < CHUNK => None,
            Some(Ok(())) => Some(Ok(self.buffer.split().freeze())),
            Some(Err(error)) => {
                self.over = true;
                Some(Err(error))
            }
            None => {
                self.over = true;
                self.buffer.put_i16(-1);
                Some(Ok(self.buffer.split().freeze()))
            }
        }
    }

    fn row(&mut self, row: &impl CopyRow) -> Result<()> {
        self.rows += 1;
        if row.fields() != self.columns.len() {
            return Err(self.wrong_length(row.fields()));
        }
        self.buffer.put_i16(self.fields);
        for (at, column) in self.columns.iter().enumerate() {
            let Some(field) = row.field(at) else {
                return Err(self.wrong_length(at));
            };
            value(&mut self.buffer, column.ty(), field).map_err(|cause| wrong_value(self.rows, column, cause))?;
        }
        Ok(())
    }

    fn wrong_length(&self, fields: usize) -> Error {
        let message = format!("row {} has {fields} fields for {} columns", self.rows, self.columns.len());
        Error::new(ErrorKind::Encode, message)
    }
}

/// Appends a value with its length.
pub(crate) fn value(
    buffer: &mut BytesMut,
    ty: &Type,
    value: &dyn ToSql,
) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
    let start = buffer.len();
    buffer.put_i32(-1);
    let data = buffer.len();
    if let IsNull::Yes = param::encode(value, ty, buffer)? {
        buffer.truncate(data);
        return Ok(IsNull::Yes);
    }
    if let Format::Text = value.encode_format(ty) {
        return Err("only the text form is known".into());
    }
    let length = i32::try_from(buffer.len() - data)?;
    if let Some(place) = buffer.get_mut(start..data) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(IsNull::No)
}

/// Rows are counted from 1. What else than the type is wrong with a value is left out: the text may quote it.
fn wrong_value(row: u64, column: &Column, cause: Box<dyn std::error::Error + Sync + Send>) -> Error {
    let message = format!("row {row}: a value can't be sent to column \"{}\" of type {}", column.name(), column.ty());
    if cause.is::<WrongType>() {
        return Error::with_source(ErrorKind::Encode, format!("{message}: {cause}"), cause);
    }
    Error::new(ErrorKind::Encode, message)
}
