//! Sessions: what is kept within one, and gone after it.

use catamaran::ErrorKind;
use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

fn show(setting: &str, value: &str) -> Step {
    fetch_one(format!("SELECT current_setting('{setting}') AS v"), p![]).gives(rows("v text", json!([[value]])))
}

fn number(sql: &str, n: i64) -> Step {
    fetch_one(sql, p![]).gives(rows("n int8", json!([[n]])))
}

/// What a session does, and that it is gone when the next one on the same connection begins.
fn gone(name: &str, within: Vec<Step>, after: Vec<Step>) -> Case {
    case(name).step(session(within)).step(session(after.clone())).steps(after)
}

const LOCKS: &str = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
const CURSORS: &str = "SELECT count(*) AS n FROM pg_cursors WHERE is_holdable";
const LISTENING: &str = "SELECT count(*) AS n FROM pg_listening_channels()";

pub(super) fn cases() -> Vec<Case> {
    let missing = || fetch_all("SELECT * FROM seen", p![]).gives(sqlstate("42P01"));
    vec![
        gone(
            "a temporary table",
            vec![
                batch("CREATE TEMP TABLE seen (id int8)"),
                execute("INSERT INTO seen VALUES ($1)", p![7i64]).gives(count(1)),
                fetch_all("SELECT id FROM seen", p![]).gives(rows("id int8", json!([[7]]))),
                on_service(vec![missing()]),
            ],
            vec![missing()],
        ),
        gone("a setting", vec![batch("SET work_mem = '5MB'"), show("work_mem", "5MB")], vec![show("work_mem", "4MB")]),
        gone(
            "a setting set by a function",
            vec![
                fetch_one("SELECT set_config('search_path', 'pg_catalog', false) AS v", p![])
                    .gives(rows("v text", json!([["pg_catalog"]]))),
                show("search_path", "pg_catalog"),
            ],
            vec![show("search_path", "\"$user\", public")],
        ),
        gone(
            "an advisory lock",
            vec![execute("SELECT pg_advisory_lock(7)", p![]).gives(count(1)), number(LOCKS, 1)],
            vec![number(LOCKS, 0)],
        ),
        gone(
            "a cursor",
            vec![batch("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT"), number(CURSORS, 1)],
            vec![number(CURSORS, 0)],
        ),
        gone("a LISTEN", vec![batch("LISTEN boats"), number(LISTENING, 1)], vec![number(LISTENING, 0)]),
        gone(
            "a role",
            vec![
                batch("SET ROLE pg_monitor"),
                fetch_one("SELECT current_user::text AS v", p![]).gives(rows("v text", json!([["pg_monitor"]]))),
            ],
            vec![fetch_one("SELECT current_user = session_user AS v", p![]).gives(rows("v bool", json!([[true]])))],
        ),
        case("a transaction left open by hand")
            .setup("CREATE TABLE t (n int4)")
            .step(session(vec![
                batch("BEGIN"),
                execute("INSERT INTO t VALUES (1)", p![]).gives(count(1)),
                number("SELECT count(*) AS n FROM t", 1),
            ]))
            .step(number("SELECT count(*) AS n FROM t", 0)),
        case("a transaction ended by hand")
            .setup("CREATE TABLE t (n int4)")
            .step(session(vec![
                batch("BEGIN"),
                execute("INSERT INTO t VALUES (1)", p![]).gives(count(1)),
                batch("COMMIT"),
            ]))
            .step(number("SELECT count(*) AS n FROM t", 1)),
        case("a failed transaction left open by hand")
            .step(session(vec![
                batch("BEGIN"),
                execute("SELECT 1 / 0", p![]).gives(sqlstate("22012")),
                execute("SELECT 1", p![]).gives(sqlstate("25P02")),
            ]))
            .step(number("SELECT 1::int8 AS n", 1)),
        case("a session is one connection").setup("CREATE TABLE pids (pid int4)").step(session(vec![
            execute("INSERT INTO pids SELECT pg_backend_pid()", p![]).gives(count(1)),
            fetch_one("SELECT pid = pg_backend_pid() AS same FROM pids", p![])
                .gives(rows("same bool", json!([[true]]))),
            begin(
                COMMIT,
                vec![
                    fetch_one("SELECT pid = pg_backend_pid() AS same FROM pids", p![])
                        .gives(rows("same bool", json!([[true]]))),
                ],
            ),
            on_service(vec![
                fetch_one("SELECT pid = pg_backend_pid() AS same FROM pids", p![])
                    .gives(rows("same bool", json!([[false]]))),
            ]),
        ])),
        case("two sessions at the same time").step(session(vec![
            batch("SET work_mem = '5MB'"),
            on_service(vec![session(vec![batch("SET work_mem = '6MB'"), show("work_mem", "6MB")])]),
            show("work_mem", "5MB"),
        ])),
        case("a session of nothing").step(session(vec![])).step(session(vec![])),
        case("a transaction begun within one begun by hand").setup("CREATE TABLE t (n int4)").step(session(vec![
            batch("BEGIN"),
            execute("INSERT INTO t VALUES (1)", p![]).gives(count(1)),
            begin(ROLLBACK, vec![]).gives(fails(ErrorKind::WrongStatement)),
            number("SELECT count(*) AS n FROM t", 1),
        ])),
    ]
}
