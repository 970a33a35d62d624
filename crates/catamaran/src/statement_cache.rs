//! The prepared statements that a connection keeps.

use std::{hash::BuildHasher, num::NonZeroUsize};

use lru::{DefaultHasher, LruCache};
use postgres_types::ToSql;
use tokio_postgres::Statement;

use crate::{
    Error, ErrorKind, Result,
    fingerprint::fingerprint,
    kinds::{has_composite, has_enum},
    param::{check, holds_moment},
    traces::{Traces, Travel, commits, runs_procedure},
};

/// A statement the server has prepared, and what running it may leave on the connection.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) statement: Statement,
    pub(crate) traces: Traces,
    travel: Travel,
    /// It commits a transaction that was begun by hand.
    pub(crate) commits: bool,
    procedure: bool,
    /// Some parameter may be a `SystemTime`.
    moments: bool,
}

impl Kept {
    pub(crate) fn new(sql: &str, statement: Statement) -> Self {
        Self {
            moments: statement.params().iter().any(holds_moment),
            statement,
            traces: Traces::of_statement(sql),
            travel: Travel::of(sql),
            commits: commits(sql),
            procedure: runs_procedure(sql),
        }
    }

    /// Whether it runs a procedure, which may commit by itself.
    pub(crate) fn is_procedure(&self) -> bool {
        self.procedure
    }

    /// Whether it means something only now: a value of it is of a type whose fields have names, of which nothing tells when
    /// they change, or it has a literal such as `'now'`, which the server reads when it prepares it.
    pub(crate) fn is_of_the_moment(&self) -> bool {
        self.traces.has(Traces::MOMENT) || knows_composites(&self.statement)
    }

    /// Whether a parameter may be of an enum, which may have got a value that the driver does not know of.
    pub(crate) fn takes_enums(&self) -> bool {
        self.statement.params().iter().any(|ty| has_enum(ty) || has_composite(ty))
    }

    /// Whether a message of the server names it. The driver shows the name nowhere else.
    pub(crate) fn is_named_in(&self, message: &str) -> bool {
        let shown = format!("{:?}", self.statement);
        let name = shown.split('"').nth(1).unwrap_or_default();
        !name.is_empty() && message.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
    }

    /// Fails unless the statement's data travels like this.
    pub(crate) fn travels(self, travel: Travel) -> Result<Self> {
        self.check_travel(travel).map(|()| self)
    }

    /// Fails unless the statement gives rows, and these parameters can be sent to it.
    #[inline]
    pub(crate) fn check_for(&self, params: &[&(dyn ToSql + Sync)]) -> Result<()> {
        self.check_travel(Travel::Rows)?;
        self.check_count(params.len())?;
        if self.moments { self.check_moments(params) } else { Ok(()) }
    }

    #[inline]
    fn check_travel(&self, travel: Travel) -> Result<()> {
        let message = match self.travel {
            actual if actual == travel => return Ok(()),
            Travel::Rows => "this is no COPY with STDIN or STDOUT",
            Travel::CopyIn => "COPY … FROM STDIN is run by copy_in",
            Travel::CopyOut => "COPY … TO STDOUT is run by copy_out",
        };
        Err(Error::new(ErrorKind::WrongStatement, message))
    }

    #[inline]
    fn check_count(&self, given: usize) -> Result<()> {
        match self.statement.params().len() {
            wanted if wanted == given => Ok(()),
            wanted => {
                let message = format!("the statement has {wanted} parameters, and {given} were given");
                Err(Error::new(ErrorKind::ParameterCount, message))
            }
        }
    }

    fn check_moments(&self, params: &[&(dyn ToSql + Sync)]) -> Result<()> {
        (1..).zip(params.iter().zip(self.statement.params())).try_for_each(|(number, (param, ty))| {
            check(*param, ty).map_err(|cause| Error::new(ErrorKind::Encode, format!("parameter ${number}: {cause}")))
        })
    }
}

/// Whether the driver has learned of types with named fields by preparing this.
pub(crate) fn knows_composites(statement: &Statement) -> bool {
    let columns = statement.columns().iter().map(|column| column.type_());
    columns.chain(statement.params()).any(has_composite)
}

/// The longest text that is remembered without being kept, in bytes.
const LONGEST: usize = 1024;

/// The statements used last, by their text; the one not used for longest makes room.
///
/// The driver closes a statement on the server when its last clone is dropped, so what falls out here is really closed.
pub(crate) struct StatementCache<S = DefaultHasher> {
    entries: Option<LruCache<Box<str>, Kept, S>>,
    last: Last,
    /// The text of the last one that is not kept.
    other: Box<str>,
}

/// The statement that was run last.
#[derive(Clone, Copy)]
enum Last {
    Unknown,
    /// The one that was used last of those that are kept.
    Kept,
    Other,
}

impl<S: BuildHasher + Default> StatementCache<S> {
    /// Keeps up to `size` statements; with 0, none.
    pub(crate) fn new(size: usize) -> Self {
        let entries = NonZeroUsize::new(size).map(|size| LruCache::with_hasher(size, S::default()));
        Self { entries, last: Last::Unknown, other: Box::default() }
    }

    pub(crate) fn get(&mut self, sql: &str) -> Option<Kept> {
        self.last = Last::Kept;
        let entries = self.entries.as_mut()?;
        // The same again is found without a search.
        if let Some((_, last)) = entries.peek_mru().filter(|(last, _)| ***last == *sql) {
            return Some(last.clone());
        }
        entries.get(sql).cloned()
    }

    pub(crate) fn insert(&mut self, sql: &str, kept: Kept) {
        match &mut self.entries {
            Some(entries) => {
                self.last = Last::Kept;
                entries.put(sql.into(), kept);
            }
            None => self.runs(sql),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.last = Last::Unknown;
        if let Some(entries) = &mut self.entries {
            entries.clear();
        }
    }

    pub(crate) fn remove(&mut self, sql: &str) {
        self.last = Last::Unknown;
        if let Some(entries) = &mut self.entries {
            entries.pop(sql);
        }
    }

    /// Notes a statement that is run without being kept.
    pub(crate) fn runs(&mut self, sql: &str) {
        self.last = Last::Other;
        self.other = sql[..sql.floor_char_boundary(LONGEST)].into();
    }

    /// Forgets which one was run last.
    pub(crate) fn forget_last(&mut self) {
        self.last = Last::Unknown;
    }

    /// The statement that was run last, without the values in its text.
    pub(crate) fn last(&self) -> Option<String> {
        match self.last {
            Last::Unknown => None,
            Last::Kept => self.entries.as_ref()?.peek_mru().map(|(sql, _)| fingerprint(sql)),
            Last::Other => Some(fingerprint(&self.other)),
        }
    }
}
