//! The names that Rust types go by, and what is said of values that they can't hold.

use std::{any::type_name, net::IpAddr, time::SystemTime};

use postgres_types::{Date, FromSql, Timestamp, Type};

use super::*;
use crate::{Bytes, ErrorKind, Value};

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

#[test]
#[cfg(feature = "decimal")]
fn the_name_of_a_decimal() {
    assert_eq!(type_name::<rust_decimal::Decimal>(), DECIMAL);
}

#[test]
fn names_are_those_of_the_types() {
    assert_eq!(type_name::<SystemTime>(), SYSTEM_TIME);
    assert_eq!(type_name::<IpAddr>(), IP_ADDRESS);
    for name in [
        type_name::<Option<Vec<Option<SystemTime>>>>(),
        type_name::<Box<[SystemTime]>>(),
        type_name::<[Option<SystemTime>; 3]>(),
        type_name::<Box<SystemTime>>(),
    ] {
        assert_eq!(innermost(name), SYSTEM_TIME, "{name}");
    }
    for name in [type_name::<Timestamp<SystemTime>>(), type_name::<Date<SystemTime>>(), type_name::<Kept<SystemTime>>()]
    {
        assert_eq!(innermost(name), name);
    }
}

fn error<T: for<'a> FromSql<'a>>(ty: Type, raw: &[u8]) -> String {
    let error = Value::from_wire(ty, Some(Bytes::copy_from_slice(raw))).get::<T>().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Decode);
    error.to_string().split_once(": ").unwrap().1.to_owned()
}

#[test]
fn what_a_type_cannot_hold_is_an_error_that_says_what_to_do() {
    let infinity = i64::MAX.to_be_bytes();
    assert_eq!(error::<SystemTime>(Type::TIMESTAMPTZ, &infinity), INFINITE_TIMESTAMP.0);
    assert_eq!(error::<Option<SystemTime>>(Type::TIMESTAMP, &i64::MIN.to_be_bytes()), INFINITE_TIMESTAMP.0);
    let value = Value::from_wire(Type::TIMESTAMPTZ, Some(Bytes::copy_from_slice(&infinity)));
    assert!(matches!(value.get::<Timestamp<SystemTime>>(), Ok(Timestamp::PosInfinity)));
    assert_eq!(error::<IpAddr>(Type::INET, &[2, 24, 0, 4, 10, 0, 0, 1]), NETWORK.0);
    assert_eq!(error::<Vec<i32>>(Type::INT4_ARRAY, &[0; 12]), CHANGED.0);
}

#[test]
#[cfg(feature = "decimal")]
fn decimals_are_exact_or_none() {
    use rust_decimal::Decimal;

    // The number of digits, the weight, the sign, the scale, and the digits.
    let raw = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    for weight in 7..40 {
        assert_eq!(error::<Decimal>(Type::NUMERIC, &raw(&[1, weight, 0, 0, 8])), TOO_MANY_DIGITS.0, "{weight}");
        let kept = Value::from_wire(Type::NUMERIC, Some(raw(&[1, weight, 0, 0, 8]).into())).get::<Kept<Decimal>>();
        assert_eq!(kept.map(|kept| kept.0).unwrap_err().kind(), ErrorKind::Decode);
    }
    let seventh = raw(&[1, 7, 0, 0, 7]);
    let value = Value::from_wire(Type::NUMERIC, Some(seventh.into())).get::<Decimal>().unwrap();
    assert_eq!(value.to_string(), format!("7{}", "0".repeat(28)));
    assert_eq!(error::<Decimal>(Type::NUMERIC, &raw(&[1, 0xFFF8, 0, 29, 1000])), TOO_MANY_DIGITS.0);
    assert_eq!(error::<Option<Decimal>>(Type::NUMERIC, &raw(&[0, 0, 0xC000, 0])), NOT_FINITE.0);
}
