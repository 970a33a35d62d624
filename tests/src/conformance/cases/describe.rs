//! What the server says of a statement before it runs.

use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

fn says(sql: &str, params: &'static str, columns: &'static str) -> Step {
    describe(sql).gives(Expected::Description(params, columns))
}

pub(super) fn cases() -> Vec<Case> {
    let table = "CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN posint AS int4;
        CREATE TABLE t (id int8, mood mood, n posint, tags text[])";
    vec![
        case("describe parameters and columns").setup(table).step(says(
            "SELECT id, tags AS labels, count(*) FROM t WHERE id = $1 AND tags && $2 GROUP BY 1, 2",
            "int8, _text",
            "id int8, labels _text, count int8",
        )),
        case("describe types of the schema")
            .setup(table)
            .step(says(
                "SELECT mood, n, ARRAY[mood] AS moods FROM t WHERE mood = $1",
                "mood",
                "mood mood, n int4, moods _mood",
            ))
            .step(says("INSERT INTO t VALUES ($1, $2, $3, $4)", "int8, mood, posint, _text", "")),
        case("describe what returns no rows")
            .setup(table)
            .step(says("DELETE FROM t WHERE id = $1", "int8", ""))
            .step(says("DELETE FROM t RETURNING id", "", "id int8"))
            .step(says("", "", ""))
            .step(says("CREATE TABLE u (n int4)", "", "")),
        case("describe runs nothing")
            .setup("CREATE TABLE t (n int4)")
            .step(says("INSERT INTO t VALUES (1) RETURNING n", "", "n int4"))
            .step(says("SELECT 1 / 0 AS n", "", "n int4"))
            .step(fetch_all("SELECT n FROM t", p![]).gives(no_rows())),
        case("describe what can't be prepared")
            .step(describe("SELECT * FROM no_such_table").gives(sqlstate("42P01")))
            .step(describe("SELEC").gives(sqlstate("42601")))
            .step(describe("SELECT 1; SELECT 2").gives(sqlstate("42601"))),
        case("describe after the schema changed").setup("CREATE TABLE t (a int4)").step(session(vec![
            says("SELECT * FROM t", "", "a int4"),
            batch("ALTER TABLE t ADD COLUMN b text"),
            says("SELECT * FROM t", "", "a int4, b text"),
            fetch_all("SELECT * FROM t", p![]).gives(no_rows()),
        ])),
        case("describe in a transaction that failed").step(begin(
            ROLLBACK,
            vec![
                execute("SELECT 1 / 0", p![]).gives(sqlstate("22012")),
                describe("SELECT 2 AS n").gives(sqlstate("25P02")),
            ],
        )),
        case("describe a failing statement in a transaction fails the transaction").step(begin(
            ROLLBACK,
            vec![
                describe("SELECT * FROM no_such_table").gives(sqlstate("42P01")),
                fetch_one("SELECT 1 AS n", p![]).gives(sqlstate("25P02")),
            ],
        )),
        case("describe, then run").step(session(vec![
            says("SELECT $1::int8 + 1 AS n", "int8", "n int8"),
            fetch_one("SELECT $1::int8 + 1 AS n", p![41i64]).gives(rows("n int8", json!([[42]]))),
        ])),
    ]
}
