//! Statements that are kept while what they are about changes.

use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

const TABLE: &str = "CREATE TABLE t (a int4); INSERT INTO t VALUES (1)";

fn all(columns: &str, row: serde_json::Value) -> Step {
    fetch_all("SELECT * FROM t", p![]).gives(rows(columns, json!([row])))
}

pub(super) fn cases() -> Vec<Case> {
    let a = || all("a int4", json!([1]));
    let ab = || all("a int4, b text", json!([1, "x"]));
    let add = || batch("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'");
    let mut cases = vec![
        case("a column added under a kept statement, on a pool").setup(TABLE).steps([a(), add(), ab()]),
        case("a column added under a kept statement, on a session").setup(TABLE).step(session(vec![
            a(),
            a(),
            add(),
            ab(),
            ab(),
        ])),
        case("a column added under a kept statement, by another connection").setup(TABLE).step(session(vec![
            a(),
            on_service(vec![add()]),
            ab(),
        ])),
        case("a column added under a kept statement, in a transaction")
            .setup(TABLE)
            .step(session(vec![a(), begin(ROLLBACK, vec![a(), add(), ab()])])),
        case("a column added under a kept statement, in a savepoint")
            .setup(TABLE)
            .step(session(vec![a(), begin(COMMIT, vec![savepoint(COMMIT, vec![add(), ab()]), ab()])])),
        case("a column added under a kept statement, for a stream").setup(TABLE).step(session(vec![
            stream("SELECT * FROM t", p![]).gives(rows("a int4", json!([[1]]))),
            add(),
            stream("SELECT * FROM t", p![]).gives(rows("a int4, b text", json!([[1, "x"]]))),
        ])),
        case("a column dropped under a kept statement").setup(TABLE).step(session(vec![
            add(),
            ab(),
            batch("ALTER TABLE t DROP COLUMN b"),
            a(),
        ])),
        case("a column whose type changed under a kept statement").setup(TABLE).step(session(vec![
            a(),
            batch("ALTER TABLE t ALTER COLUMN a TYPE text"),
            all("a text", json!(["1"])),
        ])),
        case("a parameter whose type changed under a kept statement").setup(TABLE).step(session(vec![
            fetch_all("SELECT a FROM t WHERE a = $1", p![1i32]).gives(rows("a int4", json!([[1]]))),
            batch("ALTER TABLE t ALTER COLUMN a TYPE int8"),
            fetch_all("SELECT a FROM t WHERE a = $1", p![1i64]).gives(rows("a int8", json!([[1]]))),
        ])),
        case("a table made anew under a kept statement").setup(TABLE).step(session(vec![
            a(),
            batch("DROP TABLE t; CREATE TABLE t (a int4, b text); INSERT INTO t VALUES (1, 'x')"),
            ab(),
        ])),
        case("a table dropped under a kept statement").setup(TABLE).step(session(vec![
            a(),
            batch("DROP TABLE t"),
            fetch_all("SELECT * FROM t", p![]).gives(sqlstate("42P01")),
            batch("CREATE TABLE t (a int4); INSERT INTO t VALUES (1)"),
            a(),
        ])),
        case("statements deallocated by hand").setup(TABLE).step(session(vec![a(), batch("DEALLOCATE ALL"), a(), a()])),
        case("everything discarded by hand").setup(TABLE).step(session(vec![a(), batch("DISCARD ALL"), a(), a()])),
        case("statements deallocated by hand, in a transaction")
            .setup(TABLE)
            .step(session(vec![a(), begin(COMMIT, vec![batch("DEALLOCATE ALL"), a()])])),
        case("the same text in two schemas")
            .setup(
                "CREATE SCHEMA IF NOT EXISTS other; CREATE TABLE t (a int4); INSERT INTO t VALUES (1);
                    DROP TABLE IF EXISTS other.t; CREATE TABLE other.t (a text); INSERT INTO other.t VALUES ('x')",
            )
            .step(session(vec![a(), batch("SET search_path = other"), all("a text", json!(["x"]))])),
        case("a function replaced under a kept statement")
            .setup("CREATE FUNCTION f() RETURNS int4 LANGUAGE sql AS 'SELECT 1'")
            .step(session(vec![
                fetch_one("SELECT f() AS n", p![]).gives(rows("n int4", json!([[1]]))),
                batch("CREATE OR REPLACE FUNCTION f() RETURNS int4 LANGUAGE sql AS 'SELECT 2'"),
                fetch_one("SELECT f() AS n", p![]).gives(rows("n int4", json!([[2]]))),
            ])),
    ];
    // Rows would keep their statements on the server for as long as they live.
    let many = (0..400).map(|n| execute(format!("SELECT {n} AS n"), p![]).gives(count(1)));
    let bounded = "SELECT count(*) < 300 AS bounded FROM pg_prepared_statements";
    let after = [
        fetch_one("SELECT 0 AS n", p![]).gives(rows("n int4", json!([[0]]))),
        fetch_one(bounded, p![]).gives(rows("bounded bool", json!([[true]]))),
    ];
    cases.push(case("more statements than are kept").step(session(many.chain(after).collect())));
    cases.push(case("a statement too long to be kept").step(session(vec![
            fetch_one(format!("SELECT length('{}') AS n", "x".repeat(100_000)), p![])
                .gives(rows("n int4", json!([[100_000]]))),
            fetch_one(format!("SELECT length('{}') AS n", "x".repeat(100_000)), p![])
                .gives(rows("n int4", json!([[100_000]]))),
        ])));
    cases
}
