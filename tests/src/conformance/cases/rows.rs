//! How many rows, and what they are called.

use catamaran::ErrorKind;
use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

const SERIES: &str = "SELECT n FROM generate_series(1, $1::int4) AS n";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("fetch_all of no rows").step(fetch_all(SERIES, p![0i32]).gives(no_rows())),
        case("fetch_all of many rows")
            .step(fetch_all(SERIES, p![1000i32]).gives(rows("n int4", (1..=1000).map(|n| json!([n])).collect()))),
        case("fetch_each of no rows").step(fetch_each(SERIES, p![0i32]).gives(no_rows())),
        case("fetch_each of many rows")
            .step(fetch_each(SERIES, p![1000i32]).gives(rows("n int4", (1..=1000).map(|n| json!([n])).collect()))),
        case("fetch_one of no rows").step(fetch_one(SERIES, p![0i32]).gives(fails(ErrorKind::NoRows))),
        case("fetch_one of two rows").step(fetch_one(SERIES, p![2i32]).gives(fails(ErrorKind::TooManyRows))),
        case("fetch_one of a thousand rows").step(fetch_one(SERIES, p![1000i32]).gives(fails(ErrorKind::TooManyRows))),
        case("fetch_optional of no rows").step(fetch_optional(SERIES, p![0i32]).gives(no_rows())),
        case("fetch_optional of two rows").step(fetch_optional(SERIES, p![2i32]).gives(fails(ErrorKind::TooManyRows))),
        case("too many rows leave the connection usable").step(session(vec![
            fetch_one(SERIES, p![2i32]).gives(fails(ErrorKind::TooManyRows)),
            fetch_one(SERIES, p![1i32]).gives(rows("n int4", json!([[1]]))),
        ])),
        case("too many rows of a writing statement are written all the same")
            .setup("CREATE TABLE t (n int4)")
            .step(fetch_one("INSERT INTO t VALUES (1), (2) RETURNING n", p![]).gives(fails(ErrorKind::TooManyRows)))
            .step(fetch_one("SELECT count(*) FROM t", p![]).gives(rows("count int8", json!([[2]])))),
        case("execute of a statement that returns rows counts them").step(execute(SERIES, p![3i32]).gives(count(3))),
        case("execute of DDL counts nothing")
            .step(execute("CREATE TABLE t (n int4)", p![]).gives(count(0)))
            .step(execute("DROP TABLE t", p![]).gives(count(0))),
        case("execute of nothing").step(execute("", p![]).gives(count(0))),
        case("execute of a comment").step(execute("-- nothing", p![]).gives(count(0))),
        case("fetch_all of a statement without rows")
            .setup("CREATE TABLE t (n int4)")
            .step(fetch_all("INSERT INTO t VALUES (1)", p![]).gives(no_rows()))
            .step(fetch_optional("UPDATE t SET n = 2", p![]).gives(no_rows()))
            .step(fetch_one("DELETE FROM t", p![]).gives(fails(ErrorKind::NoRows))),
        case("fetch_all of nothing").step(fetch_all("", p![]).gives(no_rows())),
        case("RETURNING gives rows").setup("CREATE TABLE t (id int8 GENERATED ALWAYS AS IDENTITY, name text)").step(
            fetch_all("INSERT INTO t (name) VALUES ($1), ($2) RETURNING id, name", p!["a", "b"])
                .gives(rows("id int8, name text", json!([[1, "a"], [2, "b"]]))),
        ),
        case("data-modifying CTEs and ON CONFLICT count and return")
            .setup("CREATE TABLE t (n int4 PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
            .step(
                fetch_all("WITH gone AS (DELETE FROM t WHERE n = $1 RETURNING n) SELECT n FROM gone", p![1i32])
                    .gives(rows("n int4", json!([[1]]))),
            )
            .step(
                execute("INSERT INTO t VALUES (2), (3) ON CONFLICT (n) DO UPDATE SET n = t.n + 10", p![])
                    .gives(count(2)),
            ),
        case("rows without columns").step(fetch_all("SELECT", p![]).gives(rows("", json!([[]])))),
        case("columns of the same name").step(
            fetch_one("SELECT 1 AS x, 2 AS x", p![])
                .reads([read::<i32>("x")])
                .gives(rows("x int4, x int4", json!([[1, 2]])).reading(["1"])),
        ),
        case("columns with unusual names").step(
            fetch_one(r#"SELECT 1 AS "a""b", 2 AS "With Space", 3 AS "Ärger", 4"#, p![])
                .reads([read::<i32>("with space"), read::<i32>("Ärger"), read::<i32>("?column?")])
                .gives(
                    rows("a\"b int4, With Space int4, Ärger int4, ?column? int4", json!([[1, 2, 3, 4]]))
                        .reading(["2", "3", "4"]),
                ),
        ),
        case("a row of many columns").step(
            fetch_one(
                format!("SELECT {}", (1..=300).map(|n| format!("{n} AS c{n}")).collect::<Vec<_>>().join(", ")),
                p![],
            )
            .reads([read::<i32>("c300")])
            .gives(
                rows(
                    (1..=300).map(|n| format!("c{n} int4")).collect::<Vec<_>>().join(", "),
                    json!([(1..=300).collect::<Vec<_>>()]),
                )
                .reading(["300"]),
            ),
        ),
        case("a large value")
            .step(
                fetch_one("SELECT length(repeat($1, 1000000)) AS n", p!["xyz"])
                    .gives(rows("n int4", json!([[3_000_000]]))),
            )
            .step(
                fetch_one("SELECT md5($1) AS hash", p!["x".repeat(2_000_000)])
                    .gives(rows("hash text", json!([["939ee55a36872cb4222e09cced62a7b5"]]))),
            ),
    ]
}
