//! Values at the edges of types: what the server has, or an error, on both services and in rows made by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use catamaran::{
    AsyncExecutor as _, Config, DeadpoolDatabase, ErrorKind, FromSql, FromSqlOwned, Row, ToSql, Unnest, Value,
    types::{Date, Timestamp, Type},
};
use catamaran_testkit::{Database, shared};
use catamaran_tests::hull::{Hull, both};
use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;

const SCHEMA: &str =
    "CREATE DOMAIN positive AS int4 CHECK (VALUE > 0); CREATE DOMAIN small AS positive CHECK (VALUE < 100);
    CREATE TYPE spot AS (x float8, label text); CREATE TYPE mood AS ENUM ('ok', 'bad')";

fn services() -> (Database, Config, [Hull; 2]) {
    let database = shared().unwrap().database().unwrap();
    database.execute(SCHEMA).unwrap();
    let config = database.url().parse::<Config>().unwrap().options("-c timezone=UTC");
    let services = both(&config).unwrap();
    (database, config, services)
}

/// What came of reading a column: the value went back to the server and was the same, or why it was not read.
fn outcome<T: ToSql + FromSqlOwned + Sync>(db: &Hull, ty: &str, literal: &str) -> Result<(), String> {
    let row =
        db.fetch_one(&format!("SELECT '{literal}'::{ty} AS v, ARRAY['{literal}'::{ty}, NULL] AS a"), &[]).unwrap();
    let read = |row: &Row| row.get::<T>("v").map_err(|error| (error.kind(), error.to_string()));
    let (server, built) = (read(&row), read(&row.to_built()));
    let in_array = row.get::<Vec<Option<T>>>("a").map_err(|error| error.kind());
    let back = |value: &T| -> bool {
        let row = db.fetch_one(&format!("SELECT $1::{ty} = '{literal}'::{ty} AS same"), &[value]).unwrap();
        row.get("same").unwrap()
    };
    match (server, built, in_array) {
        (Ok(server), Ok(built), Ok(list)) => {
            let same = back(&server) && back(&built) && list.iter().flatten().all(back) && list.len() == 2;
            if same { Ok(()) } else { panic!("{db}: {literal} of {ty} is read as another value") }
        }
        (Err(server), Err(built), Err(kind)) => {
            assert_eq!((server.0, kind), (ErrorKind::Decode, ErrorKind::Decode), "{db}: {}", server.1);
            assert_eq!(server, built, "{db}");
            Err(server.1)
        }
        _ => panic!("{db}: {literal} of {ty} is read and is not read"),
    }
}

/// The literals that can't be read as a Rust type, which has to say so in the words given.
fn refused<'a, T: ToSql + FromSqlOwned + Sync>(
    services: &[Hull],
    ty: &str,
    literals: &[&'a str],
    words: &str,
) -> Vec<&'a str> {
    let outcomes = |db| literals.iter().map(|literal| outcome::<T>(db, ty, literal)).collect::<Vec<_>>();
    let [blocking, nonblocking] = [&services[0], &services[1]].map(outcomes);
    assert_eq!(blocking, nonblocking);
    let failed =
        literals.iter().zip(&blocking).filter_map(|(literal, outcome)| Some((*literal, outcome.as_ref().err()?)));
    failed
        .map(|(literal, text)| {
            assert!(text.contains(words), "{literal}: {text}");
            literal
        })
        .collect()
}

const INSTANTS: [&str; 8] = [
    "infinity",
    "-infinity",
    "294276-12-31 23:59:59.999999",
    "262142-12-31 23:59:59.999999",
    "4714-11-24 00:00:00 BC",
    "0001-12-31 23:59:59.000001 BC",
    "1969-12-31 23:59:59.999999",
    "2000-01-01 00:00:00",
];

