//! COPY, in both directions and both formats.

use catamaran::{Error, ErrorKind};
use serde_json::{Value, json};

use super::super::{case::*, expected::*};
use crate::p;

const TABLE: &str = "CREATE TABLE boats (id int8 PRIMARY KEY, name text)";
const IN: &str = "COPY boats FROM STDIN";
const IN_BINARY: &str = "COPY boats FROM STDIN BINARY";

fn boats(name: &str, steps: Vec<Step>) -> Case {
    case(name).setup(TABLE).steps(steps)
}

fn has(all: Value) -> Step {
    fetch_all("SELECT * FROM boats ORDER BY id", p![]).gives(rows("id int8, name text", all))
}

/// The rows in COPY's binary format.
///
/// <https://www.postgresql.org/docs/current/sql-copy.html>
fn binary(boats: &[(i64, Option<&str>)]) -> Vec<u8> {
    let mut data = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for (id, name) in boats {
        data.extend_from_slice(&2i16.to_be_bytes());
        data.extend_from_slice(&8i32.to_be_bytes());
        data.extend_from_slice(&id.to_be_bytes());
        let length = name.map_or(-1, |name| i32::try_from(name.len()).expect("a short name"));
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(name.unwrap_or_default().as_bytes());
    }
    data.extend_from_slice(&(-1i16).to_be_bytes());
    data
}

pub(super) fn cases() -> Vec<Case> {
    let two = || binary(&[(1, Some("Aino")), (2, None)]);
    let both = || has(json!([[1, "Aino"], [2, null]]));
    let mut cases = vec![
        boats("copy_in of text", vec![copy_in(IN, &["1\tAino\n2\t\\N\n"]).gives(count(2)), both()]),
        boats(
            "copy_in of CSV",
            vec![
                copy_in("COPY boats FROM STDIN (FORMAT csv, HEADER)", &["id,name\n", "1,Ai", "no\n2,\n"])
                    .gives(count(2)),
                both(),
            ],
        ),
        boats("copy_in of binary", vec![copy_in_bytes(IN_BINARY, two()).gives(count(2)), both()]),
        boats(
            "copy_in of chunks that break anywhere",
            vec![copy_in(IN, &["", "1", "\tAi", "", "no\n2\t\\", "N\n", ""]).gives(count(2)), both()],
        ),
        boats("copy_in of no chunks", vec![copy_in(IN, &[]).gives(count(0)), has(json!([]))]),
        boats(
            "copy_in of much",
            vec![
                copy_in_bytes(IN, (0..50_000).flat_map(|n| format!("{n}\tboat {n}\n").into_bytes()).collect())
                    .gives(count(50_000)),
                fetch_one("SELECT count(*) AS n FROM boats", p![]).gives(rows("n int8", json!([[50_000]]))),
            ],
        ),
        boats(
            "copy_in of data that is wrong",
            vec![copy_in(IN, &["1\tAino\n", "secret\tVega\n"]).gives(sqlstate("22P02")), has(json!([]))],
        ),
        boats(
            "copy_in of a row that is too short",
            vec![copy_in(IN, &["1\n"]).gives(sqlstate("22P04")), has(json!([]))],
        ),
        boats(
            "copy_in of a duplicate",
            vec![
                copy_in(IN, &["1\tAino\n1\tVega\n"]).gives(sqlstate("23505").constraint("boats_pkey")),
                has(json!([])),
            ],
        ),
        boats(
            "copy_in of binary that ends early",
            vec![copy_in_bytes(IN_BINARY, two()[..40].to_vec()).gives(sqlstate("22P04")), has(json!([]))],
        ),
        boats(
            "copy_in whose chunks fail",
            vec![
                copy_in_failing(IN, "1\tAino\n", Error::new(ErrorKind::Encode, "the source ran dry"))
                    .gives(fails(ErrorKind::Encode).message("the source ran dry")),
                has(json!([])),
            ],
        ),
        boats(
            "copy_in whose chunks fail, in a transaction",
            vec![begin(
                ROLLBACK,
                vec![
                    copy_in_failing(IN, "1\tAino\n", Error::new(ErrorKind::Encode, "the source ran dry"))
                        .gives(fails(ErrorKind::Encode)),
                    execute("SELECT 1", p![]).gives(sqlstate("25P02")),
                ],
            )],
        ),
        boats(
            "copy_in into no table",
            vec![copy_in("COPY no_such_table FROM STDIN", &["1\n"]).gives(sqlstate("42P01"))],
        ),
        boats(
            "copy_in of a statement that is no COPY",
            vec![
                copy_in("SELECT 1", &["1\n"]).gives(fails(ErrorKind::WrongStatement)),
                copy_in("INSERT INTO boats VALUES (9, 'x')", &[]).gives(fails(ErrorKind::WrongStatement)),
                copy_in("COPY boats TO STDOUT", &["1\n"]).gives(fails(ErrorKind::WrongStatement)),
                copy_in("", &["1\n"]).gives(fails(ErrorKind::WrongStatement)),
            ],
        ),
        boats(
            "copy_in, undone with its transaction",
            vec![
                begin(ROLLBACK, vec![copy_in(IN, &["1\tAino\n"]).gives(count(1)), has(json!([[1, "Aino"]]))]),
                has(json!([])),
            ],
        ),
        boats(
            "copy_in that failed leaves the session usable",
            vec![session(vec![
                copy_in(IN, &["secret\n"]).gives(sqlstate("22P02")),
                copy_in_failing(IN, "1\tAino\n", Error::new(ErrorKind::Encode, "dry")).gives(fails(ErrorKind::Encode)),
                copy_in(IN, &["1\tAino\n2\t\\N\n"]).gives(count(2)),
                both(),
            ])],
        ),
    ];
    cases.extend(out(two()));
    cases
}

