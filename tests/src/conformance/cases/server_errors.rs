//! What the server refuses.

use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

/// A statement that fails as each method runs it.
fn fails_everywhere(name: &str, sql: &str, expected: Expected) -> Vec<Case> {
    let still = || fetch_one("SELECT 1 AS n", p![]).gives(rows("n int4", json!([[1]])));
    let steps = [
        ("execute", execute(sql, p![])),
        ("fetch_all", fetch_all(sql, p![])),
        ("fetch_each", fetch_each(sql, p![])),
        ("fetch_one", fetch_one(sql, p![])),
        ("fetch_optional", fetch_optional(sql, p![])),
        ("batch_execute", batch(sql)),
        ("stream", stream(sql, p![])),
    ];
    steps
        .into_iter()
        .map(|(method, step)| {
            case(format!("{name}, by {method}")).step(session(vec![step.gives(expected.clone()), still()]))
        })
        .collect()
}

/// A statement that fails.
fn refused(name: &str, setup: &str, sql: &str, expected: Expected) -> Case {
    case(name).setup(setup).step(fetch_all(sql, p![]).gives(expected))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        refused("an unknown column", "CREATE TABLE t (id int4)", "SELECT nam FROM t", sqlstate("42703")),
        refused(
            "an unknown column, with a hint",
            "CREATE TABLE t (name int4)",
            "SELECT nmae FROM t",
            sqlstate("42703").message("column \"nmae\" does not exist"),
        ),
        refused("an unknown function", "", "SELECT no_such_function(1)", sqlstate("42883")),
        refused("an unknown type", "", "SELECT 1::no_such_type", sqlstate("42704")),
        refused("an unknown schema", "", "SELECT * FROM no_such_schema.t", sqlstate("42P01")),
        refused("an ambiguous column", "CREATE TABLE t (id int4)", "SELECT id FROM t a, t b", sqlstate("42702")),
        refused("no permission", "", "DROP SCHEMA pg_catalog", sqlstate("2BP01")),
        refused("a statement that is none", "", "SELEC 1", sqlstate("42601")),
        refused("several statements in one", "", "SELECT 1; SELECT 2", sqlstate("42601")),
        refused("an unterminated string", "", "SELECT 'a", sqlstate("42601")),
        refused("a table that exists", "CREATE TABLE t (id int4)", "CREATE TABLE t (id int4)", sqlstate("42P07")),
        refused("a value out of range", "", "SELECT 2147483647 + 1", sqlstate("22003")),
        refused("a text that is no date", "", "SELECT 'secret'::text::date", sqlstate("22007")),
        refused("a subquery of two rows", "", "SELECT (SELECT n FROM generate_series(1, 2) n)", sqlstate("21000")),
        refused("an error with a position", "", "SELECT 1 FRM t", sqlstate("42601")),
        refused(
            "an error of one's own, with every field",
            "CREATE FUNCTION fail() RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN
               RAISE EXCEPTION 'message %', 1 USING ERRCODE = 'CM001', DETAIL = 'detail', HINT = 'hint',
                 COLUMN = 'c', CONSTRAINT = 'k', TABLE = 't', SCHEMA = 's', DATATYPE = 'd';
             END $$",
            "SELECT fail()",
            sqlstate("CM001").message("message 1").table("t").column("c").constraint("k"),
        ),
        refused(
            "an error in a function in a function",
            "CREATE FUNCTION inner_f() RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / 0; END $$;
             CREATE FUNCTION outer_f() RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN RETURN inner_f(); END $$",
            "SELECT outer_f()",
            sqlstate("22012"),
        ),
        case("notices and warnings are no errors")
            .step(execute("DO $$ BEGIN RAISE NOTICE 'a'; RAISE WARNING 'b'; END $$", p![]).gives(count(0)))
            .step(batch("DROP TABLE IF EXISTS no_such_table")),
        case("a statement that takes too long").step(session(vec![
            batch("SET statement_timeout = '50ms'"),
            fetch_one("SELECT pg_sleep(10)", p![]).gives(sqlstate("57014")),
            fetch_one("SELECT 1 AS n", p![]).gives(rows("n int4", json!([[1]]))),
        ])),
        case("a lock that takes too long").setup("CREATE TABLE t (id int4)").step(begin(
            ROLLBACK,
            vec![
                batch("LOCK TABLE t"),
                on_service(vec![session(vec![
                    batch("SET lock_timeout = '50ms'"),
                    execute("INSERT INTO t VALUES (1)", p![]).gives(sqlstate("55P03")),
                ])]),
            ],
        )),
        case("an error among others of the same connection").step(session(vec![
            fetch_one("SELECT 1 / 0", p![]).gives(sqlstate("22012")),
            fetch_one("SELECT * FROM no_such_table", p![]).gives(sqlstate("42P01")),
            fetch_one("SELECT 1 AS n", p![]).gives(rows("n int4", json!([[1]]))),
            fetch_one("SELECT 1 / 0", p![]).gives(sqlstate("22012")),
        ])),
    ];
    cases.extend(fails_everywhere("a division by zero", "SELECT 1 / 0", sqlstate("22012").message("division by zero")));
    cases.extend(fails_everywhere("an unknown table", "SELECT * FROM no_such_table", sqlstate("42P01")));
    // A row has been sent when the error comes.
    cases.push(case("an error after some rows, by fetch_all").step(session(vec![
        fetch_all("SELECT 1 / (3 - n) AS v FROM generate_series(1, 5) n", p![]).gives(sqlstate("22012")),
        fetch_one("SELECT 1 AS n", p![]).gives(rows("n int4", json!([[1]]))),
    ])));
    cases
}