#[test]
fn instants() {
    let (_database, _, services) = services();
    let infinite = &INSTANTS[..2];
    let without_timestamp = &INSTANTS[..3];
    for ty in ["timestamptz", "timestamp"] {
        assert_eq!(
            refused::<SystemTime>(&services, ty, &INSTANTS, "infinite; `catamaran::types::Timestamp`"),
            infinite
        );
        assert!(refused::<Timestamp<SystemTime>>(&services, ty, &INSTANTS, "").is_empty());
    }
    assert_eq!(refused::<DateTime<Utc>>(&services, "timestamptz", &INSTANTS, ""), without_timestamp);
    assert_eq!(refused::<DateTime<FixedOffset>>(&services, "timestamptz", &INSTANTS, ""), without_timestamp);
    assert_eq!(refused::<DateTime<Local>>(&services, "timestamptz", &INSTANTS, ""), without_timestamp);
    assert_eq!(refused::<NaiveDateTime>(&services, "timestamp", &INSTANTS, ""), without_timestamp);
    assert_eq!(refused::<DateTime<Utc>>(&services, "timestamptz", infinite, "types::Timestamp"), infinite);
    assert_eq!(refused::<Timestamp<DateTime<Utc>>>(&services, "timestamptz", &INSTANTS, ""), INSTANTS[2..3]);
    let dates = ["infinity", "-infinity", "5874897-12-31", "262142-12-31", "4714-11-24 BC", "2000-02-29"];
    assert_eq!(refused::<NaiveDate>(&services, "date", &dates, ""), dates[..3]);
    assert_eq!(refused::<NaiveDate>(&services, "date", &dates[..2], "infinite; `catamaran::types::Date`"), dates[..2]);
    assert_eq!(refused::<Date<NaiveDate>>(&services, "date", &dates, ""), dates[2..3]);
    let times = ["24:00:00", "23:59:59.999999", "00:00:00"];
    assert_eq!(refused::<NaiveTime>(&services, "time", &times, "24:00, the end of the day"), times[..1]);
}

#[test]
fn addresses_and_single_bytes() {
    let (_database, _, services) = services();
    let addresses = ["10.0.0.1/24", "::1/0", "10.0.0.1", "::1", "10.0.0.1/32", "::ffff:1.2.3.4/128"];
    assert_eq!(refused::<IpAddr>(&services, "inet", &addresses, "has a netmask; read `host()`"), addresses[..2]);
    assert!(refused::<i8>(&services, "\"char\"", &["", "a", "\u{7f}"], "").is_empty());
    let floats = ["NaN", "-Infinity", "Infinity", "-0", "5e-324", "1.7976931348623157e308"];
    assert!(refused::<f64>(&services, "float8", &floats, "").is_empty());
    assert!(refused::<f32>(&services, "float4", &floats[..4], "").is_empty());
}

/// Numbers of any length, with the point anywhere and zeros at either end.
fn number(random: &mut fastrand::Rng) -> String {
    let digits = |random: &mut fastrand::Rng, most: usize| -> String {
        let kept = random.u8(1..=3);
        (0..random.usize(..=most)).map(|_| if random.u8(..3) < kept { random.digit(10) } else { '0' }).collect()
    };
    let sign = if random.bool() { "-" } else { "" };
    let (whole, fraction) = match random.u8(..4) {
        0 => (digits(random, 8), digits(random, 32)),
        1 => (digits(random, 31), digits(random, 3)),
        2 => (format!("{}{}", digits(random, 3), "0".repeat(random.usize(20..42))), String::new()),
        _ => (digits(random, 17), digits(random, 17)),
    };
    format!("{sign}0{whole}.{fraction}0")
}