fn out(two: Vec<u8>) -> Vec<Case> {
    let fill = "INSERT INTO boats VALUES (1, 'Aino'), (2, NULL)";
    let filled = |name: &str, steps: Vec<Step>| boats(name, steps).setup(fill);
    let one = || fetch_one("SELECT 1 AS n", p![]).gives(rows("n int4", json!([[1]])));
    let series = "COPY (SELECT generate_series(1, 1000000)) TO STDOUT";
    vec![
        filled("copy_out of a table", vec![copy_out("COPY boats TO STDOUT").gives(bytes(*b"1\tAino\n2\t\\N\n"))]),
        filled(
            "copy_out of CSV",
            vec![copy_out("COPY boats TO STDOUT (FORMAT csv, HEADER)").gives(bytes(*b"id,name\n1,Aino\n2,\n"))],
        ),
        filled("copy_out of binary", vec![copy_out("COPY boats TO STDOUT BINARY").gives(bytes(two.clone()))]),
        filled("copy_out of nothing", vec![copy_out("COPY (SELECT 1 WHERE false) TO STDOUT").gives(bytes([]))]),
        filled("copy_out dropped early", vec![session(vec![copy_out_some(series, 2).gives(bytes(*b"1\n2\n")), one()])]),
        filled(
            "copy_out dropped early in a transaction",
            vec![
                begin(
                    COMMIT,
                    vec![
                        execute("DELETE FROM boats", p![]).gives(count(2)),
                        copy_out_some(series, 1).gives(bytes(*b"1\n")),
                        one(),
                    ],
                ),
                has(json!([])),
            ],
        ),
        filled(
            "copy_out that fails at once",
            vec![copy_out("COPY no_such_table TO STDOUT").gives(sqlstate("42P01")), one()],
        ),
        filled(
            "copy_out that fails in the middle",
            vec![session(vec![
                copy_out("COPY (SELECT 1 / (3 - n) FROM generate_series(1, 9) n) TO STDOUT")
                    .gives(bytes(*b"0\n1\n").then("22012")),
                one(),
            ])],
        ),
        filled(
            "copy_out of a statement that is no COPY",
            vec![
                copy_out("SELECT 1").gives(fails(ErrorKind::WrongStatement)),
                copy_out("COPY boats FROM STDIN").gives(fails(ErrorKind::WrongStatement)),
                copy_out("").gives(fails(ErrorKind::WrongStatement)),
                one(),
            ],
        ),
        filled(
            "copy_out and copy_in again",
            vec![
                batch("TRUNCATE boats"),
                copy_in_bytes(IN_BINARY, two).gives(count(2)),
                copy_out("COPY boats TO STDOUT").gives(bytes(*b"1\tAino\n2\t\\N\n")),
            ],
        ),
    ]
}
