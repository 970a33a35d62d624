//! Bad input: a typed error that says what was wrong, the same from both services, and never a password in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use catamaran::{Config, Error, ErrorKind};
use catamaran_testkit::{Auth, Cluster, shared};
use catamaran_tests::hull::{Hull, both};

const PASSWORD: &str = "s3cr3t-pa55";

/// All that an error lets out without being asked for details.
fn said(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[test]
fn malformed_urls() {
    for url in [
        "postgres://app:s3cr3t-pa55@localhost:port/db",
        "postgres://app:s3cr3t-pa55@[::1/db",
        "postgres://app:s3cr3t-pa55@localhost/db?sslmode=s3cr3t-pa55x",
        "postgres://app:s3cr3t-pa55@localhost/db?connect_timeout=soon",
        "postgres://app:%zz s3cr3t-pa55@localhost",
        "host=localhost password='s3cr3t-pa55",
        "host=localhost password=s3cr3t-pa55 colour=red",
        "mysql://app:s3cr3t-pa55@localhost/db",
        "s3cr3t-pa55",
        "",
    ] {
        let began = Instant::now();
        match Config::from_url(url) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
                let shown = said(&error).replace("s3cr3t-pa55x", "");
                assert!(!shown.contains(PASSWORD), "{url}: {error}");
                assert!(!error.to_string().is_empty());
            }
            Ok(config) => assert_eq!(url, "", "accepted: {config:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    let config = Config::from_url("postgres://app:s3cr3t-pa55@localhost/db").unwrap();
    assert!(!format!("{config:?}").contains(PASSWORD));
}

#[test]
fn servers_that_cannot_be_used() {
    let cluster = Cluster::builder().auth(Auth::ScramSha256 { password: "the right one".into() }).start().unwrap();
    let port = cluster.server().port();
    for (url, kind) in [
        (format!("postgres://postgres:{PASSWORD}@127.0.0.1:1/postgres"), ErrorKind::Connect),
        (format!("postgres://postgres:{PASSWORD}@nowhere.invalid/postgres"), ErrorKind::Connect),
        (format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"), ErrorKind::Authentication),
        (format!("postgres://nobody:{PASSWORD}@127.0.0.1:{port}/postgres"), ErrorKind::Authentication),
        (format!("postgres://postgres@127.0.0.1:{port}/postgres"), ErrorKind::Authentication),
        (format!("postgres://postgres:the%20right%20one@127.0.0.1:{port}/nothing"), ErrorKind::UnknownDatabase),
    ] {
        for db in both(&Config::from_url(&url).unwrap()).unwrap() {
            for _ in 0..2 {
                let began = Instant::now();
                let error = db.ping().unwrap_err();
                assert_eq!(error.kind(), kind, "{db}, {url}: {error:?}");
                assert!(began.elapsed() < Duration::from_secs(1), "{db}, {url}: {:?}", began.elapsed());
                assert!(!said(&error).contains(PASSWORD) && !said(&error).contains("right one"), "{db}: {error:?}");
            }
        }
    }
}

/// Runs something on both services and returns the error that both gave.
fn same_error(services: &[Hull], run: impl Fn(&Hull) -> Result<(), Error>) -> Error {
    let errors: Vec<Error> = services.iter().map(|db| run(db).unwrap_err()).collect();
    let [blocking, nonblocking] = &errors[..] else { panic!("two services") };
    assert_eq!(blocking.kind(), nonblocking.kind(), "{blocking:?} {nonblocking:?}");
    assert_eq!(blocking.to_string(), nonblocking.to_string());
    assert_eq!(blocking.sqlstate(), nonblocking.sqlstate());
    errors[0].clone()
}

#[test]
fn parameters_columns_and_values() {
    let database = shared().unwrap().database().unwrap();
    database.execute("CREATE TABLE t (id int4 PRIMARY KEY, name varchar(3), price numeric(4, 2))").unwrap();
    let services = both(&Config::from_url(&database.url()).unwrap()).unwrap();
    let check = |run: &dyn Fn(&Hull) -> Result<(), Error>, kind, sqlstate, says: &str| {
        let error = same_error(&services, run);
        assert_eq!((error.kind(), error.sqlstate()), (kind, sqlstate), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let server = ErrorKind::Server;
    check(&|db| db.execute("SELECT $1::int4", &[]).map(drop), ErrorKind::ParameterCount, None, "1 parameters, and 0");
    check(
        &|db| db.execute("SELECT $1::int4", &[&1i32, &2i32]).map(drop),
        ErrorKind::ParameterCount,
        None,
        "1 parameters, and 2",
    );
    check(
        &|db| db.execute("SELECT $1::int4", &[&1i64]).map(drop),
        ErrorKind::Encode,
        None,
        "parameter $1: cannot convert",
    );
    check(&|db| db.execute("SELECT $1::text", &[&"a\0b"]).map(drop), server, Some("22021"), "invalid byte sequence");
    check(&|db| db.execute("SELECT '\0'", &[]).map(drop), ErrorKind::Encode, None, "null");
    check(&|db| db.batch_execute("SELECT '\0'"), ErrorKind::Encode, None, "null");
    check(&|db| db.fetch_one("SELECT 1 AS a", &[])?.get::<i32>("b").map(drop), ErrorKind::UnknownColumn, None, "\"b\"");
    check(&|db| db.fetch_one("SELECT 1 AS a", &[])?.get::<i32>(7).map(drop), ErrorKind::UnknownColumn, None, "7");
    check(&|db| db.fetch_one("SELECT 1 AS a", &[])?.get::<String>("a").map(drop), ErrorKind::Decode, None, "int4");
    check(&|db| db.execute("SELECT nothing FROM t", &[]).map(drop), server, Some("42703"), "nothing");
    check(
        &|db| db.execute("INSERT INTO t (id, name) VALUES (1, $1)", &[&"long"]).map(drop),
        server,
        Some("22001"),
        "too long",
    );
    check(
        &|db| db.execute("INSERT INTO t (id, price) VALUES (1, $1::float8)", &[&1000.0f64]).map(drop),
        server,
        Some("22003"),
        "overflow",
    );
    check(&|db| db.execute("SELECT 1; SELECT 2", &[]).map(drop), server, Some("42601"), "multiple commands");
    check(&|db| db.execute("SELEC 1", &[]).map(drop), server, Some("42601"), "syntax error");
    let error = same_error(&services, |db| db.execute("SELECT $1::text::int4", &[&"pa55"]).map(drop));
    assert!(!said(&error).contains("pa55"), "{error:?}");
    assert_eq!(services.iter().map(|db| db.status().idle).collect::<Vec<_>>(), [1, 1], "no connection was lost");
}

#[test]
fn huge_values_travel() {
    let database = shared().unwrap().database().unwrap();
    for db in both(&Config::from_url(&database.url()).unwrap()).unwrap() {
        let huge = "x".repeat(32 * 1024 * 1024);
        let row = db.fetch_one("SELECT $1::text AS text, length($1::text) AS length", &[&huge]).unwrap();
        assert_eq!(row.get::<i32>("length").unwrap() as usize, huge.len());
        assert_eq!(row.get::<&str>("text").unwrap(), huge);
        let statement = format!("SELECT {}1", "1 + ".repeat(2_000));
        assert_eq!(db.fetch_one(&statement, &[]).unwrap().get::<i32>(0).unwrap(), 2_001);
        let error = db.fetch_one(&format!("SELECT {}1", "(".repeat(100_000)), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        db.ping().unwrap();
    }
}

#[test]
fn settings_that_make_no_sense() {
    let config = || Config::from_url("postgres://localhost/db").unwrap();
    for config in
        [config().max_size(0), config().checkout_timeout(Duration::ZERO), config().connect_timeout(Duration::ZERO)]
    {
        let error = both(&config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}
