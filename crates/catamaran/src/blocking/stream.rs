//! Rows and COPY data as iterators that hold their connection.

use bytes::Bytes;
use fallible_iterator::FallibleIterator as _;
use postgres_types::ToSql;
use self_cell::{MutBorrow, self_cell};

use super::{
    connection::{Open, next_chunk},
    lease::Access,
};
use crate::{BytesIter, EachRow, Result, Row, RowIter, driver_error::using, stream::Iter};

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
    access: Access<'a>,
}

/// Streams a statement's rows from a connection that `access` holds.
pub(crate) fn rows<'a>(access: Access<'a>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'a>> {
    let mut rows = Streaming::open(access, |open| open.rows(sql, params).map(Source::Rows))?;
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

/// Streams the data of a `COPY … TO STDOUT` from a connection that `access` holds.
pub(crate) fn copy_out<'a>(access: Access<'a>, sql: &str) -> Result<BytesIter<'a>> {
    let mut data = Streaming::open(access, |open| open.copy_out(sql).map(Source::Copy))?;
    Ok(Iter::<Bytes>::new(std::iter::from_fn(move || {
        data.next(|source| match source {
            Source::Copy(data) => next_chunk(data),
            Source::Rows(_) => None,
        })
    })))
}

impl<'a> Streaming<'a> {
    fn open(access: Access<'a>, start: impl for<'c> FnOnce(&'c mut Open) -> Result<Source<'c>>) -> Result<Self> {
        let open = MutBorrow::new(access.connection().take()?);
        match Reading::try_new_or_recover(open, |open| start(open.borrow_mut())) {
            Ok(reading) => Ok(Self { reading: Some(reading), ended: false, access }),
            Err((open, error)) => {
                let mut open = open.into_inner();
                open.note_failure::<()>(&Err(error.clone()));
                access.connection().put(open);
                Err(error)
            }
        }
    }

    fn next<T>(&mut self, next: impl FnOnce(&mut Source<'_>) -> Option<Result<T>>) -> Option<Result<T>> {
        let item = self.reading.as_mut().filter(|_| !self.ended)?.with_dependent_mut(|_, source| next(source));
        if !matches!(item, Some(Ok(_))) {
            self.finish(&item);
        }
        item
    }

    /// Gives the connection back as soon as there is nothing more to read.
    fn finish<T>(&mut self, last: &Option<Result<T>>) {
        self.ended = true;
        let Some(reading) = self.reading.take() else { return };
        let mut open = reading.into_owner().into_inner();
        if let Some(result) = last {
            open.note_failure(result);
        }
        self.access.connection().put(open);
    }
}

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        let mut open = reading.into_owner().into_inner();
        open.abandon();
        self.access.connection().put(open);
    }
}
