//! A parameter whose encoded length is added up.

use std::{
    error::Error as StdError,
    fmt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::BytesMut;
use postgres_types::{Format, IsNull, ToSql, Type};

/// A parameter, and where its length is added once it is sent.
pub(crate) struct Measured<'a> {
    pub(crate) value: &'a (dyn ToSql + Sync),
    pub(crate) bytes: &'a AtomicUsize,
}

impl ToSql for Measured<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql_checked(ty, out)
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let begin = out.len();
        let null = self.value.to_sql_checked(ty, out)?;
        self.bytes.fetch_add(out.len().saturating_sub(begin), Relaxed);
        Ok(null)
    }

    /// The value itself is asked, by `to_sql_checked`.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        self.value.encode_format(ty)
    }
}

impl fmt::Debug for Measured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value, f)
    }
}
