//! Several statements in one text.

use catamaran::ErrorKind;
use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

fn has(n: i64) -> Step {
    fetch_one("SELECT count(*) AS n FROM t", p![]).gives(rows("n int8", json!([[n]])))
}

fn in_table(name: &str, steps: Vec<Step>) -> Case {
    case(name).setup("CREATE TABLE t (n int4)").steps(steps)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        in_table(
            "a batch of several statements",
            vec![batch("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);; INSERT INTO t SELECT n FROM t"), has(4)],
        ),
        in_table(
            "a batch that fails in the middle",
            vec![
                batch("INSERT INTO t VALUES (1); SELECT 1 / 0; INSERT INTO t VALUES (2)").gives(sqlstate("22012")),
                has(0),
            ],
        ),
        in_table(
            "a batch that fails before it runs",
            vec![batch("INSERT INTO t VALUES (1); SELEC").gives(sqlstate("42601")), has(0)],
        ),
        in_table(
            "a batch that commits in between",
            vec![
                batch("INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); SELECT 1 / 0")
                    .gives(sqlstate("22012")),
                has(1),
            ],
        ),
        in_table(
            "a batch with its own transaction",
            vec![batch("BEGIN; INSERT INTO t VALUES (1); ROLLBACK; BEGIN; INSERT INTO t VALUES (2); COMMIT"), has(1)],
        ),
        in_table("a batch of nothing", vec![batch(""), batch(" ;;-- nothing\n"), has(0)]),
        in_table(
            "a batch that returns rows",
            vec![batch("SELECT n FROM generate_series(1, 1000) n; SELECT 'x'"), has(0)],
        ),
        in_table(
            "a batch of a function's body",
            vec![
                batch(
                    "CREATE FUNCTION f() RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$;
                 INSERT INTO t SELECT f(); -- a comment; with a semicolon
                 INSERT INTO t VALUES (/* ; */ 2)",
                ),
                has(2),
            ],
        ),
        in_table(
            "a BEGIN in a batch on the pool leaves nothing open",
            vec![
                batch("BEGIN; INSERT INTO t VALUES (1)"),
                has(0),
                execute("INSERT INTO t VALUES (2)", p![]).gives(count(1)),
                has(1),
            ],
        ),
        in_table(
            "a BEGIN by execute on the pool leaves nothing open",
            vec![
                execute("BEGIN", p![]).gives(count(0)),
                execute("INSERT INTO t VALUES (1)", p![]).gives(count(1)),
                execute("ROLLBACK", p![]).gives(count(0)),
                has(1),
            ],
        ),
        in_table(
            "a failed BEGIN in a batch on the pool leaves nothing open",
            vec![batch("BEGIN; INSERT INTO t VALUES (1); SELECT 1 / 0").gives(sqlstate("22012")), has(0)],
        ),
        in_table(
            "a setting in a batch on the pool leaves nothing behind",
            vec![
                batch("BEGIN; SET LOCAL work_mem = '5MB'"),
                fetch_one("SELECT current_setting('work_mem') AS v", p![]).gives(rows("v text", json!([["4MB"]]))),
            ],
        ),
        in_table(
            "a COPY in a batch",
            vec![
                batch("INSERT INTO t VALUES (1); COPY t FROM STDIN").gives(fails(ErrorKind::WrongStatement)),
                batch("COPY t TO STDOUT").gives(fails(ErrorKind::WrongStatement)),
                has(0),
            ],
        ),
    ]
}
