//! A parameter on its way through the driver.

use std::{
    any::Any,
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::BytesMut;
use postgres_types::{Format, IsNull, ToSql, Type};

use crate::param::{Cause, Panicked};

/// The most bytes that a thread keeps for the next value.
const KEPT: usize = 4096;

thread_local! {
    /// Where values are encoded.
    static OWN: Cell<BytesMut> = Cell::new(BytesMut::with_capacity(64));
}

/// A parameter whose panic goes past the driver: unwinding through that, it would leave half a message in front of the
/// next one, which on a shared connection is another caller's.
pub(super) struct Param<'a> {
    value: &'a (dyn ToSql + Sync),
    /// Where its encoded length is added.
    bytes: Option<&'a AtomicUsize>,
    /// What it panicked with when it was asked for its format, which can't fail.
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl<'a> Param<'a> {
    #[inline]
    pub(super) fn new(value: &'a (dyn ToSql + Sync)) -> Self {
        Self { value, bytes: None, panic: Cell::new(None) }
    }

    /// The same, and its encoded length is added here.
    pub(super) fn measured(value: &'a (dyn ToSql + Sync), bytes: &'a AtomicUsize) -> Self {
        Self { bytes: Some(bytes), ..Self::new(value) }
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        self.to_sql_checked(ty, out)
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        if let Some(panic) = self.panic.take() {
            return Err(Panicked::new(panic).into());
        }
        // What stands in front of it in the driver's buffer is out of its reach.
        let mut own = OWN.take();
        own.clear();
        let encoded = catch_unwind(AssertUnwindSafe(|| self.value.to_sql_checked(ty, &mut own)));
        out.extend_from_slice(&own);
        if let Some(bytes) = self.bytes {
            bytes.fetch_add(own.len(), Relaxed);
        }
        if own.capacity() <= KEPT {
            OWN.set(own);
        }
        encoded.unwrap_or_else(|panic| Err(Panicked::new(panic).into()))
    }

    /// The value itself is asked, by `to_sql_checked`.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        catch_unwind(AssertUnwindSafe(|| self.value.encode_format(ty))).unwrap_or_else(|panic| {
            self.panic.set(Some(panic));
            Format::Binary
        })
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value, f)
    }
}
