//! Parameters that outlive the call they were given to, so that they can go to another thread.
//!
//! They are encoded where they are, which needs the types that the statement asks for. Those are learned from a
//! description and kept for each text. Should the statement ask for other types by the time it runs, nothing is sent,
//! and they are learned anew.

use std::{
    collections::HashMap,
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type};

use crate::Value;

type Cause = Box<dyn StdError + Sync + Send>;

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
        let values = params.iter().enumerate().map(|(at, value)| match types.get(at) {
            Some(ty) => Encoded::new(ty, *value, stale.clone()),
            None => Encoded { ty: Type::UNKNOWN, format: Format::Binary, wire: Ok(None), stale: stale.clone() },
        });
        Self { values: values.collect(), stale }
    }

    /// Encodes parameters as the types that are natural for them, for a statement that can't be described yet: what it
    /// is about is made by others before it.
    pub(super) fn natural(params: &[&(dyn ToSql + Sync)]) -> Self {
        let stale = Arc::new(AtomicBool::new(false));
        let values = params.iter().map(|value| {
            let natural = Value::of(*value);
            let wire = match natural.as_wire() {
                Some((_, bytes)) => Ok(bytes.map(Bytes::copy_from_slice)),
                None => Err("its type can't be known before the statement is run".into()),
            };
            Encoded { ty: natural.ty().clone(), format: Format::Binary, wire, stale: stale.clone() }
        });
        Self { values: values.collect(), stale }
    }

    pub(super) fn refs(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
    }

    /// Whether the statement asked for other types than those that were learned.
    pub(super) fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }
}

/// One parameter in the form that the wire has, or why it has none.
#[derive(Clone)]
struct Encoded {
    ty: Type,
    format: Format,
    wire: Result<Option<Bytes>, Arc<str>>,
    stale: Arc<AtomicBool>,
}

impl Encoded {
    fn new(ty: &Type, value: &(dyn ToSql + Sync), stale: Arc<AtomicBool>) -> Self {
        let mut buffer = BytesMut::new();
        let wire = match value.to_sql_checked(ty, &mut buffer) {
            Ok(IsNull::Yes) => Ok(None),
            Ok(IsNull::No) => Ok(Some(buffer.freeze())),
            Err(cause) => Err(cause.to_string().into()),
        };
        Self { ty: ty.clone(), format: value.encode_format(ty), wire, stale }
    }
}

impl ToSql for Encoded {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        self.to_sql_checked(ty, out)
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        if *ty != self.ty {
            self.stale.store(true, Relaxed);
            return Err(format!("the statement asked for type {} before, and asks for {ty} now", self.ty).into());
        }
        match &self.wire {
            Ok(Some(bytes)) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            Ok(None) => Ok(IsNull::Yes),
            Err(cause) => Err(cause.to_string().into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        self.format
    }
}

/// Nothing of the value.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("ty", &self.ty).finish_non_exhaustive()
    }
}
