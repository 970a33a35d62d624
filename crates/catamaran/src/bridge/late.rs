//! Parameters that are encoded while their statement waits: which types it asks for is known only then, because what it
//! is about is made or changed by others before it.
//!
//! Whoever runs the statement asks whoever gave the parameter, on another thread, which answers as long as the call
//! lasts.

use std::{
    fmt,
    sync::{Mutex, PoisonError, mpsc::SyncSender, mpsc::sync_channel},
};

use bytes::{Bytes, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type};

use super::requests;
use crate::param::{self, Cause};

/// A value in the form that the wire has for one type, or why it has none.
struct Form {
    ty: Type,
    format: Format,
    wire: Result<Option<Bytes>, Cause>,
}

/// A question for the form of a parameter.
pub(super) struct Asked {
    statement: usize,
    param: usize,
    ty: Type,
    answer: SyncSender<Form>,
}

/// Where questions come in, until nobody can ask any more.
pub(super) type Questions = requests::Receiver<Asked>;
/// Where they are asked.
pub(super) type Asks = requests::Sender<Asked>;

/// One parameter that is asked for.
pub(super) struct Late {
    statement: usize,
    param: usize,
    asks: Asks,
    /// What was asked for last: the format is asked for before the value.
    held: Mutex<Option<Form>>,
}

impl Asked {
    /// Encodes the value, which is found by its statement and its place there.
    pub(super) fn answer<'a>(self, find: impl FnOnce(usize, usize) -> Option<&'a (dyn ToSql + Sync)>) {
        let Some(value) = find(self.statement, self.param) else { return };
        let mut buffer = BytesMut::new();
        let wire = param::encode(value, &self.ty, &mut buffer).map(|is_null| match is_null {
            IsNull::Yes => None,
            IsNull::No => Some(buffer.freeze()),
        });
        let format = value.encode_format(&self.ty);
        // Nobody takes it if the call was given up.
        let _ = self.answer.send(Form { ty: self.ty, format, wire });
    }
}

impl Late {
    pub(super) fn new(statement: usize, param: usize, asks: Asks) -> Self {
        Self { statement, param, asks, held: Mutex::new(None) }
    }

    pub(super) fn encode(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let form = match held.filter(|form| form.ty == *ty) {
            Some(form) => form,
            None => self.ask(ty)?,
        };
        Ok(match form.wire? {
            Some(bytes) => {
                out.extend_from_slice(&bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    pub(super) fn format(&self, ty: &Type) -> Format {
        // Whoever gave up says so when the value is asked for.
        let Ok(form) = self.ask(ty) else { return Format::Binary };
        let format = form.format;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(form);
        format
    }

    /// Waits for the thread that has the value. It answers at once, or drops the question when it gives up.
    fn ask(&self, ty: &Type) -> Result<Form, Cause> {
        let (answer, form) = sync_channel(1);
        let asked = Asked { statement: self.statement, param: self.param, ty: ty.clone(), answer };
        self.asks.send(asked).ok().and_then(|()| form.recv().ok()).ok_or_else(|| "whoever gave it has given up".into())
    }
}

/// Nothing of the value.
impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late").field("statement", &self.statement).field("param", &self.param).finish_non_exhaustive()
    }
}
