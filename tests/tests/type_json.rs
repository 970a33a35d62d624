//! The JSON of generated values of every type, alone and within arrays, composites and domains, against the server's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fmt::Write as _;

use catamaran::{Config, Row, row};
use catamaran_testkit::shared;
use catamaran_tests::hull::both;
use fastrand::Rng;

/// A type, what makes a value of it of a text `s`, and the texts.
type Generator = (&'static str, &'static str, fn(&mut Rng) -> String);

const TYPES: &[Generator] = &[
    ("bool", "s::bool", |random| random.bool().to_string()),
    ("int2", "s::int2", |random| random.i16(..).to_string()),
    ("int4", "s::int4", |random| random.i32(..).to_string()),
    ("int8", "s::int8", |random| random.i64(..).to_string()),
    ("oid", "s::oid", |random| random.u32(..).to_string()),
    ("xid8", "s::xid8", |random| random.u64(..).to_string()),
    ("float4", "s::float4", |random| match random.u8(..8) {
        0 => one_of(random, &["NaN", "Infinity", "-Infinity", "-0", "1e-45"]),
        1 => random.i32(-2_000_000..2_000_000).to_string(),
        _ => f32::from_bits(random.u32(..)).to_string(),
    }),
    ("float8", "s::float8", |random| match random.u8(..8) {
        0 => one_of(random, &["NaN", "Infinity", "-Infinity", "-0", "5e-324"]),
        1 => (random.i64(-2_000_000_000..2_000_000_000) as f64 / 1000.0).to_string(),
        _ => f64::from_bits(random.u64(..)).to_string(),
    }),
    ("numeric", "s::numeric", |random| match random.u8(..8) {
        0 => one_of(random, &["NaN", "Infinity", "-Infinity", "-0.00", "1e-40", "1e40"]),
        _ => format!("{}{}.{}", random.i64(..), zeros(random), zeros(random)),
    }),
    ("text", "s", text),
    ("varchar", "s::varchar", text),
    ("bpchar", "s::char(12)", |random| text(random).chars().take(12).collect()),
    ("name", "s::name", |random| text(random).chars().take(12).collect()),
    ("\"char\"", "s::\"char\"", |random| char::from(random.u8(1..128)).to_string()),
    ("mood", "s::mood", |random| one_of(random, &["ok", "it's \"ok\"", "back\\slash", "ünï"])),
    ("bytea", "s::bytea", |random| format!("\\x{}", hex(random, 20))),
    ("uuid", "s::uuid", |random| format!("{:032x}", random.u128(..))),
    ("varbit", "s::varbit", |random| (0..random.usize(..20)).map(|_| if random.bool() { '1' } else { '0' }).collect()),
    ("date", "CASE WHEN s ~ 'inf' THEN s::date ELSE '2000-01-01'::date + s::int4 END", |random| match random.u8(..8) {
        0 => one_of(random, &["infinity", "-infinity"]),
        1 => random.i32(-2_451_545..2_145_031_949).to_string(),
        _ => random.i32(-800_000..800_000).to_string(),
    }),
    ("time", "s::time", |random| clock(random)),
    ("timetz", "s::timetz", |random| {
        let sign = if random.bool() { '+' } else { '-' };
        let seconds = if random.bool() { format!(":{:02}", random.u8(..60)) } else { String::new() };
        format!("{}{sign}{:02}:{:02}{seconds}", clock(random), random.u8(..15), random.u8(..60))
    }),
    ("timestamp", INSTANT, instant),
    ("timestamptz", INSTANT, instant),
    ("interval", "s::interval", |random| {
        let mut part = |most: i64, unit: &str| match random.u8(..3) {
            0 => String::new(),
            _ => format!("{} {unit} ", random.i64(-most..most)),
        };
        format!("{}{}{}0 hours", part(2_000, "mons"), part(500, "days"), part(90_000_000_000, "us"))
    }),
    ("inet", "s::inet", |random| match random.u8(..3) {
        0 => format!("{}.{}.0.{}/{}", random.u8(..), random.u8(..), random.u8(..), random.u8(..=32)),
        _ => ipv6(random) + &format!("/{}", random.u8(..=128)),
    }),
    ("macaddr", "s::macaddr", |random| format!("{:012x}", random.u64(..1 << 48))),
    ("pg_lsn", "s::pg_lsn", |random| format!("{:X}/{:X}", random.u32(..), random.u32(..))),
    ("int4range", "s::int4range", |random| {
        let (from, length) = (random.i32(-100..100), random.i32(0..100));
        let bounds = [("[", "]"), ("(", ")"), ("[", ")")][random.usize(..3)];
        match random.u8(..6) {
            0 => one_of(random, &["empty", "(,)", "[7,)", "(,7]"]),
            _ => format!("{}{from},{}{}", bounds.0, from + length, bounds.1),
        }
    }),
    ("textrange", "textrange(NULLIF(s, ''), NULL)", text),
    ("jsonb", "to_jsonb(s)", text),
    ("json", "to_json(ARRAY[s])", text),
    ("point", "point(s::float8, -s::float8)", |random| f64::from_bits(random.u64(..)).to_string()),
];

