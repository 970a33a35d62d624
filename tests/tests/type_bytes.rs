//! Random bytes for every decoder that bytes of a server are handed to: a value or an error, and never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{any::type_name, collections::HashMap, error::Error as StdError, net::IpAddr, time::SystemTime};

use catamaran::{
    Bytes, ErrorKind, FromSql, Json, Row, Value,
    types::{Date, Field, Kind, Timestamp, Type},
};
use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Numbers at which decoders may fail: small ones, and the ends of what they can be.
fn word(random: &mut fastrand::Rng) -> [u8; 4] {
    let ends = [0, 1, 2, -1, i32::MAX, i32::MIN, 0x0008_0008, 0x0001_0008, 0x4000_001C, 0x0001_0009];
    match random.u8(..8) {
        0 => random.i32(..).to_be_bytes(),
        1 => random.i32(0..64).to_be_bytes(),
        _ => ends[random.usize(..ends.len())].to_be_bytes(),
    }
}

/// Bytes that look like a value's: words, an array's header, or a composite's, and anything at the end.
fn bytes(random: &mut fastrand::Rng, ty: &Type) -> Vec<u8> {
    let mut raw = Vec::new();
    match (ty.kind(), ty) {
        (_, &Type::INET) if random.bool() => {
            raw.extend([2, random.u8(30..34), 0, 4]);
            raw.extend(word(random));
        }
        (_, &Type::JSON) if random.bool() => raw.extend(b"[1.5e300, {}]"),
        (_, &Type::JSONB) if random.bool() => raw.extend(b"\x01[1.5e300, {}]"),
        (_, &Type::UUID) if random.bool() => (0..4).for_each(|_| raw.extend(word(random))),
        (Kind::Array(member), _) if random.bool() => {
            let length = random.i32(0..4);
            for number in [1, 0, member.oid() as i32, length, 1] {
                raw.extend(number.to_be_bytes());
            }
            for _ in 0..length {
                let element = bytes(random, member);
                raw.extend((element.len() as i32).to_be_bytes());
                raw.extend(element);
            }
        }
        (Kind::Composite(fields), _) if random.bool() => {
            raw.extend((fields.len() as i32).to_be_bytes());
            for field in fields {
                let value = bytes(random, field.type_());
                raw.extend(field.type_().oid().to_be_bytes());
                raw.extend((value.len() as i32).to_be_bytes());
                raw.extend(value);
            }
        }
        _ => (0..random.usize(0..6)).for_each(|_| raw.extend(word(random))),
    }
    if random.u8(..8) == 0 {
        let cut = random.usize(0..raw.len() + 1);
        raw.truncate(cut);
        raw.extend((0..random.usize(0..4)).map(|_| random.u8(..)));
    }
    raw
}

#[derive(Debug, FromSql)]
#[postgres(name = "priced")]
#[allow(dead_code, reason = "read by nobody")]
struct Priced {
    a: Option<i32>,
    at: Option<SystemTime>,
    list: Option<Vec<Option<String>>>,
}

/// A type of the caller's own, of which only its decoder is known.
struct Kept<T>(T);

impl<'a, T: FromSql<'a>> FromSql<'a> for Kept<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        T::from_sql(ty, raw).map(Self)
    }

    fn accepts(ty: &Type) -> bool {
        T::accepts(ty)
    }
}

fn priced() -> Type {
    let fields = [("a", Type::INT4), ("at", Type::TIMESTAMPTZ), ("list", Type::TEXT_ARRAY)];
    let fields = fields.map(|(name, ty)| Field::new(name.into(), ty));
    Type::new("priced".into(), 90_001, Kind::Composite(fields.into()), "public".into())
}

fn hstore() -> Type {
    Type::new("hstore".into(), 90_002, Kind::Simple, "public".into())
}

/// Reads random bytes as a Rust type from every type that it accepts, and counts how often there was a value.
fn read<T: for<'a> FromSql<'a>>(random: &mut fastrand::Rng) -> usize {
    let own = [priced(), hstore()];
    let arrays = own.iter().map(|ty| Type::new("_own".into(), 90_003, Kind::Array(ty.clone()), "public".into()));
    let types: Vec<Type> = (0..6_500).filter_map(Type::from_oid).chain(own.clone()).chain(arrays).collect();
    let accepted: Vec<&Type> = types.iter().filter(|ty| T::accepts(ty)).collect();
    assert!(!accepted.is_empty(), "{}", type_name::<T>());
    let mut values = 0;
    for turn in 0..1_000 {
        let ty = accepted[turn % accepted.len()];
        let value = Value::from_wire(ty.clone(), Some(Bytes::from(bytes(random, ty))));
        match value.get::<T>() {
            Ok(_) => values += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
        }
        let _ = serde_json::to_string(&Row::builder().value("x", value).build());
    }
    values
}

macro_rules! read_all {
    ($random:expr; $($ty:ty),* $(,)?) => {
        $(for values in [
            read::<$ty>($random),
            read::<Option<$ty>>($random),
            read::<Vec<$ty>>($random),
            read::<Vec<Option<$ty>>>($random),
            read::<Kept<$ty>>($random),
        ] {
            assert!(values > 0, "{}", type_name::<$ty>());
        })*
    };
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let mut random = fastrand::Rng::with_seed(22);
    read_all!(
        &mut random; bool, i8, i16, i32, i64, u32, f32, f64, String, Box<str>, Vec<u8>, SystemTime, Timestamp<SystemTime>,
        IpAddr, Priced, HashMap<String, Option<String>>, Json<serde_json::Value>, serde_json::Value, Decimal, Uuid,
        NaiveDateTime, NaiveDate, NaiveTime, DateTime<Utc>, DateTime<Local>, DateTime<FixedOffset>,
        Timestamp<DateTime<Utc>>, Date<NaiveDate>,
    );
}
