//! What the server's output functions make of a value: its text in a client like psql, with the default settings.

use std::fmt::Write;

use postgres_types::{Kind, Type};

use super::{
    network, number,
    time::{self, Style},
    wire::{Problem, Reader, utf8},
};

/// Appends the text of a value.
pub(super) fn write(ty: &Type, raw: &[u8], out: &mut String) -> Result<(), Problem> {
    let reader = Reader::new(raw);
    match ty.kind() {
        Kind::Domain(base) => return write(base, raw, out),
        Kind::Range(bound) => return range(bound, reader, out),
        Kind::Multirange(range) => return multirange(range, reader, out),
        Kind::Enum(_) => {
            out.push_str(utf8(raw)?);
            return Ok(());
        }
        _ => {}
    }
    match *ty {
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::UNKNOWN
        | Type::CSTRING
        | Type::REFCURSOR
        | Type::XML
        | Type::JSON => out.push_str(utf8(raw)?),
        Type::VOID => {}
        Type::CHAR => char(reader.last(Reader::u8)?, out)?,
        Type::BOOL => out.push(if reader.last(Reader::u8)? == 0 { 'f' } else { 't' }),
        Type::INT2 => write!(out, "{}", reader.last(Reader::i16)?)?,
        Type::INT4 => write!(out, "{}", reader.last(Reader::i32)?)?,
        Type::INT8 => write!(out, "{}", reader.last(Reader::i64)?)?,
        Type::OID | Type::XID | Type::CID => write!(out, "{}", reader.last(Reader::u32)?)?,
        Type::XID8 => write!(out, "{}", reader.last(Reader::u64)?)?,
        Type::FLOAT4 => number::float4(reader.last(Reader::f32)?, out)?,
        Type::FLOAT8 => number::float8(reader.last(Reader::f64)?, out)?,
        Type::NUMERIC => number::numeric(reader, out)?,
        Type::DATE => out.push_str(time::Date(reader.last(Reader::i32)?).text().as_str()),
        Type::TIME => out.push_str(time::Clock(reader.last(Reader::i64)?).text().as_str()),
        Type::TIMETZ => time::zoned_clock(reader, out)?,
        Type::TIMESTAMP => timestamp(reader, false, out)?,
        Type::TIMESTAMPTZ => timestamp(reader, true, out)?,
        Type::INTERVAL => time::interval(reader, out)?,
        Type::UUID => uuid(reader, out)?,
        Type::BYTEA => {
            out.reserve(2 + 2 * raw.len());
            out.push_str("\\x");
            hex(raw, out);
        }
        Type::JSONB | Type::JSONPATH => out.push_str(versioned(raw)?),
        Type::INET | Type::CIDR => network::inet(reader, out)?,
        Type::MACADDR | Type::MACADDR8 => network::mac(raw, if *ty == Type::MACADDR { 6 } else { 8 }, out)?,
        Type::BIT | Type::VARBIT => bits(reader, out)?,
        Type::PG_LSN => {
            let lsn = reader.last(Reader::u64)?;
            write!(out, "{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)?;
        }
        Type::TID => {
            let (block, offset) = reader.last(|reader| Ok((reader.u32()?, reader.u16()?)))?;
            write!(out, "({block},{offset})")?;
        }
        Type::TS_VECTOR => ts_vector(reader, out)?,
        Type::POINT | Type::LSEG | Type::BOX | Type::PATH | Type::POLYGON | Type::CIRCLE | Type::LINE => {
            geometry(ty, reader, out)?;
        }
        _ => match ty.name() {
            "citext" => out.push_str(utf8(raw)?),
            "ltree" | "lquery" | "ltxtquery" => out.push_str(versioned(raw)?),
            _ => return Err(Problem::Unsupported),
        },
    }
    Ok(())
}

/// Text after the version of its binary form, of which there has been but one.
pub(super) fn versioned(raw: &[u8]) -> Result<&str, Problem> {
    match raw.split_first() {
        Some((1, text)) => utf8(text),
        _ => Err(Problem::Malformed),
    }
}

/// The type `"char"`, a byte: the zero byte is the empty string.
fn char(byte: u8, out: &mut String) -> Result<(), Problem> {
    match byte {
        0 => {}
        1..=0x7F => out.push(char::from(byte)),
        _ => write!(out, "\\{byte:03o}")?,
    }
    Ok(())
}

fn timestamp(reader: Reader<'_>, zoned: bool, out: &mut String) -> Result<(), Problem> {
    let micros = reader.last(Reader::i64)?;
    out.push_str(time::Timestamp { micros, zoned, style: Style::Iso }.text().as_str());
    Ok(())
}

fn hex(bytes: &[u8], out: &mut String) {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 0xF));
    }
}