#[test]
fn decimals_are_the_numbers_of_the_server_or_errors() {
    let (_database, _, services) = services();
    let mut random = fastrand::Rng::with_seed(23);
    let ends = ["79228162514264337593543950335", "79228162514264337593543950336", "-79228162514264337593543950335"];
    let mut texts: Vec<String> = ends.map(str::to_owned).to_vec();
    texts.extend(
        ends.iter().flat_map(|end| {
            (1..30).map(move |at| format!("{}.{}", &end[..end.len().min(at)], &end[at.min(end.len())..]))
        }),
    );
    texts.extend((25..45).flat_map(|power| [format!("1e{power}"), format!("9999e{power}"), format!("1e-{power}")]));
    texts.extend((0..6_000).map(|_| number(&mut random)));
    // Whether it has 28 decimals and 96 bits at the most, as the server counts.
    let sql = "SELECT n, scale(n) <= 28 AND abs(n) * 10::numeric ^ scale(n) < 79228162514264337593543950336 AS fits
        FROM (SELECT trim_scale(t::numeric), t::numeric FROM UNNEST($1::text[]) AS t) AS s (n, v)";
    for db in &services {
        let (mut decimals, mut of, mut refused) = (Vec::new(), Vec::new(), 0);
        for (row, text) in db.fetch_all(sql, &[&texts]).unwrap().iter().zip(&texts) {
            let (read, built) = (row.get::<Decimal>("n"), row.to_built().get::<Decimal>("n"));
            assert_eq!(read.is_ok(), row.get::<bool>("fits").unwrap(), "{text}: {read:?}");
            assert_eq!(read.as_ref().ok(), built.as_ref().ok());
            match read {
                Ok(decimal) => {
                    decimals.push(decimal);
                    of.push(text.as_str());
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Decode);
                    assert!(
                        error.to_string().ends_with(
                            "it has more digits than fit; `round` it in the statement, or \
                                                         read it as text, with `::text`"
                        ),
                        "{error}"
                    );
                    assert_eq!(error.to_string(), built.unwrap_err().to_string());
                    refused += 1;
                }
            }
        }
        assert!(refused > 500 && decimals.len() > 500, "{refused} of {}", texts.len());
        let unnest = Unnest::new().column(&decimals).unwrap().column(&of).unwrap();
        let same = "SELECT t FROM UNNEST($1::numeric[], $2::text[]) AS u (n, t) WHERE n <> t::numeric";
        let others: Vec<String> =
            db.fetch_all(same, &unnest.params()).unwrap().iter().map(|row| row.get(0).unwrap()).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "positive")]
struct Positive(i32);

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "small")]
struct Small(Positive);

/// What a row gives for a column, read in several ways.
fn reads(row: &Row) -> Vec<String> {
    fn shown<T: fmt::Debug>(read: catamaran::Result<T>) -> String {
        read.map_or_else(|error| format!("{:?}: {error}", error.kind()), |value| format!("{value:?}"))
    }
    vec![
        shown(row.get::<i32>("v")),
        shown(row.get::<Option<i32>>("v")),
        shown(row.get::<i64>("v")),
        shown(row.get::<Positive>("v")),
        shown(row.get::<Small>("v")),
        format!("{:?}", row.columns().collect::<Vec<_>>()),
        serde_json::to_string(row).unwrap(),
    ]
}