const INSTANT: &str =
    "CASE WHEN s ~ 'inf' THEN s::timestamp ELSE '2000-01-01'::timestamp + make_interval(secs => s::float8) END";

fn instant(random: &mut Rng) -> String {
    match random.u8(..8) {
        0 => one_of(random, &["infinity", "-infinity"]),
        1 => random.i64(-211_813_488_000..9_000_000_000_000).to_string(),
        _ => format!("{}.{:06}", random.i64(-80_000_000_000..80_000_000_000), random.u32(..1_000_000)),
    }
}

fn clock(random: &mut Rng) -> String {
    match random.u8(..6) {
        0 => one_of(random, &["24:00:00", "00:00:00", "23:59:59.999999"]),
        _ => format!(
            "{:02}:{:02}:{:02}.{:06}",
            random.u8(..24),
            random.u8(..60),
            random.u8(..60),
            random.u32(..1_000_000)
        ),
    }
}

fn one_of(random: &mut Rng, texts: &[&str]) -> String {
    texts[random.usize(..texts.len())].to_owned()
}

fn zeros(random: &mut Rng) -> String {
    format!("{}{}", "0".repeat(random.usize(..20)), random.u16(..))
}

fn hex(random: &mut Rng, most: usize) -> String {
    (0..random.usize(..most)).map(|_| format!("{:02x}", random.u8(..))).collect()
}

fn ipv6(random: &mut Rng) -> String {
    let segments: Vec<String> =
        (0..8).map(|_| if random.bool() { "0".into() } else { format!("{:x}", random.u16(..)) }).collect();
    segments.join(":")
}

fn text(random: &mut Rng) -> String {
    const MARKS: [char; 14] = ['"', '\'', '\\', ',', '(', ')', '[', '{', ' ', '\u{2028}', '\u{7f}', 'é', '🚢', 'n'];
    (0..random.usize(..10))
        .map(|_| if random.bool() { MARKS[random.usize(..MARKS.len())] } else { char::from(random.u8(1..128)) })
        .collect()
}

/// The members of a row as JSON, and as the server has them in its last column.
fn both_forms(row: &Row) -> (String, String) {
    let theirs: String = row.get("json").unwrap();
    let ours = serde_json::to_string(row).unwrap_or_else(|error| panic!("{error} for {theirs}"));
    // What the row has besides is the server's own form, as a string.
    let rest = format!(",\"json\":{}}}", serde_json::to_string(&theirs).unwrap());
    let ours = ours.strip_suffix(&rest).unwrap_or(&ours);
    let ours = format!("{ours}}}");
    (ours, theirs)
}

#[test]
fn another_form_is_noticed() {
    let (ours, theirs) = both_forms(&row! { "v" => 1.5f64, "json" => r#"{"v":1.50}"# });
    assert_eq!((ours.as_str(), theirs.as_str()), (r#"{"v":1.5}"#, r#"{"v":1.50}"#));
}

#[test]
fn generated_values_are_as_the_server_writes_them() {
    let database = shared().unwrap().database().unwrap();
    let mut schema = String::from(
        "CREATE TYPE mood AS ENUM ('ok', 'it''s \"ok\"', 'back\\slash', 'ünï');
         CREATE TYPE textrange AS RANGE (subtype = text, collation = \"C\");",
    );
    for (at, (ty, ..)) in TYPES.iter().enumerate() {
        write!(
            schema,
            "CREATE DOMAIN d{at} AS {ty}; CREATE DOMAIN l{at} AS {ty}[];
            CREATE TYPE c{at} AS (v {ty}, \"a \"\"b\" {ty}[], d d{at}, l l{at});"
        )
        .unwrap();
    }
    database.execute(&schema).unwrap();
    let config = database.url().parse::<Config>().unwrap().options("-c timezone=UTC");
    let mut random = Rng::with_seed(24);
    for db in both(&config).unwrap() {
        let mut compared = 0;
        for (at, (ty, value, generate)) in TYPES.iter().enumerate() {
            let texts: Vec<String> = (0..120).map(|_| generate(&mut random)).collect();
            let sql = format!(
                "SELECT t.*, row_to_json(t)::text AS json FROM (
                    SELECT v, ARRAY[v, NULL] AS a, ARRAY[ARRAY[v], ARRAY[v]] AS m, v::d{at} AS d, ARRAY[v::d{at}] AS ad,
                        ARRAY[v]::l{at} AS l, ARRAY[ARRAY[v]::l{at}] AS al, c, ARRAY[c, NULL] AS ac
                    FROM (SELECT v, ROW(v, ARRAY[v, NULL], v, ARRAY[v])::c{at} AS c
                        FROM (SELECT ({value})::{ty} AS v FROM UNNEST($1::text[]) AS s) AS v) AS c) AS t"
            );
            for row in db.fetch_all(&sql, &[&texts]).unwrap() {
                for row in [&row, &row.to_built()] {
                    let (ours, theirs) = both_forms(row);
                    assert_eq!(ours, theirs, "{ty}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 240 * TYPES.len());
    }
}