fn uuid(mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    for (at, length) in [4, 2, 2, 2, 6].into_iter().enumerate() {
        if at > 0 {
            out.push('-');
        }
        hex(reader.take(length)?, out);
    }
    reader.finish()
}

fn bits(mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    let count = reader.length()?.ok_or(Problem::Malformed)?;
    let bytes = reader.take(count.div_ceil(8))?;
    reader.finish()?;
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    out.extend(bits.take(count).map(|bit| if bit { '1' } else { '0' }));
    Ok(())
}

fn range(bound: &Type, mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    const EMPTY: u8 = 0x01;
    const LOWER_INCLUSIVE: u8 = 0x02;
    const UPPER_INCLUSIVE: u8 = 0x04;
    const LOWER_INFINITE: u8 = 0x08;
    const UPPER_INFINITE: u8 = 0x10;

    let flags = reader.u8()?;
    if flags & EMPTY != 0 {
        out.push_str("empty");
        return reader.finish();
    }
    out.push(if flags & LOWER_INCLUSIVE != 0 { '[' } else { '(' });
    if flags & LOWER_INFINITE == 0 {
        range_bound(bound, reader.value()?.ok_or(Problem::Malformed)?, out)?;
    }
    out.push(',');
    if flags & UPPER_INFINITE == 0 {
        range_bound(bound, reader.value()?.ok_or(Problem::Malformed)?, out)?;
    }
    out.push(if flags & UPPER_INCLUSIVE != 0 { ']' } else { ')' });
    reader.finish()
}

fn range_bound(ty: &Type, raw: &[u8], out: &mut String) -> Result<(), Problem> {
    let mut text = String::new();
    write(ty, raw, &mut text)?;
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | '[' | ']' | ',' | ' ' | '\t'..='\r');
    if !text.is_empty() && !text.contains(special) {
        out.push_str(&text);
        return Ok(());
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('"');
    Ok(())
}

fn multirange(bound: &Type, mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    out.push('{');
    for at in 0..reader.u32()? {
        if at > 0 {
            out.push(',');
        }
        range(bound, Reader::new(reader.value()?.ok_or(Problem::Malformed)?), out)?;
    }
    out.push('}');
    reader.finish()
}

/// Lexemes with their positions and weights: `'cat':2A,5 'dog'`.
fn ts_vector(mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    for at in 0..reader.u32()? {
        out.push_str(if at > 0 { " '" } else { "'" });
        for c in utf8(reader.terminated()?)?.chars() {
            if matches!(c, '\'' | '\\') {
                out.push(c);
            }
            out.push(c);
        }
        out.push('\'');
        for position in 0..reader.u16()? {
            let entry = reader.u16()?;
            let weight = ["", "C", "B", "A"].get(usize::from(entry >> 14)).copied().unwrap_or_default();
            write!(out, "{}{}{weight}", if position > 0 { ',' } else { ':' }, entry & 0x3FFF)?;
        }
    }
    reader.finish()
}

fn geometry(ty: &Type, mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    match *ty {
        Type::POINT => points(&mut reader, 1, out)?,
        Type::BOX => points(&mut reader, 2, out)?,
        Type::LSEG => bracketed('[', &mut reader, 2, ']', out)?,
        Type::PATH => {
            let (open, close) = if reader.u8()? == 0 { ('[', ']') } else { ('(', ')') };
            let count = reader.u32()?;
            bracketed(open, &mut reader, count, close, out)?;
        }
        Type::POLYGON => {
            let count = reader.u32()?;
            bracketed('(', &mut reader, count, ')', out)?;
        }
        Type::CIRCLE => {
            out.push('<');
            points(&mut reader, 1, out)?;
            out.push(',');
            number::float8(reader.f64()?, out)?;
            out.push('>');
        }
        _ => {
            for open in ['{', ',', ','] {
                out.push(open);
                number::float8(reader.f64()?, out)?;
            }
            out.push('}');
        }
    }
    reader.finish()
}

fn bracketed(open: char, reader: &mut Reader<'_>, count: u32, close: char, out: &mut String) -> Result<(), Problem> {
    out.push(open);
    points(reader, count, out)?;
    out.push(close);
    Ok(())
}

fn points(reader: &mut Reader<'_>, count: u32, out: &mut String) -> Result<(), Problem> {
    for at in 0..count {
        out.push_str(if at > 0 { ",(" } else { "(" });
        number::float8(reader.f64()?, out)?;
        out.push(',');
        number::float8(reader.f64()?, out)?;
        out.push(')');
    }
    Ok(())
}