#[test]
fn a_built_row_has_domains_as_a_server_s_has() {
    let (_database, config, services) = services();
    let nonblocking = DeadpoolDatabase::new(config).unwrap();
    let described =
        tokio::runtime::Runtime::new().unwrap().block_on(nonblocking.describe("SELECT $1::positive, $2::small"));
    let [positive, small]: [Type; 2] = described.unwrap().params().to_vec().try_into().unwrap();
    for db in &services {
        for (name, ty, wrapped) in [
            ("positive", &positive, &Positive(7) as &(dyn ToSql + Sync)),
            ("small", &small, &Small(Positive(7)) as &(dyn ToSql + Sync)),
        ] {
            let server = db.fetch_one(&format!("SELECT 7::{name} AS v"), &[]).unwrap();
            let expected = reads(&server);
            assert_eq!(expected[0], "7");
            for value in [&7i32 as &(dyn ToSql + Sync), wrapped] {
                assert_eq!(reads(&Row::builder().typed("v", ty, value).build()), expected);
                let column = catamaran::Column::new("v", ty.clone());
                assert_eq!(reads(&Row::from_values([column], [Value::typed(ty, value).unwrap()]).unwrap()), expected);
            }
            let null = db.fetch_one(&format!("SELECT NULL::{name} AS v"), &[]).unwrap();
            assert_eq!(reads(&Row::builder().value("v", Value::null(ty.clone())).build()), reads(&null));
            // As a parameter, a domain is one.
            let error = db.fetch_one(&format!("SELECT $1::{name} AS v"), &[&7i32]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encode);
            assert!(
                error
                    .to_string()
                    .ends_with("; name a type that it is sent as in the statement, as in `$1::text::mood`")
            );
            let cast = db.fetch_one(&format!("SELECT $1::int4::{name} AS v"), &[&7i32]).unwrap();
            assert_eq!(reads(&cast), expected);
            assert_eq!(reads(&db.fetch_one(&format!("SELECT $1::{name} AS v"), &[wrapped]).unwrap()), expected);
        }
        assert!(Value::typed(&positive, &"7").is_err());
        let list = db.fetch_one("SELECT ARRAY[7::positive] AS v, ARRAY[7::positive]::int4[] AS cast", &[]).unwrap();
        assert!(list.get::<Vec<i32>>("v").unwrap_err().to_string().ends_with("base type in the statement"));
        assert_eq!(list.get::<Vec<Positive>>("v").unwrap(), [Positive(7)]);
        assert_eq!(list.get::<Vec<i32>>("cast").unwrap(), [7]);
    }
}

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "spot")]
struct Spot {
    x: f64,
    label: Option<String>,
}

#[test]
fn composites_in_unnest_come_as_their_fields() {
    let (_database, _, services) = services();
    let spots: Vec<(Spot, i64)> = (0..3).map(|id| (Spot { x: id as f64, label: None }, id)).collect();
    for db in &services {
        db.batch_execute("DROP TABLE IF EXISTS spots; CREATE TABLE spots (at spot, id int8)").unwrap();
        let unnest = Unnest::rows(&spots).unwrap();
        let columns = "SELECT * FROM UNNEST($1::spot[], $2::int8[])";
        let names: Vec<String> =
            db.fetch_all(columns, &unnest.params()).unwrap()[0].columns().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names.len(), 3, "a composite is its fields: {names:?}");
        let error = db.execute(&format!("INSERT INTO spots {columns}"), &unnest.params()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        let insert =
            "INSERT INTO spots SELECT ROW(x, label)::spot, id FROM UNNEST($1::spot[], $2::int8[]) AS u (x, label, id)";
        assert_eq!(db.execute(insert, &unnest.params()).unwrap(), 3);
        let rows = db.fetch_all("SELECT at, id FROM spots ORDER BY id", &[]).unwrap();
        let kept: Vec<(Spot, i64)> = rows.iter().map(|row| (row.get("at").unwrap(), row.get("id").unwrap())).collect();
        assert_eq!(kept, spots);
    }
}

