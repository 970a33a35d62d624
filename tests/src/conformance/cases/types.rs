//! Every supported type, there as a parameter and back as a column, and NULL of it.

use std::{fmt, net::IpAddr};

use catamaran::{FromSqlOwned, ToSql};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use postgres_types::FromSql;
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::super::{case::*, expected::*};
use crate::p;

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "mood")]
enum Mood {
    #[postgres(name = "sad")]
    Sad,
    #[postgres(name = "so so")]
    SoSo,
}

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "point_3d")]
struct Point {
    x: f64,
    y: f64,
    label: Option<String>,
}

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "posint")]
struct Positive(i32);

const MOOD: &str = "CREATE TYPE mood AS ENUM ('sad', 'so so')";

/// A value and NULL of its type, sent as a parameter, returned as a column, and stored in a table in between.
fn there_and_back<T>(name: &str, sql_type: &str, type_name: &str, value: T, json: Json) -> Case
where
    T: ToSql + FromSqlOwned + fmt::Debug + Clone + Send + Sync + 'static,
{
    let columns = format!("v {type_name}");
    let text = format!("{:?}", Some(&value));
    let select = format!("SELECT $1::{sql_type} AS v");
    case(format!("there and back: {name}"))
        .setup(&format!("CREATE TABLE kept (v {sql_type})"))
        .step(
            fetch_one(&select, p![value.clone()])
                .reads([read::<Option<T>>("v")])
                .gives(rows(&columns, json!([[json]])).reading([&text])),
        )
        .step(
            fetch_one(&select, p![None::<T>])
                .reads([read::<Option<T>>("v")])
                .gives(rows(&columns, json!([[null]])).reading(["None"])),
        )
        .step(execute("INSERT INTO kept VALUES ($1), ($2)", p![value, None::<T>]).gives(count(2)))
        .step(
            fetch_all("SELECT v FROM kept", p![])
                .reads([read::<Option<T>>("v")])
                .gives(rows(&columns, json!([[json], [null]])).reading([&text]).reading(["None"])),
        )
}

/// A column that is read without having been a parameter.
fn back<T: FromSqlOwned + fmt::Debug + 'static>(
    name: &str,
    sql: &str,
    type_name: &str,
    text: &str,
    json: Json,
) -> Case {
    case(format!("read: {name}")).step(
        fetch_one(format!("SELECT {sql} AS v"), p![])
            .reads([read::<T>("v")])
            .gives(rows(format!("v {type_name}"), json!([[json]])).reading([text])),
    )
}

/// A column that has no Rust type here, by its JSON.
fn shown(name: &str, sql: &str, type_name: &str, json: Json) -> Case {
    case(format!("shown: {name}"))
        .step(fetch_one(format!("SELECT {sql} AS v"), p![]).gives(rows(format!("v {type_name}"), json!([[json]]))))
}

fn time(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").expect("a timestamp")
}

