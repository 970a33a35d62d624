//! Parameters on their way to the wire.

#[cfg(feature = "driver")]
use std::{
    any::Any,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
};
use std::{
    error::Error as StdError,
    fmt::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::BytesMut;
use postgres_types::{IsNull, Kind, ToSql, Type};

pub(crate) type Cause = Box<dyn StdError + Sync + Send>;

/// What encoding a value panicked with, as an error for as long as the driver has it.
#[cfg(feature = "driver")]
pub(crate) struct Panicked(Mutex<Option<Box<dyn Any + Send>>>);

#[cfg(feature = "driver")]
impl Panicked {
    #[cfg(feature = "async")]
    pub(crate) fn new(panic: Box<dyn Any + Send>) -> Self {
        Self(Mutex::new(Some(panic)))
    }

    /// Panics with it, in the caller.
    pub(crate) fn go_on(&self) {
        let panic = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

#[cfg(feature = "driver")]
impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it panicked")
    }
}

#[cfg(feature = "driver")]
impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Panicked")
    }
}

#[cfg(feature = "driver")]
impl StdError for Panicked {}

/// Appends the binary form of a value, unless that would be the form of another one.
pub(crate) fn encode(value: &dyn ToSql, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
    check(value, ty)?;
    value.to_sql_checked(ty, out)
}

/// Fails at a `SystemTime` that is too far away for the driver's arithmetic, which would make another moment of it.
///
/// A parameter can't be asked for its Rust type, so that it is known by its `Debug`, of which no more is written than
/// is needed for that.
pub(crate) fn check(value: &dyn ToSql, ty: &Type) -> Result<(), Cause> {
    if !holds_moment(ty) {
        return Ok(());
    }
    let mut moments = Moments { among_others: has_fields(ty), ..Moments::default() };
    // What panics there can be sent all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| write!(moments, "{value:?}")));
    if moments.far { Err("it is too far away for a `timestamp`".into()) } else { Ok(()) }
}

/// Whether a `SystemTime` may be sent as the type, or several as an array.
pub(crate) fn holds_moment(ty: &Type) -> bool {
    match ty.kind() {
        Kind::Array(inner) | Kind::Domain(inner) | Kind::Range(inner) | Kind::Multirange(inner) => holds_moment(inner),
        Kind::Composite(fields) => fields.iter().any(|field| holds_moment(field.type_())),
        _ => matches!(*ty, Type::TIMESTAMPTZ | Type::TIMESTAMP),
    }
}

/// Whether a value of the type may have other values beside a moment.
fn has_fields(ty: &Type) -> bool {
    match ty.kind() {
        Kind::Array(inner) | Kind::Domain(inner) => has_fields(inner),
        kind => matches!(kind, Kind::Composite(_)),
    }
}

/// Looks at the seconds of each `SystemTime` in what is written to it.
#[derive(Default)]
struct Moments {
    /// How much was read of what stands in front of the seconds.
    read: usize,
    /// Behind a letter of a name.
    in_name: bool,
    /// A number in front of a moment may be that of another value.
    among_others: bool,
    seconds: i64,
    negative: bool,
    found: bool,
    /// One is too far away.
    far: bool,
}

impl Moments {
    const BEFORE: &[u8] = b"SystemTime { tv_sec: ";
    /// 2000-01-01, from which the driver counts.
    const EPOCH: i64 = 946_684_800;
    /// How far a moment may be from there: microseconds in an `i64`, of which the last two mean infinity.
    const MOST: u64 = i64::MAX as u64 / 1_000_000 - 1;

    fn next(&mut self, byte: u8) -> fmt::Result {
        let in_name = std::mem::replace(&mut self.in_name, byte.is_ascii_alphanumeric() || byte == b'_');
        match Self::BEFORE.get(self.read) {
            Some(&wanted) if wanted == byte => self.read += 1,
            // A number before any `SystemTime` is that of something else.
            Some(_) if byte.is_ascii_digit() && !in_name && !self.found && !self.among_others => {
                return Err(fmt::Error);
            }
            Some(_) => self.read = usize::from(Self::BEFORE.first() == Some(&byte)),
            None if byte == b'-' => self.negative = true,
            None if byte.is_ascii_digit() => {
                self.seconds = self.seconds.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
            }
            None => {
                let seconds = if self.negative { -self.seconds } else { self.seconds };
                let far = seconds.saturating_sub(Self::EPOCH).unsigned_abs() > Self::MOST;
                *self = Self { found: true, far, among_others: self.among_others, ..Self::default() };
                return if far { Err(fmt::Error) } else { Ok(()) };
            }
        }
        Ok(())
    }
}

