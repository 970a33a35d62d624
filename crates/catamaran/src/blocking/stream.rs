//! Rows and COPY data as iterators that hold their connection.

use bytes::Bytes;
use fallible_iterator::FallibleIterator as _;
use postgres_types::ToSql;
use self_cell::{MutBorrow, self_cell};

use super::{
    connection::{Connection, Open},
    copy::{Chunks, next_chunk},
    lease::Access,
};
use crate::{
    BytesIter, EachRow, Error, Result, Row, RowIter, driver_error::using, many::Within, stream::Iter,
    transaction::Level,
};

self_cell!(
    /// A connection and what reads from it.
    struct Reading {
        owner: MutBorrow<Open>,
        #[not_covariant]
        dependent: Source,
    }
);

enum Source<'a> {
    Rows(postgres::RowIter<'a>),
    Copy(postgres::CopyOutReader<'a>),
}

/// Holds the connection for an open stream: a whole lease, or the session or transaction that has one.
struct Streaming<'a> {
    reading: Option<Reading>,
    ended: bool,
    /// It ends with the commit of a transaction of its own.
    own: bool,
    access: Access<'a>,
}

/// A connection that is given back unless a stream begins.
struct Taken<'a> {
    connection: &'a Connection,
    open: Option<Open>,
}

/// Streams a statement's rows from a connection that `access` holds.
pub(crate) fn rows<'a>(access: Access<'a>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'a>> {
    let mut taken = Taken::take(access.connection())?;
    let mut runs = 1;
    let reading = loop {
        let (kept, was_kept) = taken.with(|open| open.keep_for(sql, params))?;
        match taken.read(|open| open.rows(&kept, params).map(Source::Rows)) {
            Err(error) => {
                let again = taken.with(|open| Ok(open.runs_again(sql, &kept, was_kept, runs, &error)))?;
                if !again {
                    return Err(error);
                }
                runs += 1;
            }
            Ok(reading) => break reading,
        }
    };
    drop(taken);
    let mut rows = Streaming { reading: Some(reading), ended: false, own: false, access };
    Ok(Iter::new(std::iter::from_fn(move || {
        rows.next(|source| match source {
            Source::Rows(rows) => rows.next().map_err(using).transpose().map(|row| row.map(Row::from_driver)),
            Source::Copy(_) => None,
        })
    })))
}

/// Calls `each` with a statement's rows.
pub(crate) fn each(access: Access<'_>, sql: &str, params: &[&(dyn ToSql + Sync)], each: EachRow<'_>) -> Result<()> {
    rows(access, sql, params)?.try_for_each(|row| each(&row?))
}

/// Sends COPY data on a connection that is taken meanwhile: who makes it may ask for the connection, too.
pub(crate) fn copy_in(connection: &Connection, sql: &str, chunks: Chunks<'_>, within: Within) -> Result<u64> {
    Taken::take(connection)?.with(|open| open.copy_in(sql, chunks, within))
}

/// Streams the data of a `COPY … TO STDOUT` from a connection that `access` holds.
pub(crate) fn copy_out<'a>(access: Access<'a>, sql: &str, within: Within) -> Result<BytesIter<'a>> {
    let mut taken = Taken::take(access.connection())?;
    let (kept, own) = taken.with(|open| open.keep_copy_out(sql, within))?;
    let reading = match taken.read(|open| open.copy_out(&kept).map(Source::Copy)) {
        Ok(reading) => reading,
        Err(error) => return taken.with(|open| if own { open.end_own(Err(error)) } else { Err(error) }),
    };
    drop(taken);
    let mut data = Streaming { reading: Some(reading), ended: false, own, access };
    Ok(Iter::<Bytes>::new(std::iter::from_fn(move || {
        data.next(|source| match source {
            Source::Copy(data) => next_chunk(data),
            Source::Rows(_) => None,
        })
    })))
}

impl<'a> Taken<'a> {
    fn take(connection: &'a Connection) -> Result<Self> {
        Ok(Self { connection, open: Some(connection.take()?) })
    }

    fn with<T>(&mut self, run: impl FnOnce(&mut Open) -> Result<T>) -> Result<T> {
        let open = self.open.as_mut().ok_or_else(Error::busy)?;
        let result = run(open);
        open.note_failure(&result);
        result
    }

    /// Begins to read.
    fn read(&mut self, start: impl for<'c> FnOnce(&'c mut Open) -> Result<Source<'c>>) -> Result<Reading> {
        let open = MutBorrow::new(self.open.take().ok_or_else(Error::busy)?);
        Reading::try_new_or_recover(open, |open| start(open.borrow_mut())).map_err(|(open, error)| {
            let mut open = open.into_inner();
            open.note_failure::<()>(&Err(error.clone()));
            self.open = Some(open);
            error
        })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.connection.put(open);
        }
    }
}

impl Streaming<'_> {
    fn next<T>(&mut self, next: impl FnOnce(&mut Source<'_>) -> Option<Result<T>>) -> Option<Result<T>> {
        let item = self.reading.as_mut().filter(|_| !self.ended)?.with_dependent_mut(|_, source| next(source));
        if matches!(item, Some(Ok(_))) { item } else { self.finish(item) }
    }

    /// Gives the connection back as soon as there is nothing more to read.
    fn finish<T>(&mut self, last: Option<Result<T>>) -> Option<Result<T>> {
        self.ended = true;
        let reading = self.reading.take()?;
        let mut open = reading.into_owner().into_inner();
        let mut end = last.transpose().map(drop);
        open.note_failure(&end);
        if self.own {
            end = open.end_own(end);
            open.note_failure(&end);
        }
        self.access.connection().put(open);
        end.err().map(Err)
    }
}

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        let mut open = reading.into_owner().into_inner();
        open.abandon();
        if self.own {
            open.owe(Level::OUTERMOST);
        }
        self.access.connection().put(open);
    }
}