#[test]
fn what_no_usual_type_is_read_from_says_what_to_ask_for() {
    let (_database, _, services) = services();
    let cases = [
        ("'1 day'::interval", "or as seconds, with `EXTRACT(EPOCH FROM …)`"),
        ("'1.50'::money", "with `::numeric` in the statement"),
        ("B'101'", "with `::text` in the statement"),
        ("B'101'::varbit", "with `::text` in the statement"),
        ("'[1,5)'::int4range", "read `lower()` and `upper()` of it, or the text"),
        ("'{[1,5)}'::int4multirange", "read `lower()` and `upper()` of it, or the text"),
        ("'12:00+01'::timetz", "with `::text` in the statement"),
        ("'(1,2)'::point", "with `::text` in the statement"),
        ("ROW(1, 2)", "name its columns in the statement"),
        ("ROW(1, 'a')::spot", "derive `FromSql` for a struct of its fields, or read these by name"),
        ("'ok'::mood", "or read it as text, with `::text`"),
        ("ARRAY['ok'::mood]", "with `::text[]` in the statement"),
        ("ARRAY['1 day'::interval]", "with `::text[]` in the statement"),
    ];
    for (db, (expression, words)) in services.iter().flat_map(|db| cases.map(|case| (db, case))) {
        let row = db.fetch_one(&format!("SELECT {expression} AS v"), &[]).unwrap();
        for row in [&row, &row.to_built()] {
            let error = row.get::<String>("v").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().ends_with(words), "{db}: {error}");
        }
    }
}

#[test]
fn arrays() {
    let (_database, _, services) = services();
    for db in &services {
        let get = |expression: &str| db.fetch_one(&format!("SELECT {expression} AS v"), &[]).unwrap();
        assert_eq!(get("'[5:6]={1,2}'::int4[]").get::<Vec<i32>>("v").unwrap(), [1, 2]);
        let error = get("'{{1,2},{3,4}}'::int4[]").get::<Vec<i32>>("v").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        // An array of another element type than it was made of has the other's in its header.
        assert_eq!(get("'{a}'::varchar(3)[]::text[]").get::<Vec<String>>("v").unwrap(), ["a"]);
        assert_eq!(get("array_append('{a}'::name[]::text[], 'b')").get::<Vec<String>>("v").unwrap(), ["a", "b"]);
        assert_eq!(get("'1 2'::int2vector").get::<Vec<i16>>("v").unwrap(), [1, 2]);
        assert_eq!(get("'1 2'::int2vector::int2[]").get::<Vec<i16>>("v").unwrap(), [1, 2]);
        assert_eq!(get("'1 2'::oidvector").get::<Vec<u32>>("v").unwrap(), [1, 2]);
        assert_eq!(
            get("(SELECT array_agg(n::positive)::int4[] FROM generate_series(1, 2) n)").get::<Vec<i32>>("v").unwrap(),
            [1, 2]
        );
    }
}

#[test]
fn moments_that_are_too_far_away_are_not_sent_as_others() {
    let (_database, _config, services) = services();
    let year = Duration::from_secs(365 * 86_400);
    let far = [SystemTime::UNIX_EPOCH + year * 400_000, SystemTime::UNIX_EPOCH - year * 400_000];
    // The server's own word on what it can't hold, and as the control what it can.
    let beyond = SystemTime::UNIX_EPOCH - year * 10_000;
    let known = SystemTime::UNIX_EPOCH + year * 200_000;
    for db in &services {
        let sent = |moment: &(dyn ToSql + Sync)| db.fetch_one("SELECT $1::timestamptz AS v", &[moment]);
        assert_eq!(sent(&known).unwrap().get::<SystemTime>("v").unwrap(), known, "{db}");
        assert_eq!(sent(&beyond).unwrap_err().kind(), ErrorKind::Server, "{db}");
        for moment in far {
            let list = [Some(known), None, Some(moment)];
            let unnest = Unnest::rows([(known,), (moment,)]).unwrap();
            let errors = [
                sent(&moment).unwrap_err(),
                sent(&Some(moment)).unwrap_err(),
                sent(&Timestamp::Value(moment)).unwrap_err(),
                db.fetch_one("SELECT $1::timestamp[] AS v", &[&&list[..]]).unwrap_err(),
                db.execute("SELECT UNNEST($1::timestamptz[])", &unnest.params()).unwrap_err(),
                db.execute_many("SELECT $1::timestamptz", &[&[&known], &[&moment]]).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Encode, "{db}: {error}");
                assert!(error.to_string().contains("too far away"), "{db}: {error}");
            }
        }
    }
}