impl fmt::Write for Moments {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().try_for_each(|byte| self.next(byte))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use postgres_types::{Field, Timestamp};

    use super::*;

    fn at(seconds: i64) -> SystemTime {
        let offset = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { SystemTime::UNIX_EPOCH - offset } else { SystemTime::UNIX_EPOCH + offset }
    }

    /// What the server gets, in microseconds from 2000.
    fn sent(value: &dyn ToSql) -> Result<i64, String> {
        let mut out = BytesMut::new();
        encode(value, &Type::TIMESTAMPTZ, &mut out).map_err(|cause| cause.to_string())?;
        Ok(i64::from_be_bytes(out[..].try_into().unwrap()))
    }

    #[test]
    fn a_moment_is_sent_as_itself_or_not_at_all() {
        let edge = i64::MAX / 1_000_000;
        for seconds in [0, 1, -1, 946_684_800, edge, edge + 946_684_798, 946_684_801 - edge] {
            assert_eq!(sent(&at(seconds)), Ok((seconds - 946_684_800) * 1_000_000), "{seconds}");
        }
        for seconds in [edge + 946_684_800, 946_684_800 - edge, i64::MAX - 1, i64::MIN + 1, i64::MAX / 2] {
            for far in [&at(seconds) as &dyn ToSql, &Some(at(seconds)), &Box::new(at(seconds))] {
                assert!(sent(far).is_err(), "{seconds}");
            }
            assert!(sent(&Timestamp::Value(at(seconds))).is_err(), "{seconds}");
            let many = [Some(at(0)), None, Some(at(seconds)), Some(at(1))];
            assert!(check(&&many[..], &Type::TIMESTAMPTZ_ARRAY).is_err(), "{seconds}");
            assert!(check(&&many[..2], &Type::TIMESTAMPTZ_ARRAY).is_ok());
        }
        assert_eq!(sent(&Timestamp::<SystemTime>::PosInfinity), Ok(i64::MAX));
    }

    #[derive(Debug, postgres_types::ToSql)]
    #[postgres(transparent)]
    struct AtV2(SystemTime);

    #[derive(Debug, postgres_types::ToSql)]
    struct Pair {
        id: i32,
        at: SystemTime,
    }

    #[test]
    fn a_moment_is_found_in_other_values() {
        let fields = [("id", Type::INT4), ("at", Type::TIMESTAMPTZ)].map(|(name, ty)| Field::new(name.into(), ty));
        let pair = Type::new("pair".into(), 1, Kind::Composite(fields.into()), "public".into());
        for (seconds, is_right) in [(0, true), (18_400_946_684_800, false)] {
            assert_eq!(check(&AtV2(at(seconds)), &Type::TIMESTAMPTZ).is_ok(), is_right);
            assert_eq!(check(&Pair { id: 1, at: at(seconds) }, &pair).is_ok(), is_right);
        }
    }

    /// The control of the one above, and the reason for it: the driver alone sends another moment, or panics.
    #[test]
    fn the_driver_alone_sends_another_moment() {
        let far = at(i64::MAX / 1_000_000 * 3);
        let alone = std::panic::catch_unwind(|| {
            let mut out = BytesMut::new();
            far.to_sql_checked(&Type::TIMESTAMPTZ, &mut out).unwrap();
            i128::from(i64::from_be_bytes(out[..].try_into().unwrap()))
        });
        let right = (i128::from(i64::MAX / 1_000_000 * 3) - 946_684_800) * 1_000_000;
        assert!(alone.is_err() || alone.is_ok_and(|sent| sent != right));
    }
}
