//! Parameters that don't fit.

use catamaran::ErrorKind;
use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

/// The step fails, and the connection can be used after it.
fn survives(name: &str, setup: &str, step: Step) -> Case {
    let still = fetch_one("SELECT $1::int4 AS n", p![1i32]).gives(rows("n int4", json!([[1]])));
    case(name).setup(setup).step(session(vec![step, still]))
}

pub(super) fn cases() -> Vec<Case> {
    let table = "CREATE TABLE t (id int4, name varchar(3), price numeric(4,2), data bytea)";
    let too_few = || fails(ErrorKind::ParameterCount);
    vec![
        survives("too few parameters", "", execute("SELECT $1::int4, $2::int4", p![1i32]).gives(too_few())),
        survives("too many parameters", "", fetch_all("SELECT $1::int4", p![1i32, 2i32]).gives(too_few())),
        survives("a parameter that the statement has not", "", fetch_one("SELECT 1", p![1i32]).gives(too_few())),
        survives("no parameters where there are some", "", stream("SELECT $1::int4", p![]).gives(too_few())),
        survives(
            "a gap among the parameters",
            "",
            fetch_one("SELECT $2::int4 AS n", p![1i32, 2i32]).gives(sqlstate("42P18")),
        ),
        survives(
            "a parameter of another type: text for an integer",
            table,
            execute("INSERT INTO t (id) VALUES ($1)", p!["secret"]).gives(fails(ErrorKind::Encode)),
        ),
        survives(
            "a parameter of another type: int8 for int4",
            table,
            execute("INSERT INTO t (id) VALUES ($1)", p![1i64]).gives(fails(ErrorKind::Encode)),
        ),
        survives(
            "a parameter of another type: an integer for text",
            table,
            fetch_all("SELECT * FROM t WHERE name = $1", p![1i32]).gives(fails(ErrorKind::Encode)),
        ),
        survives(
            "a parameter of another type: the second one",
            table,
            fetch_optional("SELECT 1 FROM t WHERE id = $1 AND name = $2", p![1i32, 2i32])
                .gives(fails(ErrorKind::Encode)),
        ),
        survives(
            "a parameter of another type: NULL of it",
            table,
            execute("INSERT INTO t (id) VALUES ($1)", p![None::<i64>]).gives(fails(ErrorKind::Encode)),
        ),
        survives(
            "a parameter of another type: of a stream",
            table,
            stream("SELECT * FROM t WHERE id = $1", p!["secret"]).gives(fails(ErrorKind::Encode)),
        ),
        survives(
            "an array where one is asked for",
            "",
            fetch_one("SELECT $1::int4 AS n", p![vec![1i32]]).gives(fails(ErrorKind::Encode)),
        ),
        survives("a NUL in a text", "", fetch_one("SELECT $1::text", p!["a\0b"]).gives(sqlstate("22021"))),
        survives("a NUL in the statement", "", fetch_one("SELECT 'a\0b'", p![]).gives(fails(ErrorKind::Encode))),
        survives("a NUL in a batch", "", batch("SELECT 'a\0b'").gives(fails(ErrorKind::Encode))),
        survives(
            "a text that is too long",
            table,
            execute("INSERT INTO t (name) VALUES ($1)", p!["abcd"]).gives(sqlstate("22001")),
        ),
        survives(
            "a number that is too large",
            table,
            execute("INSERT INTO t (price) VALUES ($1::float8)", p![100.5f64]).gives(sqlstate("22003")),
        ),
        survives(
            "an integer that overflows on the server",
            table,
            execute("INSERT INTO t (id) VALUES ($1::int8)", p![1i64 << 40]).gives(sqlstate("22003")),
        ),
        survives(
            "a text that is no number",
            "",
            fetch_one("SELECT $1::text::int4", p!["secret"]).gives(sqlstate("22P02")),
        ),
        survives(
            "a parameter of no known type",
            "",
            fetch_one("SELECT $1 AS v", p!["x"]).gives(rows("v text", json!([["x"]]))),
        ),
        survives(
            "a parameter used twice, as two types",
            "",
            fetch_one("SELECT $1::int4 AS a, $1::text AS b", p![1i32]).gives(rows("a int4, b text", json!([[1, "1"]]))),
        ),
        survives(
            "a list of values as an array",
            "CREATE TABLE n AS SELECT generate_series(1, 5)::int8 AS id",
            fetch_all("SELECT id FROM n WHERE id = ANY($1) ORDER BY id", p![vec![2i64, 4]])
                .gives(rows("id int8", json!([[2], [4]]))),
        ),
        survives(
            "a thousand parameters",
            "",
            fetch_one(
                format!("SELECT {} AS n", (1..=1000).map(|n| format!("${n}::int4")).collect::<Vec<_>>().join(" + ")),
                (0..1000).flat_map(|_| p![1i32]).collect(),
            )
            .gives(rows("n int4", json!([[1000]]))),
        ),
        survives(
            "more parameters than the protocol can count",
            "",
            fetch_one("SELECT 1", (0..70_000).flat_map(|_| p![1i32]).collect()).gives(too_few()),
        ),
    ]
}
