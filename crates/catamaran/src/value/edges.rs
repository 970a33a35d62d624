//! Values that a Rust type would be read from wrongly: found in the bytes, before its `FromSql` sees them.
//!
//! What `FromSql` does can't be changed, and its type can't be asked what it is, so that it is known by its name. Only
//! where the bytes hold such a value is the name looked at.

mod decimal;

use std::{
    error::Error as StdError,
    fmt,
    time::{Duration, SystemTime},
};

use postgres_types::{Kind, Type};

use crate::json::wire::{Problem, Reader};

/// How bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Plain,
    /// There is a number in them at which some decoders are known to panic.
    MayPanic,
}

/// What is wrong with a value, in words that show nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misfit(pub(super) &'static str);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Misfit {}

impl From<Problem> for Misfit {
    fn from(_: Problem) -> Self {
        MALFORMED
    }
}

const MALFORMED: Misfit = Misfit("its bytes are not those of its type");
const CHANGED: Misfit = Misfit("it has other fields than the driver knows of; the type was changed meanwhile");
const NOT_FINITE: Misfit = Misfit("it is NaN or infinite; read it as text, with `::text` in the statement");
const TOO_MANY_DIGITS: Misfit =
    Misfit("it has more digits than fit; `round` it in the statement, or read it as text, with `::text`");
const MIDNIGHT: Misfit = Misfit("it is 24:00, the end of the day; read it as text, with `::text` in the statement");
const INFINITE_TIMESTAMP: Misfit =
    Misfit("it is infinite; `catamaran::types::Timestamp` of the Rust type can hold that");
const INFINITE_DATE: Misfit = Misfit("it is infinite; `catamaran::types::Date` of the Rust type can hold that");
const TOO_FAR: Misfit = Misfit("it is too far away; read it as text, with `::text` in the statement");
pub(super) const BEYOND: Misfit = Misfit("it is beyond what the Rust type holds; read it as text, with `::text`");
const NETWORK: Misfit = Misfit("it has a netmask; read `host()` of it, or the text, with `::text` in the statement");

const DECIMAL: &str = "rust_decimal::decimal::Decimal";
const SYSTEM_TIME: &str = "std::time::SystemTime";
const IP_ADDRESS: &str = "core::net::ip_addr::IpAddr";
/// Clocks that begin anew where they end.
const CLOCKS: [&str; 2] = ["chrono::naive::time::NaiveTime", "time::time::Time"];
/// What has no infinity. Only the first takes it for a date; of the others, the message alone is better.
const INSTANTS: [&str; 6] = [
    SYSTEM_TIME,
    "chrono::datetime::DateTime<chrono::offset::utc::Utc>",
    "chrono::datetime::DateTime<chrono::offset::local::Local>",
    "chrono::datetime::DateTime<chrono::offset::fixed::FixedOffset>",
    "chrono::naive::datetime::NaiveDateTime",
    "chrono::naive::date::NaiveDate",
];

/// A year that every type knows, to either side of 2000, in microseconds.
const NEAR: u64 = 300 * 365 * 86_400 * 1_000_000;

/// Whether the bytes are those of a time that every type knows.
#[inline]
pub(super) fn is_near(ty: &Type, raw: &[u8]) -> bool {
    let micros = raw.try_into().map(i64::from_be_bytes);
    matches!(*ty, Type::TIMESTAMPTZ | Type::TIMESTAMP) && micros.is_ok_and(|micros| micros.unsigned_abs() < NEAR)
}

/// Whether bytes of the type are to be looked at. Most are what they are.
#[inline]
pub(super) fn possible(ty: &Type) -> bool {
    !matches!(
        *ty,
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::BYTEA
            | Type::UUID
            | Type::JSON
            | Type::JSONB
            | Type::CHAR
            | Type::OID
    )
}

/// Looks at the bytes of a value that is to be read as the Rust type of a name; the error says what is wrong.
pub(super) fn look(ty: &Type, raw: &[u8], rust: &str) -> Result<Reading, Misfit> {
    let reader = Reader::new(raw);
    match *ty {
        Type::NUMERIC => return numeric(reader, rust),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => return timestamp(reader, rust),
        Type::TIME => return time(reader, rust),
        Type::DATE => return date(reader, rust),
        Type::INET => return inet(reader, rust),
        Type::PATH => return counted(reader, 1, 16),
        _ => {}
    }
    match ty.kind() {
        Kind::Array(member) => array(member, reader, rust),
        Kind::Domain(base) => look(base, raw, rust),
        Kind::Composite(fields) => {
            let mut reader = reader;
            if length(&mut reader)? != fields.len() {
                return Err(CHANGED);
            }
            let mut reading = Reading::Plain;
            for field in fields {
                if reader.u32()? != field.type_().oid() {
                    return Err(CHANGED);
                }
                // Its Rust type is known to the composite's alone.
                reading = reading.and(nested(field.type_(), &mut reader, "")?);
            }
            reader.finish()?;
            Ok(reading)
        }
        _ if ty.name() == "hstore" => counted(reader, 0, 8),
        _ => Ok(Reading::Plain),
    }
}

