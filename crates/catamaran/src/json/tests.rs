//! Binary forms as a server sent them and what its `to_json` made of the same values.

use bytes::{BufMut, Bytes, BytesMut};
use postgres_types::{Field, Kind, ToSql, Type};

use super::WireJson;
use crate::{Row, Value};

fn json(ty: &Type, raw: &[u8]) -> String {
    serde_json::to_string(&WireJson::new(ty, Some(raw))).unwrap()
}

fn json_of(value: &(dyn ToSql + Sync)) -> String {
    let row = Row::builder().column("x", value).build();
    let object = serde_json::to_string(&row).unwrap();
    object.strip_prefix(r#"{"x":"#).unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn floats_are_the_shortest_that_the_server_would_accept() {
    let doubles = [
        (0.0, "0"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1e14, "100000000000000"),
        (1e15, "1e+15"),
        (1e23, "9.999999999999999e+22"),
        (9_007_199_254_740_993.0, "9.007199254740992e+15"),
        (0.000_123_4, "0.0001234"),
        (1e-5, "1e-05"),
        (-1.25e-7, "-1.25e-07"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (10_994_355_405_538.0 + 0.0625, "10994355405538.062"),
        (f64::NAN, r#""NaN""#),
        (f64::NEG_INFINITY, r#""-Infinity""#),
    ];
    for (value, expected) in doubles {
        assert_eq!(json_of(&value), expected);
    }
    let floats = [
        (0.1f32, "0.1"),
        (999_999.0, "999999"),
        (1e6, "1e+06"),
        (0.000_244_140_62, "0.00024414062"),
        (9e9, "8.999999e+09"),
    ];
    for (value, expected) in floats {
        assert_eq!(json_of(&value), expected);
    }
}

#[test]
fn numeric_keeps_every_digit() {
    // The number of digits, the weight, the sign, the scale, and the digits.
    let cases: [(&[u16], &str); 9] = [
        (&[0, 0, 0, 0], "0"),
        (&[0, 0, 0, 2], "0.00"),
        (&[1, 1, 0, 0, 1], "10000"),
        (&[2, 0, 0x4000, 2, 1, 1000], "-1.10"),
        (&[1, 0xFFFF, 0, 5, 10], "0.00100"),
        (&[1, 0xFFFD, 0, 12, 1], "0.000000000001"),
        (&[3, 2, 0, 4, 1, 0, 9], "100000009.0000"),
        (&[0, 0, 0xC000, 0], r#""NaN""#),
        (&[0, 0, 0xF000, 0], r#""-Infinity""#),
    ];
    for (words, expected) in cases {
        let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        assert_eq!(json(&Type::NUMERIC, &raw), expected);
    }
}

#[test]
fn times_reach_over_the_whole_range() {
    let date = |days: i32| json(&Type::DATE, &days.to_be_bytes());
    assert_eq!(date(0), r#""2000-01-01""#);
    assert_eq!(date(59), r#""2000-02-29""#);
    assert_eq!(date(-730_119), r#""0001-01-01""#);
    assert_eq!(date(-730_120), r#""0001-12-31 BC""#);
    assert_eq!(date(-2_451_545), r#""4714-11-24 BC""#);
    assert_eq!(date(2_145_031_948), r#""5874897-12-31""#);
    assert_eq!(date(i32::MAX), r#""infinity""#);

    let stamp = |ty, micros: i64| json(&ty, &micros.to_be_bytes());
    assert_eq!(stamp(Type::TIMESTAMPTZ, 0), r#""2000-01-01T00:00:00+00:00""#);
    assert_eq!(stamp(Type::TIMESTAMPTZ, -1), r#""1999-12-31T23:59:59.999999+00:00""#);
    assert_eq!(stamp(Type::TIMESTAMP, 1_120_000), r#""2000-01-01T00:00:01.12""#);
    assert_eq!(stamp(Type::TIMESTAMPTZ, -211_813_488_000_000_000), r#""4714-11-24T00:00:00+00:00 BC""#);
    assert_eq!(stamp(Type::TIMESTAMP, i64::MIN), r#""-infinity""#);

    let interval = |micros: i64, days: i32, months: i32| {
        let raw = [&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat();
        json(&Type::INTERVAL, &raw)
    };
    assert_eq!(interval(0, 0, 0), r#""00:00:00""#);
    assert_eq!(interval(-14_706_000_000, 3, -14), r#""-1 years -2 mons +3 days -04:05:06""#);
    assert_eq!(interval(3_600_000_000, -1, 0), r#""-1 days +01:00:00""#);
    assert_eq!(interval(1, 1, 13), r#""1 year 1 mon 1 day 00:00:00.000001""#);
}

#[test]
fn strings_are_escaped_as_the_server_does() {
    assert_eq!(json_of(&"\" \\ / \t \u{8} \u{1f} \u{7f} é"), "\"\\\" \\\\ / \\t \\b \\u001f \u{7f} é\"");
    assert_eq!(json_of(&vec![0u8, 255]), r#""\\x00ff""#);
    assert_eq!(json_of(&1u32), r#""1""#);
    assert_eq!(json(&Type::CHAR, &[0]), r#""""#);
    assert_eq!(json(&Type::VOID, &[]), r#""""#);
}

#[test]
fn json_is_passed_through() {
    let text = r#"{"b" : 1.00000000000000000000000001, "a": 1, "b": 2}"#;
    assert_eq!(json(&Type::JSON, text.as_bytes()), text);
    assert_eq!(json(&Type::JSONB, &[b"\x01", text.as_bytes()].concat()), text);
}

#[test]
fn composites_are_objects_and_domains_are_what_they_are_made_of() {
    let positive = Type::new("positive".into(), 90_001, Kind::Domain(Type::INT4), "public".into());
    let fields = vec![Field::new("a".into(), positive), Field::new("B c".into(), Type::TEXT_ARRAY)];
    let pair = Type::new("pair".into(), 90_002, Kind::Composite(fields), "public".into());
    let mut raw = BytesMut::new();
    raw.put_slice(&[0, 0, 0, 2, 0, 1, 0x5F, 0x91, 0, 0, 0, 4, 0, 0, 0, 7]);
    raw.put_slice(&[0, 0, 0x03, 0xF1, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(json(&pair, &raw), r#"{"a":7,"B c":null}"#);
}

#[test]
fn a_type_of_other_parts_than_those_known_is_not_read() {
    let pair = |first: Type| {
        let fields = vec![Field::new("a".into(), first), Field::new("b".into(), Type::TEXT)];
        Type::new("pair".into(), 90_002, Kind::Composite(fields), "public".into())
    };
    let pairs = |first: Type| Type::new("_pair".into(), 90_003, Kind::Array(pair(first)), "public".into());
    let mut one = BytesMut::new();
    one.put_slice(&[0, 0, 0, 2, 0, 0, 0, 23, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 25, 0, 0, 0, 1, b'x']);
    let mut list = BytesMut::new();
    for word in [1, 0, 90_002, 1, 1, one.len() as i32] {
        list.put_i32(word);
    }
    list.put_slice(&one);
    // Behind one value of four bytes, another number of fields.
    let longer = [&[0, 0, 0, 3][..], &one[4..], &[0, 0, 0, 16, 0, 0, 0, 0]].concat();
    let row = |ty: Type, raw: &[u8]| {
        Row::builder().value("v", Value::from_wire(ty, Some(Bytes::copy_from_slice(raw)))).build()
    };
    let known =
        [(pair(Type::INT4), &one[..], r#"{"a":7,"b":"x"}"#), (pairs(Type::INT4), &list, r#"[{"a":7,"b":"x"}]"#)];
    for (ty, raw, expected) in known {
        let row = row(ty, raw);
        assert_eq!(serde_json::to_string(&row).unwrap(), format!(r#"{{"v":{expected}}}"#));
        assert!(row.get::<Anything>("v").is_ok());
    }
    let elements_of_another_type = list.iter().enumerate().map(|(at, byte)| if at == 11 { 1 } else { *byte });
    let elements_of_another_type: Vec<u8> = elements_of_another_type.collect();
    for (ty, raw) in [
        (pair(Type::FLOAT4), &one[..]),
        (pair(Type::INT4), &longer),
        (pairs(Type::FLOAT4), &list),
        (pairs(Type::INT4), &elements_of_another_type),
        (Type::INT4_ARRAY, &list),
    ] {
        let row = row(ty, raw);
        assert!(serde_json::to_string(&row).unwrap_err().to_string().ends_with("the type was changed"));
        let error = row.get::<Anything>("v").unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Decode);
        assert!(error.to_string().ends_with("the type was changed meanwhile"), "{error}");
    }
}

/// A decoder that takes whatever it is given.
#[derive(Debug)]
struct Anything;

impl<'a> postgres_types::FromSql<'a> for Anything {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[test]
fn arrays_nest_as_deep_as_their_dimensions() {
    assert_eq!(json_of(&vec![Some(1i64), None]), "[1,null]");
    assert_eq!(json_of(&Vec::<i64>::new()), "[]");
    let mut raw = BytesMut::new();
    for word in [2, 0, 21, 1, 1, 2, 1] {
        raw.put_i32(word);
    }
    for element in [5, 6] {
        raw.put_i32(2);
        raw.put_i16(element);
    }
    assert_eq!(json(&Type::INT2_ARRAY, &raw), "[[5,6]]");
}

#[test]
fn addresses_are_in_the_server_s_own_form() {
    let ipv6 = |bits, is_cidr, segments: [u16; 8]| {
        let mut raw = vec![3, bits, is_cidr, 16];
        raw.extend(segments.iter().flat_map(|segment| segment.to_be_bytes()));
        json(&Type::INET, &raw)
    };
    assert_eq!(ipv6(128, 0, [0, 0, 0, 0, 0, 0, 0x102, 0x304]), r#""::1.2.3.4""#);
    assert_eq!(ipv6(128, 0, [0, 0, 0, 0, 0, 0xFFFF, 0x102, 0x304]), r#""::ffff:1.2.3.4""#);
    assert_eq!(ipv6(128, 1, [0, 0, 0, 0, 0, 0, 0, 1]), r#""::1/128""#);
    assert_eq!(json(&Type::INET, &[2, 24, 0, 4, 10, 0, 0, 1]), r#""10.0.0.1/24""#);
}

#[test]
fn errors_name_the_column_and_the_type() {
    let error = |ty: Type, raw: &'static [u8]| {
        let value = Value::from_wire(ty, Some(Bytes::from_static(raw)));
        serde_json::to_string(&Row::builder().value("x", value).build()).unwrap_err().to_string()
    };
    assert_eq!(
        error(Type::MONEY, &[0; 8]),
        "column \"x\" of type money can't be written as JSON: only the server knows the text of a money"
    );
    assert_eq!(
        error(Type::INT8_ARRAY, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]),
        "column \"x\" of type _int8 can't be written as JSON: its bytes are not those of a int8"
    );
    assert_eq!(
        error(Type::JSON, b"{secret"),
        "column \"x\" of type json can't be written as JSON: its bytes are not those of a json"
    );
}

#[test]
fn an_array_is_not_believed_to_be_longer_than_its_bytes() {
    let raw: Vec<u8> = [1i32, 0, 20, i32::MAX, 1].iter().flat_map(|word| word.to_be_bytes()).collect();
    assert!(serde_json::to_value(WireJson::new(&Type::INT8_ARRAY, Some(&raw))).is_err());
    assert!(serde_json::to_string(&WireJson::new(&Type::INT8_ARRAY, Some(&raw))).is_err());
}

/// Whatever the bytes, the outcome is JSON or an error.
#[test]
fn malformed_bytes_are_errors_and_no_panics() {
    let types: Vec<Type> = (0..6_500).filter_map(Type::from_oid).collect();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..100_000 {
        let length = random.usize(0..48);
        let mut raw: Vec<u8> = (0..length).map(|_| if random.bool() { 0 } else { random.u8(..) }).collect();
        if random.bool() {
            raw.iter_mut().take(3).for_each(|byte| *byte = 0);
        }
        let ty = &types[random.usize(0..types.len())];
        let _ = serde_json::to_string(&WireJson::new(ty, Some(&raw)));
        let _ = serde_json::to_value(WireJson::new(ty, Some(&raw)));
    }
}
