//! The JSON that the server's own `to_json` would make of a value, with `TimeZone` set to UTC.
//!
//! The server divides types by what its JSON functions do with them, and so does this module: booleans, numbers, dates
//! and timestamps, JSON itself, arrays and composites have a JSON form of their own; anything else is a string of the
//! text that the type's output function gives, see [`text`].
//! <https://www.postgresql.org/docs/current/functions-json.html#FUNCTIONS-JSON-CREATION-TABLE>

mod network;
mod number;
mod short;
mod text;
mod time;
pub(crate) mod wire;

use std::cell::Cell;

use postgres_types::{Field, Kind, Type};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use self::{
    time::Style,
    wire::{Problem, Reader, utf8},
};

/// What the text of most values that are no text has room in: a UUID, a float, an interval.
const SHORT_TEXT: usize = 40;

/// A value that serialises as the server's JSON; `raw` is its binary form.
#[derive(Clone, Copy)]
pub(crate) struct WireJson<'a> {
    /// What errors are about: the column's name, if there is one, and its type.
    column: Option<&'a str>,
    outer: &'a Type,
    ty: &'a Type,
    raw: Option<&'a [u8]>,
}

impl<'a> WireJson<'a> {
    pub(crate) fn new(ty: &'a Type, raw: Option<&'a [u8]>) -> Self {
        Self { column: None, outer: ty, ty, raw }
    }

    pub(crate) fn of_column(column: &'a str, ty: &'a Type, raw: Option<&'a [u8]>) -> Self {
        Self { column: Some(column), outer: ty, ty, raw }
    }

    /// An element or a field of this value.
    fn part(&self, ty: &'a Type, raw: Option<&'a [u8]>) -> Self {
        Self { ty, raw, ..*self }
    }

    fn error<E: serde::ser::Error>(&self, problem: Problem) -> E {
        let what = match self.column {
            Some(column) => format!("column \"{column}\""),
            None => "the value".to_owned(),
        };
        let why = match problem {
            Problem::Malformed => format!("its bytes are not those of a {}", self.ty),
            Problem::Changed => format!("a {} has other parts than the driver knows of; the type was changed", self.ty),
            Problem::Unsupported => format!("only the server knows the text of a {}", self.ty),
        };
        E::custom(format!("{what} of type {} can't be written as JSON: {why}", self.outer))
    }

    /// The outcome of reading bytes, with an error that says whose they are.
    fn checked<T, E: serde::ser::Error>(&self, outcome: Result<T, Problem>) -> Result<T, E> {
        outcome.map_err(|problem| self.error(problem))
    }

    fn number<S: Serializer>(&self, raw: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = String::with_capacity(SHORT_TEXT);
        self.checked(text::write(self.ty, raw, &mut out))?;
        // NaN and the infinities are no JSON numbers: the server quotes them.
        if out.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit()) {
            self.verbatim(&out, serializer)
        } else {
            serializer.serialize_str(&out)
        }
    }

    /// JSON as it is, digit for digit.
    fn verbatim<S: Serializer>(&self, json: &str, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = self.checked(serde_json::from_str(json).map_err(|_| Problem::Malformed))?;
        json.serialize(serializer)
    }

    fn array<S: Serializer>(&self, member: &'a Type, raw: &'a [u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut reader = Reader::new(raw);
        let dimensions = self.checked(array_dimensions(&mut reader, member))?;
        let elements = Cell::new(reader);
        let array = Dimension { value: self, member, dimensions: &dimensions, elements: &elements };
        let done = array.serialize(serializer)?;
        self.checked(elements.get().finish())?;
        Ok(done)
    }

    fn composite<S: Serializer>(&self, fields: &'a [Field], raw: &'a [u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut reader = Reader::new(raw);
        if self.checked(reader.length())? != Some(fields.len()) {
            return Err(self.error(Problem::Changed));
        }
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for field in fields {
            if self.checked(reader.u32())? != field.type_().oid() {
                return Err(self.error(Problem::Changed));
            }
            let value = self.checked(reader.value())?;
            map.serialize_entry(field.name(), &self.part(field.type_(), value))?;
        }
        self.checked(reader.finish())?;
        map.end()
    }
}

impl Serialize for WireJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(raw) = self.raw else {
            return serializer.serialize_none();
        };
        match self.ty.kind() {
            Kind::Domain(base) => return self.part(base, self.raw).serialize(serializer),
            Kind::Array(member) => return self.array(member, raw, serializer),
            Kind::Composite(fields) => return self.composite(fields, raw, serializer),
            Kind::Enum(_) => return serializer.serialize_str(self.checked(utf8(raw))?),
            _ => {}
        }
        let reader = Reader::new(raw);
        match *self.ty {
            Type::BOOL => serializer.serialize_bool(self.checked(reader.last(Reader::u8))? != 0),
            Type::INT2 => serializer.serialize_i16(self.checked(reader.last(Reader::i16))?),
            Type::INT4 => serializer.serialize_i32(self.checked(reader.last(Reader::i32))?),
            Type::INT8 => serializer.serialize_i64(self.checked(reader.last(Reader::i64))?),
            // What is text already is not copied.
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => {
                serializer.serialize_str(self.checked(utf8(raw))?)
            }
            Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => self.number(raw, serializer),
            Type::DATE => {
                let days = self.checked(reader.last(Reader::i32))?;
                serializer.serialize_str(time::Date(days).text().as_str())
            }
            Type::TIMESTAMP | Type::TIMESTAMPTZ => {
                let micros = self.checked(reader.last(Reader::i64))?;
                let zoned = *self.ty == Type::TIMESTAMPTZ;
                serializer.serialize_str(time::Timestamp { micros, zoned, style: Style::Xsd }.text().as_str())
            }
            Type::JSON => self.verbatim(self.checked(utf8(raw))?, serializer),
            Type::JSONB => self.verbatim(self.checked(text::versioned(raw))?, serializer),
            _ if self.ty.name() == "hstore" => self.verbatim(&self.checked(hstore(reader))?, serializer),
            _ => {
                let mut out = String::with_capacity(SHORT_TEXT);
                self.checked(text::write(self.ty, raw, &mut out))?;
                serializer.serialize_str(&out)
            }
        }
    }
}

