//! Typed COPY: rows to and from PostgreSQL's binary COPY format, and the SQL around it.
//!
//! Nothing here reads or writes a socket: the twins bring chunks, as an iterator or as a stream.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.55.9.4>

mod decode;
mod encode;
mod field;
mod row;

use std::{iter, sync::Arc, task::ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;

use decode::Decoder;
use encode::Encoder;
pub(crate) use encode::value;
pub(crate) use field::Field;
pub use row::CopyRow;

use crate::{
    AsyncIter, BulkOptions, BytesIter, BytesStream, Column, Description, Error, ErrorKind, Result, RowIter, RowStream,
};

/// What every binary COPY begins with.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Statements of a `COPY … FROM STDIN`: one whose columns have the types that the table's have, and the COPY itself.
pub(crate) fn in_sql(table: &str, columns: &[&str]) -> Result<(String, String)> {
    if columns.is_empty() {
        return Err(Error::new(ErrorKind::Encode, "COPY needs the names of the columns; none was given"));
    }
    let columns: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let columns = columns.join(", ");
    Ok((format!("SELECT {columns} FROM {table}"), format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)")))
}

/// The statement that copies a query's rows out.
pub(crate) fn out_sql(query: &str) -> String {
    // The query may end in a comment.
    format!("COPY ({query}\n) TO STDOUT (FORMAT binary)")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The chunks of data that hold these rows. The first error ends them. Asking for the next one tells that those before
/// it are on their way.
pub(crate) fn encoded<R: CopyRow>(
    description: Description,
    mut rows: impl Iterator<Item = Result<R>> + Send,
    options: &mut BulkOptions<'_>,
) -> Result<impl Iterator<Item = Result<Bytes>> + Send> {
    let mut encoder = Encoder::new(shared(&description))?;
    Ok(iter::from_fn(move || {
        tell(&encoder, options);
        loop {
            if encoder.is_over() {
                return None;
            }
            if let Some(chunk) = encoder.step(rows.next()) {
                return Some(chunk);
            }
        }
    }))
}

/// The same, awaited.
pub(crate) fn encoded_stream<R: CopyRow>(
    description: Description,
    rows: impl Stream<Item = Result<R>> + Send,
    options: &mut BulkOptions<'_>,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + Unpin> {
    let mut encoder = Encoder::new(shared(&description))?;
    let (mut rows, mut fresh) = (Box::pin(rows), true);
    Ok(stream::poll_fn(move |cx| {
        if std::mem::take(&mut fresh) {
            tell(&encoder, options);
        }
        loop {
            if encoder.is_over() {
                return None.into();
            }
            if let Some(chunk) = encoder.step(ready!(rows.as_mut().poll_next(cx))) {
                fresh = true;
                return Some(chunk).into();
            }
        }
    }))
}

/// The last chunk is told of when the server has taken it.
fn tell(encoder: &Encoder, options: &mut BulkOptions<'_>) {
    if !encoder.is_over() && encoder.rows() > 0 {
        options.tell(encoder.rows());
    }
}

/// The rows that these chunks of data hold. The first error ends them.
pub(crate) fn decoded<'a>(description: Description, mut chunks: BytesIter<'a>) -> RowIter<'a> {
    let mut decoder = Decoder::new(shared(&description));
    RowIter::new(iter::from_fn(move || {
        loop {
            if let Some(row) = decoder.row() {
                return Some(row);
            }
            if decoder.is_over() {
                return None;
            }
            decoder.feed(chunks.next());
        }
    }))
}

/// The same, awaited.
pub(crate) fn decoded_stream<'a>(description: Description, mut chunks: BytesStream<'a>) -> RowStream<'a> {
    let mut decoder = Decoder::new(shared(&description));
    AsyncIter::new(stream::poll_fn(move |cx| {
        loop {
            if let Some(row) = decoder.row() {
                return Some(row).into();
            }
            if decoder.is_over() {
                return None.into();
            }
            decoder.feed(ready!(std::pin::Pin::new(&mut chunks).poll_next(cx)));
        }
    }))
}

fn shared(description: &Description) -> Arc<[Column]> {
    description.columns().into()
}

#[cfg(test)]
mod tests;
