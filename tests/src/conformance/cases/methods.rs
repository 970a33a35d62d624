//! Every method of an executor, wherever there is one.

use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

const BOATS: &str = "CREATE TABLE boats (id int8 PRIMARY KEY, name text);
    INSERT INTO boats VALUES (1, 'Aino'), (2, NULL)";

/// What a method does and gives.
fn methods() -> Vec<(&'static str, Step)> {
    let both = json!([[1, "Aino"], [2, null]]);
    let columns = "id int8, name text";
    vec![
        ("execute", execute("UPDATE boats SET name = $1 WHERE id >= $2", p!["Vega", 1i64]).gives(count(2))),
        ("fetch_all", fetch_all("SELECT * FROM boats ORDER BY id", p![]).gives(rows(columns, both.clone()))),
        ("fetch_each", fetch_each("SELECT * FROM boats ORDER BY id", p![]).gives(rows(columns, both.clone()))),
        (
            "fetch_one",
            fetch_one("SELECT name FROM boats WHERE id = $1", p![1i64]).gives(rows("name text", json!([["Aino"]]))),
        ),
        (
            "fetch_optional",
            fetch_optional("SELECT id FROM boats WHERE id = $1", p![2i64]).gives(rows("id int8", json!([[2]]))),
        ),
        ("batch_execute", batch("DELETE FROM boats WHERE id = 1; INSERT INTO boats VALUES (3, 'x'); SELECT 1")),
        ("stream", stream("SELECT * FROM boats WHERE id < $1 ORDER BY id", p![9i64]).gives(rows(columns, both))),
        ("copy_in", copy_in("COPY boats FROM STDIN", &["3\tVega\n4\t", "\\N\n"]).gives(count(2))),
        ("copy_out", copy_out("COPY (SELECT * FROM boats ORDER BY id) TO STDOUT").gives(bytes(*b"1\tAino\n2\t\\N\n"))),
        (
            "describe",
            describe("SELECT id, name FROM boats WHERE id = $1 AND name = $2")
                .gives(Expected::Description("int8, text", columns)),
        ),
        (
            "execute_many",
            execute_many("UPDATE boats SET name = $1 WHERE id >= $2", vec![p!["Vega", 1i64], p!["Lyra", 2i64]])
                .gives(counts(&[2, 1])),
        ),
        (
            "run_batch",
            run_batch(vec![
                (Want::Count, "DELETE FROM boats WHERE id = $1", p![1i64]),
                (Want::Rows, "SELECT * FROM boats", p![]),
            ])
            .gives(Expected::Each(vec![count(1), rows(columns, json!([[2, null]]))])),
        ),
    ]
}

/// A place where an executor is met.
type Place = (&'static str, fn(Step) -> Step);

const PLACES: &[Place] = &[
    ("a pool", |step| step),
    ("a session", |step| session(vec![step])),
    ("a transaction", |step| begin(COMMIT, vec![step])),
    ("a savepoint", |step| begin(COMMIT, vec![savepoint(COMMIT, vec![step])])),
    ("a session's transaction", |step| session(vec![begin(COMMIT, vec![step])])),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, within) in PLACES {
        for (method, step) in methods() {
            cases.push(case(format!("{method} on {place}")).setup(BOATS).step(within(step)));
        }
    }
    cases
}
