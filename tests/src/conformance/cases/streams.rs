//! Rows as they come.

use catamaran::ErrorKind;
use serde_json::{Value, json};

use super::super::{case::*, expected::*};
use crate::p;

const SERIES: &str = "SELECT n FROM generate_series(1, $1::int4) AS n";
/// Too many rows to be read to the end.
const ENDLESS: &str = "SELECT generate_series(1, 1000000000) AS n";
/// Enough rows for the server not to be done with them when the first is taken.
const LONG: &str = "SELECT generate_series(1, 100000) AS n";

fn numbers(n: usize) -> Expected {
    rows("n int4", (1..=n).map(|n| json!([n])).collect::<Value>())
}

fn one() -> Step {
    fetch_one("SELECT 1 AS n", p![]).gives(numbers(1))
}

pub(super) fn cases() -> Vec<Case> {
    let busy = || fails(ErrorKind::Busy);
    vec![
        case("a stream of no rows").step(stream(SERIES, p![0i32]).gives(no_rows())),
        case("a stream of many rows").step(stream(SERIES, p![5000i32]).gives(numbers(5000))),
        case("a stream of which nothing is taken").step(stream_some(SERIES, p![10i32], 0).gives(no_rows())).step(one()),
        case("a stream dropped early").step(stream_some(SERIES, p![100_000i32], 3).gives(numbers(3))).step(one()),
        case("a stream dropped early on a session").step(session(vec![
            stream_some(SERIES, p![100_000i32], 3).gives(numbers(3)),
            one(),
            stream(SERIES, p![2i32]).gives(numbers(2)),
        ])),
        case("a stream dropped early, whose statement would take for ever")
            .steps([stream_some(ENDLESS, p![], 1).gives(numbers(1)), one()]),
        case("a stream dropped early in a transaction leaves it usable")
            .setup("CREATE TABLE t (n int4)")
            .step(begin(
                COMMIT,
                vec![
                    execute("INSERT INTO t VALUES (1)", p![]).gives(count(1)),
                    stream_some(SERIES, p![10i32], 3).gives(numbers(3)),
                    one(),
                ],
            ))
            .step(fetch_all("SELECT n FROM t", p![]).gives(numbers(1))),
        case("a stream that fails at once").step(stream("SELECT 1 / 0", p![]).gives(sqlstate("22012"))),
        case("a stream that fails in the middle").step(session(vec![
            stream("SELECT n, 10 / (4 - n) AS v FROM generate_series(1, 9) AS n", p![])
                .gives(rows("n int4, v int4", json!([[1, 3], [2, 5], [3, 10]])).then("22012")),
            one(),
        ])),
        case("a stream that fails in the middle of a transaction").step(begin(
            End::Commit(fails(ErrorKind::TransactionAborted)),
            vec![
                stream("SELECT 10 / (2 - n) AS v FROM generate_series(1, 9) AS n", p![])
                    .gives(rows("v int4", json!([[10]])).then("22012")),
            ],
        )),
        case("a pool is free while one of its streams is open")
            .step(stream_while(ENDLESS, 2, vec![one(), stream(SERIES, p![2i32]).gives(numbers(2))]).gives(numbers(2))),
        case("a session is busy while its stream is open").step(session(vec![
            stream_while(
                LONG,
                2,
                vec![
                    fetch_one("SELECT 1", p![]).gives(busy()),
                    execute("SELECT 1", p![]).gives(busy()),
                    batch("SELECT 1").gives(busy()),
                    stream("SELECT 1", p![]).gives(busy()),
                    describe("SELECT 1").gives(busy()),
                    copy_out("COPY (SELECT 1) TO STDOUT").gives(busy()),
                    copy_in("COPY t FROM STDIN", &["1\n"]).gives(busy()),
                ],
            )
            .gives(numbers(2)),
            one(),
        ])),
        case("a transaction is busy while its stream is open").step(begin(
            COMMIT,
            vec![stream_while(LONG, 1, vec![fetch_one("SELECT 1", p![]).gives(busy())]).gives(numbers(1)), one()],
        )),
        case("a savepoint is busy while its stream is open").step(begin(
            COMMIT,
            vec![savepoint(
                COMMIT,
                vec![stream_while(LONG, 1, vec![fetch_one("SELECT 1", p![]).gives(busy())]).gives(numbers(1)), one()],
            )],
        )),
        case("a stream that writes")
            .setup("CREATE TABLE t (n int4)")
            .step(stream("INSERT INTO t SELECT generate_series(1, 3) RETURNING n", p![]).gives(numbers(3)))
            .step(fetch_one("SELECT count(*)::int4 AS n FROM t", p![]).gives(rows("n int4", json!([[3]])))),
        case("a stream of wide rows").step(
            stream("SELECT n, length(repeat('x', 100000)) AS l FROM generate_series(1, 3) AS n", p![])
                .gives(rows("n int4, l int4", json!([[1, 100_000], [2, 100_000], [3, 100_000]]))),
        ),
        case("a stream of a statement without rows")
            .setup("CREATE TABLE t (n int4)")
            .step(stream("INSERT INTO t VALUES (1)", p![]).gives(no_rows()))
            .step(fetch_all("SELECT n FROM t", p![]).gives(numbers(1))),
    ]
}
