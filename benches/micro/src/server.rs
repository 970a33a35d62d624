//! A server that has one answer, for rows and statements of the driver without a database.

use std::{error::Error as StdError, io};

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_postgres::{
    Config, NoTls, Row, Statement,
    types::{IsNull, ToSql, Type},
};

/// Whatever went wrong while the answer was made or fetched.
pub type Error = Box<dyn StdError + Send + Sync>;

/// The result of every statement: columns, and rows of as many values.
pub(crate) struct Answer {
    columns: Vec<(&'static str, Type)>,
    rows: Vec<Vec<Box<dyn ToSql + Send + Sync>>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Answer {
    /// An answer of these columns and rows.
    pub(crate) fn new(columns: Vec<(&'static str, Type)>, rows: Vec<Vec<Box<dyn ToSql + Send + Sync>>>) -> Self {
        Self { columns, rows }
    }

    /// A statement that has this answer, and its rows as the driver makes them.
    ///
    /// # Errors
    ///
    /// If a value can't be sent as its column's type.
    pub(crate) fn fetch(&self) -> Result<(Statement, Vec<Row>), Error> {
        let (description, data) = (self.description()?, self.data()?);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(1 << 20);
            let server = tokio::spawn(serve(far, description, data));
            let (client, connection) = Config::new().user("nobody").connect_raw(near, NoTls).await?;
            let connection = tokio::spawn(connection);
            let statement = client.prepare("SELECT").await?;
            let rows = client.query(&statement, &[]).await?;
            drop(client);
            connection.await??;
            server.await??;
            Ok((statement, rows))
        })
    }

    /// No parameters, and the columns.
    fn description(&self) -> Result<BytesMut, Error> {
        let mut out = BytesMut::new();
        message(&mut out, b't', |body| {
            body.put_i16(0);
            Ok(())
        })?;
        message(&mut out, b'T', |body| {
            body.put_i16(i16::try_from(self.columns.len())?);
            for (name, ty) in &self.columns {
                body.put_slice(name.as_bytes());
                body.put_u8(0);
                body.put_u32(0);
                body.put_i16(0);
                body.put_u32(ty.oid());
                body.put_i16(-1);
                body.put_i32(-1);
                body.put_i16(1);
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn data(&self) -> Result<BytesMut, Error> {
        let mut out = BytesMut::new();
        for row in &self.rows {
            message(&mut out, b'D', |body| {
                body.put_i16(i16::try_from(row.len())?);
                for (value, (_, ty)) in row.iter().zip(&self.columns) {
                    let mut raw = BytesMut::new();
                    match value.to_sql_checked(ty, &mut raw)? {
                        IsNull::Yes => body.put_i32(-1),
                        IsNull::No => {
                            body.put_i32(i32::try_from(raw.len())?);
                            body.put_slice(&raw);
                        }
                    }
                }
                Ok(())
            })?;
        }
        message(&mut out, b'C', |body| {
            body.put_slice(b"SELECT\0");
            Ok(())
        })?;
        Ok(out)
    }
}

/// A message of the protocol: its kind, its length and its body.
fn message(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut) -> Result<(), Error>) -> Result<(), Error> {
    let mut inner = BytesMut::new();
    body(&mut inner)?;
    out.put_u8(kind);
    out.put_i32(i32::try_from(inner.len())? + 4);
    out.put_slice(&inner);
    Ok(())
}

/// Lets everybody in and answers what the driver sends to prepare and to run a statement.
async fn serve(mut stream: DuplexStream, description: BytesMut, data: BytesMut) -> io::Result<()> {
    const READY: &[u8] = b"Z\0\0\0\x05I";

    body(&mut stream).await?;
    stream.write_all(b"R\0\0\0\x08\0\0\0\0").await?;
    stream.write_all(READY).await?;
    loop {
        let kind = match stream.read_u8().await {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        body(&mut stream).await?;
        match kind {
            b'P' => stream.write_all(b"1\0\0\0\x04").await?,
            b'D' => stream.write_all(&description).await?,
            b'B' => stream.write_all(b"2\0\0\0\x04").await?,
            b'E' => stream.write_all(&data).await?,
            b'S' => stream.write_all(READY).await?,
            b'X' => return Ok(()),
            _ => return Err(io::Error::other("the driver sent what is not expected of it")),
        }
    }
}

async fn body(stream: &mut DuplexStream) -> io::Result<()> {
    let length = u64::from(stream.read_u32().await?.saturating_sub(4));
    tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await?;
    Ok(())
}