/// The extension casts its type to JSON: an object of strings.
fn hstore(mut reader: Reader<'_>) -> Result<String, Problem> {
    let quoted = |raw| serde_json::to_string(utf8(raw)?).map_err(|_| Problem::Malformed);
    let mut members = Vec::new();
    for _ in 0..reader.u32()? {
        let key = quoted(reader.value()?.ok_or(Problem::Malformed)?)?;
        let value = reader.value()?.map_or_else(|| Ok("null".to_owned()), quoted)?;
        members.push(format!("{key}: {value}"));
    }
    reader.finish()?;
    Ok(format!("{{{}}}", members.join(", ")))
}

/// One level of an array's nested lists. The elements follow each other whatever the dimensions.
struct Dimension<'r, 'a> {
    value: &'r WireJson<'a>,
    member: &'a Type,
    dimensions: &'r [usize],
    elements: &'r Cell<Reader<'a>>,
}

impl Serialize for Dimension<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (length, inner) = self.dimensions.split_first().unwrap_or((&0, &[]));
        let mut list = serializer.serialize_seq(Some(*length))?;
        for _ in 0..*length {
            if inner.is_empty() {
                let mut reader = self.elements.get();
                let element = self.value.checked(reader.value())?;
                self.elements.set(reader);
                list.serialize_element(&self.value.part(self.member, element))?;
            } else {
                list.serialize_element(&Dimension { dimensions: inner, ..*self })?;
            }
        }
        list.end()
    }
}

/// The header of an array: none for an empty one.
fn array_dimensions(reader: &mut Reader<'_>, member: &Type) -> Result<Vec<usize>, Problem> {
    /// What the server allows.
    const MOST: usize = 6;
    let count = reader.length()?.filter(|count| *count <= MOST).ok_or(Problem::Malformed)?;
    let (_has_nulls, element) = (reader.u32()?, reader.u32()?);
    if element != member.oid() {
        return Err(Problem::Changed);
    }
    let dimensions = (0..count).map(|_| {
        // An empty array has no dimensions at all, except for an int2vector or an oidvector.
        let length = reader.length()?.filter(|length| *length > 0 || count == 1).ok_or(Problem::Malformed)?;
        let _lower_bound = reader.i32()?;
        Ok(length)
    });
    let dimensions: Vec<usize> = dimensions.collect::<Result<_, Problem>>()?;
    // Serialisers may make room for as many as they are told of.
    if dimensions.iter().any(|length| *length > reader.most_values()) {
        return Err(Problem::Malformed);
    }
    Ok(dimensions)
}

#[cfg(test)]
mod tests;