impl Reading {
    fn and(self, other: Self) -> Self {
        if self == Self::MayPanic { self } else { other }
    }
}

/// A value with its length before it.
fn nested(ty: &Type, reader: &mut Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    match reader.value()? {
        Some(raw) if possible(ty) => look(ty, raw, rust),
        _ => Ok(Reading::Plain),
    }
}

fn length(reader: &mut Reader<'_>) -> Result<usize, Misfit> {
    reader.length().ok().flatten().ok_or(MALFORMED)
}

/// What begins with a count, after some bytes, of items of a size: decoders make room for as many as they are told of.
fn counted(mut reader: Reader<'_>, behind: usize, size: usize) -> Result<Reading, Misfit> {
    reader.take(behind)?;
    let count = length(&mut reader)?;
    if count > reader.left() / size { Err(MALFORMED) } else { Ok(Reading::Plain) }
}

fn array(member: &Type, mut reader: Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    let dimensions = length(&mut reader)?;
    let (_has_nulls, element) = (reader.u32()?, reader.u32()?);
    if element != member.oid() {
        return Err(CHANGED);
    }
    let mut count = if dimensions == 0 { 0 } else { 1usize };
    for _ in 0..dimensions {
        count = count.checked_mul(length(&mut reader)?).ok_or(MALFORMED)?;
        let _lower_bound = reader.i32()?;
    }
    // Decoders make room for as many as they are told of.
    if count > reader.most_values() {
        return Err(MALFORMED);
    }
    let mut reading = Reading::Plain;
    if possible(member) {
        for _ in 0..count {
            reading = reading.and(nested(member, &mut reader, rust)?);
        }
    }
    Ok(reading)
}

fn numeric(reader: Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    match (decimal::fits(reader)?, innermost(rust) == DECIMAL) {
        (Some(true), _) | (None, false) => Ok(Reading::Plain),
        (None, true) => Err(NOT_FINITE),
        (Some(false), true) => Err(TOO_MANY_DIGITS),
        (Some(false), false) => Ok(Reading::MayPanic),
    }
}

fn timestamp(mut reader: Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    let micros = reader.i64()?;
    if micros.unsigned_abs() < NEAR {
        return Ok(Reading::Plain);
    }
    let infinite = micros == i64::MAX || micros == i64::MIN;
    let rust = innermost(rust);
    if infinite && INSTANTS.contains(&rust) {
        return Err(INFINITE_TIMESTAMP);
    }
    match (is_system_time(micros), rust == SYSTEM_TIME) {
        (true, _) => Ok(Reading::Plain),
        (false, true) => Err(TOO_FAR),
        (false, false) => Ok(Reading::MayPanic),
    }
}

/// Whether the system's own clock reaches so far.
fn is_system_time(micros: i64) -> bool {
    const EPOCH: Duration = Duration::from_secs(946_684_800);
    let offset = Duration::from_micros(micros.unsigned_abs());
    SystemTime::UNIX_EPOCH
        .checked_add(EPOCH)
        .and_then(|epoch| if micros < 0 { epoch.checked_sub(offset) } else { epoch.checked_add(offset) })
        .is_some()
}

fn time(mut reader: Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    const DAY: i64 = 86_400 * 1_000_000;
    let micros = reader.i64()?;
    if !(0..DAY).contains(&micros) && CLOCKS.contains(&innermost(rust)) {
        return Err(if micros == DAY { MIDNIGHT } else { MALFORMED });
    }
    Ok(Reading::Plain)
}

fn date(mut reader: Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    let days = reader.i32()?;
    if (days == i32::MAX || days == i32::MIN) && INSTANTS.contains(&innermost(rust)) {
        return Err(INFINITE_DATE);
    }
    Ok(Reading::Plain)
}

fn inet(mut reader: Reader<'_>, rust: &str) -> Result<Reading, Misfit> {
    let mut header = || Ok::<_, Problem>((reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?));
    let (_family, bits, _is_cidr, bytes) = header()?;
    if u16::from(bits) != 8 * u16::from(bytes) && innermost(rust) == IP_ADDRESS {
        return Err(NETWORK);
    }
    Ok(Reading::Plain)
}

/// The name of the type within options, boxes, vectors and arrays.
fn innermost(mut rust: &str) -> &str {
    const WRAPPERS: [&str; 3] = ["core::option::Option<", "alloc::vec::Vec<", "alloc::boxed::Box<"];
    loop {
        let wrapped = WRAPPERS.iter().find_map(|wrapper| rust.strip_prefix(wrapper)?.strip_suffix('>'));
        let listed = || rust.strip_prefix('[')?.strip_suffix(']');
        rust = match wrapped.or_else(listed) {
            Some(inner) => inner.rsplit_once("; ").map_or(inner, |(inner, _length)| inner),
            None => return rust,
        };
    }
}

#[cfg(test)]
mod tests;