pub(super) fn cases() -> Vec<Case> {
    let instant: DateTime<Utc> = time("2026-11-23T12:34:56.123456").and_utc();
    let date = NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date");
    let uuid = Uuid::from_u128(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8);
    let json_value = json!({ "a": [1, 2.5, null, "ü"], "b": { "c": true } });
    let inet: IpAddr = "192.168.0.1".parse().expect("an address");
    let inet6: IpAddr = "2001:db8::1".parse().expect("an address");
    let mut cases = vec![
        there_and_back("bool", "bool", "bool", true, json!(true)),
        there_and_back("int2", "int2", "int2", i16::MIN, json!(-32768)),
        there_and_back("int4", "int4", "int4", i32::MAX, json!(2147483647)),
        there_and_back("int8", "int8", "int8", i64::MIN, json!(i64::MIN)),
        there_and_back("oid", "oid", "oid", u32::MAX, json!("4294967295")),
        there_and_back("char", "\"char\"", "char", 65i8, json!("A")),
        there_and_back("float4", "float4", "float4", 1.5f32, json!(1.5)),
        there_and_back("float8", "float8", "float8", 0.1f64, json!(0.1)),
        there_and_back("float8 NaN", "float8", "float8", f64::NAN, json!("NaN")),
        there_and_back("float8 infinity", "float8", "float8", f64::INFINITY, json!("Infinity")),
        there_and_back("float4 negative infinity", "float4", "float4", f32::NEG_INFINITY, json!("-Infinity")),
        there_and_back("numeric", "numeric(10,4)", "numeric", Decimal::new(150_000, 4), json!(15.0)),
        there_and_back("numeric negative", "numeric", "numeric", Decimal::new(-25, 3), json!(-0.025)),
        there_and_back("text", "text", "text", String::from("Ahoj, světe! 🚢"), json!("Ahoj, světe! 🚢")),
        there_and_back("text empty", "text", "text", String::new(), json!("")),
        there_and_back("text with quotes", "text", "text", String::from("'\"\\\n\t\u{1}"), json!("'\"\\\n\t\u{1}")),
        there_and_back("varchar", "varchar(5)", "varchar", String::from("abc"), json!("abc")),
        there_and_back("bpchar", "char(3)", "bpchar", String::from("abc"), json!("abc")),
        there_and_back("name", "name", "name", String::from("abc"), json!("abc")),
        there_and_back("bytea", "bytea", "bytea", vec![0u8, 255, 16], json!("\\x00ff10")),
        there_and_back("bytea empty", "bytea", "bytea", Vec::<u8>::new(), json!("\\x")),
        there_and_back("uuid", "uuid", "uuid", uuid, json!("6ba7b810-9dad-11d1-80b4-00c04fd430c8")),
        there_and_back("json", "json", "json", json_value.clone(), json_value.clone()),
        there_and_back("jsonb", "jsonb", "jsonb", json_value.clone(), json_value.clone()),
        there_and_back("date", "date", "date", date, json!("2026-11-23")),
        there_and_back(
            "time",
            "time",
            "time",
            NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).expect("a time"),
            json!("23:59:59.999999"),
        ),
        there_and_back(
            "timestamp",
            "timestamp",
            "timestamp",
            time("1969-07-20T20:17:40"),
            json!("1969-07-20T20:17:40"),
        ),
        there_and_back("timestamptz", "timestamptz", "timestamptz", instant, json!("2026-11-23T12:34:56.123456+00:00")),
        there_and_back("inet", "inet", "inet", inet, json!("192.168.0.1")),
        there_and_back("inet of version 6", "inet", "inet", inet6, json!("2001:db8::1")),
        there_and_back("bool[]", "bool[]", "_bool", vec![true, false], json!([true, false])),
        there_and_back("int4[]", "int4[]", "_int4", vec![1, 2, 3], json!([1, 2, 3])),
        there_and_back("int4[] with NULLs", "int4[]", "_int4", vec![Some(1), None], json!([1, null])),
        there_and_back("int8[] empty", "int8[]", "_int8", Vec::<i64>::new(), json!([])),
        there_and_back("text[]", "text[]", "_text", vec![String::from("a,b"), String::from("{}")], json!(["a,b", "{}"])),
        there_and_back("float8[]", "float8[]", "_float8", vec![0.5, f64::NAN], json!([0.5, "NaN"])),
        there_and_back("numeric[]", "numeric[]", "_numeric", vec![Decimal::new(11, 1)], json!([1.1])),
        there_and_back("uuid[]", "uuid[]", "_uuid", vec![uuid], json!(["6ba7b810-9dad-11d1-80b4-00c04fd430c8"])),
        there_and_back("jsonb[]", "jsonb[]", "_jsonb", vec![json_value.clone()], json!([json_value])),
        there_and_back("timestamptz[]", "timestamptz[]", "_timestamptz", vec![instant], json!(["2026-11-23T12:34:56.123456+00:00"])),
        there_and_back("bytea[]", "bytea[]", "_bytea", vec![vec![1u8]], json!(["\\x01"])),
        back::<String>("interval as text", "'1 day 02:03:04'::interval::text", "text", "\"1 day 02:03:04\"", json!("1 day 02:03:04")),
        back::<String>("numeric as text", "123456789012345678901234567890.5::text", "text", "\"123456789012345678901234567890.5\"", json!("123456789012345678901234567890.5")),
        back::<i64>("count", "(SELECT count(*) FROM generate_series(1, 3))", "int8", "3", json!(3)),
        back::<Vec<Option<i32>>>("int4[] with a lower bound", "'[5:6]={1,2}'::int4[]", "_int4", "[Some(1), Some(2)]", json!([1, 2])),
        shown("void", "pg_sleep(0)", "void", json!("")),
        shown("interval", "'1 mon -2 days 03:04:05.5'::interval", "interval", json!("1 mon -2 days +03:04:05.5")),
        shown("numeric too wide for a float", "12345678901234567890.123456789", "numeric", json!(12345678901234567890.123456789)),
        shown("numeric NaN", "'NaN'::numeric", "numeric", json!("NaN")),
        shown("timetz", "'12:00:00+02'::timetz", "timetz", json!("12:00:00+02")),
        shown("infinite timestamps", "ARRAY['infinity', '-infinity']::timestamptz[]", "_timestamptz", json!(["infinity", "-infinity"])),
        shown("date before Christ", "'0044-03-15 BC'::date", "date", json!("0044-03-15 BC")),
        shown("int4[][]", "'{{1,2},{3,NULL}}'::int4[][]", "_int4", json!([[1, 2], [3, null]])),
        shown("text[][]", "ARRAY[ARRAY['a', 'b']]", "_text", json!([["a", "b"]])),
        shown("cidr", "'10.0.0.0/8'::cidr", "cidr", json!("10.0.0.0/8")),
        shown("macaddr", "'08:00:2b:01:02:03'::macaddr", "macaddr", json!("08:00:2b:01:02:03")),
        shown("bit string", "B'1011'::varbit", "varbit", json!("1011")),
        shown("int4range", "'[1,5)'::int4range", "int4range", json!("[1,5)")),
        shown("unknown literal", "'x'", "text", json!("x")),
        case("a record has no JSON")
            .step(fetch_one("SELECT ROW(1, 'a') AS v", p![]).gives(rows("v record", json!([
                "no JSON: column \"v\" of type record can't be written as JSON: only the server knows the text of a record"
            ])))),
        case("read: int4[][] as a vector").step(
            fetch_one("SELECT '{{1,2},{3,4}}'::int4[][] AS v", p![])
                .reads([read::<Vec<i32>>("v")])
                .gives(rows("v _int4", json!([[[[1, 2], [3, 4]]]])).reading([
                    "Decode: column \"v\" of type _int4 can't be read as alloc::vec::Vec<i32>: array contains too many dimensions",
                ])),
        ),
    ];
    cases.extend(of_the_schema());
    cases
}

