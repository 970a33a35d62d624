//! Parameters that outlive the call they were given to, so that they can go to another thread.
//!
//! They are encoded where they are, which needs the types that the statement asks for. Those are learned from a
//! description and kept for each text. Should the statement ask for other types by the time it runs, nothing is sent,
//! and they are learned anew; one of many statements asks for the parameter again instead.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type};

use super::late::{Asks, Late};
use crate::{
    Error, ErrorKind,
    param::{self, Cause},
};

/// The most texts whose types are kept; all are forgotten when there are more.
const MOST: usize = 1024;

/// The types of the parameters of statements, by their text.
#[derive(Debug, Default)]
pub(super) struct Types(Mutex<HashMap<Box<str>, Arc<[Type]>>>);

impl Types {
    pub(super) fn of(&self, sql: &str) -> Option<Arc<[Type]>> {
        self.known().get(sql).cloned()
    }

    pub(super) fn learn(&self, sql: &str, types: &[Type]) -> Arc<[Type]> {
        let types: Arc<[Type]> = types.into();
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(sql.into(), types.clone());
        types
    }

    pub(super) fn forget(&self, sql: &str) {
        self.known().remove(sql);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<[Type]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parameters of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned {
    values: Vec<Encoded>,
    stale: Arc<AtomicBool>,
}

impl Owned {
    /// Encodes parameters. How many there should be is left to whoever runs the statement, and so are errors of
    /// encoding: they are told as they would be without a bridge.
    pub(super) fn new(types: &[Type], params: &[&(dyn ToSql + Sync)]) -> Self {
        let stale = Arc::new(AtomicBool::new(false));
        let values = params.iter().enumerate().map(|(at, value)| {
            let known = match types.get(at) {
                Some(ty) => Known::new(ty, *value),
                None => Known { ty: Type::UNKNOWN, format: Format::Binary, wire: Ok(None) },
            };
            Encoded { known: Some(known), late: None, stale: stale.clone() }
        });
        Self { values: values.collect(), stale }
    }

    /// Parameters of which no type is known.
    pub(super) fn unknown(params: &[&(dyn ToSql + Sync)]) -> Self {
        let stale = Arc::<AtomicBool>::default();
        let values = params.iter().map(|_| Encoded { known: None, late: None, stale: stale.clone() });
        Self { values: values.collect(), stale }
    }

    /// The same, asked for again where the statement asks for another type than the one that is known.
    pub(super) fn or_late(mut self, statement: usize, asks: &Asks) -> Self {
        for (param, value) in self.values.iter_mut().enumerate() {
            value.late = Some(Arc::new(Late::new(statement, param, asks.clone())));
        }
        self
    }

    pub(super) fn refs(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
    }

    /// Whether nothing was sent, since the statement asks for other types than those that were learned.
    pub(super) fn was_refused(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::Encode && self.stale.load(Relaxed)
    }
}

/// One parameter.
#[derive(Debug, Clone)]
struct Encoded {
    known: Option<Known>,
    late: Option<Arc<Late>>,
    stale: Arc<AtomicBool>,
}

/// A parameter in the form that the wire has for a type, or why it has none.
#[derive(Clone)]
struct Known {
    ty: Type,
    format: Format,
    wire: Result<Option<Bytes>, Arc<str>>,
}

impl Known {
    fn new(ty: &Type, value: &(dyn ToSql + Sync)) -> Self {
        let mut buffer = BytesMut::new();
        let wire = match param::encode(value, ty, &mut buffer) {
            Ok(IsNull::Yes) => Ok(None),
            Ok(IsNull::No) => Ok(Some(buffer.freeze())),
            Err(cause) => Err(cause.to_string().into()),
        };
        Self { ty: ty.clone(), format: value.encode_format(ty), wire }
    }
}

impl Encoded {
    fn known_as(&self, ty: &Type) -> Option<&Known> {
        self.known.as_ref().filter(|known| known.ty == *ty)
    }
}

impl ToSql for Encoded {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        self.to_sql_checked(ty, out)
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        match (self.known_as(ty), &self.late) {
            (Some(Known { wire: Ok(Some(bytes)), .. }), _) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            (Some(Known { wire: Ok(None), .. }), _) => Ok(IsNull::Yes),
            (Some(Known { wire: Err(cause), .. }), _) => Err(cause.to_string().into()),
            (None, Some(late)) => late.encode(ty, out),
            (None, None) => {
                self.stale.store(true, Relaxed);
                Err(format!("the statement asked for another type before, and asks for {ty} now").into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        match (self.known_as(ty), &self.late) {
            (Some(known), _) => known.format,
            (None, Some(late)) => late.format(ty),
            (None, None) => Format::Binary,
        }
    }
}

/// Nothing of the value.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("ty", &self.ty).finish_non_exhaustive()
    }
}
