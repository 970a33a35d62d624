//! COPY in both directions.
//!
//! Outside a transaction it runs in one of its own: the driver takes the end of the data for the end of the statement,
//! and what the server finds after it, at a commit of its own, would be read by nobody.

use std::io::{self, BufRead as _, Write as _};

use bytes::Bytes;
use postgres::CopyOutReader;

use super::connection::Open;
use crate::{
    Error, ErrorKind, Result,
    driver_error::using,
    many::Within,
    statement_cache::Kept,
    traces::{Traces, Travel},
    transaction::Level,
};

/// Chunks of data, as the caller gives them.
pub(crate) type Chunks<'a> = &'a mut (dyn Iterator<Item = Result<Bytes>> + Send);

impl Open {
    pub(crate) fn copy_in(&mut self, sql: &str, chunks: Chunks<'_>, within: Within) -> Result<u64> {
        let kept = self.keep(sql)?.0.travels(Travel::CopyIn)?;
        let own = within == Within::Connection && !self.is_in_transaction()?;
        if !own {
            return self.feed(&kept, chunks);
        }
        // For a panic among the chunks.
        self.owe(Level::OUTERMOST);
        let copied = self.begin(Level::OUTERMOST, "BEGIN").and_then(|()| self.feed(&kept, chunks));
        self.owe_nothing();
        self.end_own(copied)
    }

    /// Sends the data, and has the connection in step afterwards, or gives it up.
    fn feed(&mut self, kept: &Kept, chunks: Chunks<'_>) -> Result<u64> {
        self.note(kept.traces);
        // Noted before, for a panic among the chunks.
        self.unproved = true;
        let copied = self.send_chunks(kept, chunks);
        match &copied {
            Ok(_) => self.unproved = false,
            Err(error) if error.kind() == ErrorKind::ConnectionLost => {}
            // What goes on in it is said by the error itself, and by what is asked next.
            Err(_) => _ = self.prove(),
        }
        copied
    }

    fn send_chunks(&mut self, kept: &Kept, chunks: Chunks<'_>) -> Result<u64> {
        let mut sink = self.client.copy_in(&kept.statement).map_err(using)?;
        for chunk in chunks {
            sink.write_all(&chunk?).map_err(from_io)?;
        }
        sink.finish().map_err(using)
    }

    /// Whether the next answer is that of the next request.
    ///
    /// Behind a COPY in that the server refuses, the driver ends the data that was on the way with a second Sync, and the
    /// server answers both. Whatever is asked next would get the answer that is one too many, and everybody after it that
    /// of somebody else. The driver also ends a COPY that was given up only when it is asked for something else.
    fn is_in_step(&mut self) -> bool {
        let nonce = fastrand::u64(..).to_string();
        match self.client.simple_query(&format!("SELECT '{nonce}'")) {
            Ok(messages) => messages.iter().any(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some(&*nonce),
                _ => false,
            }),
            // In a transaction that has failed, no statement is run.
            Err(error) => error.code().is_some_and(|code| code.code() == "25P02"),
        }
    }

    /// Finds out whether the connection is in step after a COPY in that did not come to its end, or gives it up.
    pub(super) fn prove(&mut self) -> Result<()> {
        if !self.is_in_step() {
            self.lost = true;
            return Err(Error::out_of_step());
        }
        self.unproved = false;
        Ok(())
    }

    /// COPY data as it comes, from a statement of [`keep_copy_out`](Self::keep_copy_out).
    pub(super) fn copy_out(&mut self, kept: &Kept) -> Result<CopyOutReader<'_>> {
        self.client.copy_out(&kept.statement).map_err(using)
    }

    /// The statement, and whether a transaction of its own was begun for it.
    pub(super) fn keep_copy_out(&mut self, sql: &str, within: Within) -> Result<(Kept, bool)> {
        let kept = self.keep(sql)?.0.travels(Travel::CopyOut)?;
        let own = within == Within::Connection && !self.is_in_transaction()?;
        if own {
            self.begin(Level::OUTERMOST, "BEGIN")?;
        }
        self.note(kept.traces);
        Ok((kept, own))
    }

    /// Ends a transaction of the library's own with what came of everything within it.
    pub(super) fn end_own<T>(&mut self, result: Result<T>) -> Result<T> {
        let ended = match result {
            Ok(value) => self.commit(Level::OUTERMOST).map(|()| value),
            Err(error) if self.left().has(Traces::ENDED) => Err(error.behind_end()),
            error => error,
        };
        if ended.as_ref().is_err_and(|error| !error.is_loss()) && !self.lost {
            // The first error says more. Also behind a commit that has failed, which may have been refused before it began;
            // what can't be rolled back now is owed.
            self.owe(Level::OUTERMOST);
            let _ = self.roll_back_owed();
        }
        ended
    }
}

/// The next chunk of COPY data, as large as the server sent it.
pub(super) fn next_chunk(reader: &mut CopyOutReader<'_>) -> Option<Result<Bytes>> {
    let chunk = match reader.fill_buf() {
        Ok(chunk) => Bytes::copy_from_slice(chunk),
        Err(error) => return Some(Err(from_io(error))),
    };
    reader.consume(chunk.len());
    if chunk.is_empty() { None } else { Some(Ok(chunk)) }
}

/// The driver's COPY speaks `std::io`, with its own error inside.
fn from_io(error: io::Error) -> Error {
    match error.downcast::<postgres::Error>() {
        Ok(error) => using(error),
        Err(error) => Error::with_source(ErrorKind::ConnectionLost, format!("the connection was lost: {error}"), error),
    }
}