/// Types that the schema defines.
fn of_the_schema() -> Vec<Case> {
    let point = Point { x: 1.5, y: -2.0, label: None };
    vec![
        there_and_back_of("enum", MOOD, "mood", Mood::SoSo, json!("so so")),
        there_and_back_of("enum[]", MOOD, "mood[]", vec![Mood::Sad, Mood::SoSo], json!(["sad", "so so"])),
        there_and_back_of(
            "composite",
            "CREATE TYPE point_3d AS (x float8, y float8, label text)",
            "point_3d",
            point.clone(),
            json!({ "x": 1.5, "y": -2, "label": null }),
        ),
        case("there and back: domain, as a column of its base type")
            .setup("CREATE DOMAIN posint AS int4 CHECK (VALUE > 0)")
            .step(
                fetch_one("SELECT $1::posint AS v", p![Positive(7)])
                    .reads([read::<i32>("v")])
                    .gives(rows("v int4", json!([[7]])).reading(["7"])),
            )
            .step(
                fetch_one("SELECT $1::int4::posint AS v", p![7i32])
                    .reads([read::<i32>("v")])
                    .gives(rows("v int4", json!([[7]])).reading(["7"])),
            )
            .step(
                fetch_one("SELECT $1::posint AS v", p![Positive(-7)])
                    .gives(sqlstate("23514").constraint("posint_check")),
            ),
        case("enum of a value that it has not")
            .setup(MOOD)
            .step(fetch_one("SELECT 'glad'::mood", p![]).gives(sqlstate("22P02"))),
        case("enum sent and read as text")
            .setup(MOOD)
            .step(
                fetch_one("SELECT $1::text::mood AS v", p!["sad"]).reads([read::<String>("v")]).gives(
                    rows("v mood", json!([["sad"]]))
                        .reading(["Decode: column \"v\" of type mood can't be read as alloc::string::String; derive `FromSql` for an enum of its \
                                   labels, or read it as text, with `::text`"]),
                ),
            )
            .step(fetch_one("SELECT $1::mood AS v", p!["sad"]).gives(fails(catamaran::ErrorKind::Encode))),
        case("enum that grew after it was first seen").setup(MOOD).step(session(vec![
            fetch_one("SELECT 'sad'::mood AS v", p![]).gives(rows("v mood", json!([["sad"]]))),
            batch("ALTER TYPE mood ADD VALUE 'glad'"),
            fetch_one("SELECT 'glad'::mood AS v", p![]).gives(rows("v mood", json!([["glad"]]))),
        ])),
    ]
}

fn there_and_back_of<T>(name: &str, setup: &str, sql_type: &str, value: T, json: Json) -> Case
where
    T: ToSql + FromSqlOwned + fmt::Debug + Clone + Send + Sync + 'static,
{
    let type_name = match sql_type.strip_suffix("[]") {
        Some(element) => format!("_{element}"),
        None => sql_type.to_owned(),
    };
    let mut case = there_and_back(name, sql_type, &type_name, value, json);
    case.setup = format!("{setup};\n{}", case.setup);
    case
}
