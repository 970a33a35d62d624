//! Rows of which there may be many, chunk by chunk, and what is told of them.

use catamaran::{Error, ErrorKind};
use serde_json::{Value, json};

use super::super::{
    case::*,
    expected::*,
    typed::{Pair, Typed},
};
use crate::p;

const BOATS: &str = "CREATE TABLE boats (id int8 PRIMARY KEY, name text)";
const INSERT: &str = "INSERT INTO boats VALUES ($1, $2)";
const UNNEST: &str = "INSERT INTO boats SELECT * FROM UNNEST($1::int8[], $2::text[]) ON CONFLICT DO NOTHING";
const COLUMNS: &str = "id int8, name text";

fn boats(name: &str, steps: Vec<Step>) -> Case {
    case(name).setup(BOATS).steps(steps)
}

fn has(all: Value) -> Step {
    fetch_all("SELECT * FROM boats ORDER BY id", p![]).gives(rows(COLUMNS, all))
}

fn duplicate() -> Expected {
    sqlstate("23505").constraint("boats_pkey")
}

fn pairs(ids: &[i64]) -> Vec<Pair> {
    ids.iter().map(|id| (*id, (id % 2 == 1).then(|| format!("boat {id}")))).collect()
}

fn told(rows: &'static str) -> Expected {
    Expected::Texts(vec![rows])
}

pub(super) fn cases() -> Vec<Case> {
    let typed = |typed: Typed, expected: Expected| Step::from(typed).gives(expected);
    let run = |some: &[i64], chunk: usize| Typed::Execute(INSERT.into(), pairs(some), chunk);
    let unnest = |some: &[i64], chunk: usize| Typed::Unnest(UNNEST.into(), pairs(some), chunk);
    let in_transaction =
        |some: &[i64], chunk: usize| Step::from(Action::RowsInTransaction(INSERT.into(), pairs(some), chunk));
    let three = || has(json!([[1, "boat 1"], [2, null], [3, "boat 3"]]));
    let returning =
        || String::from("INSERT INTO boats SELECT * FROM UNNEST($1::int8[], $2::text[]) RETURNING id, name");
    let many: Vec<i64> = (0..20_000).collect();
    vec![
        boats(
            "execute_rows: chunk by chunk",
            vec![
                typed(run(&[1, 2, 3], 2), told("3 rows, told [2, 3]")),
                three(),
                typed(run(&[4, 5], 1), told("2 rows, told [1, 2]")),
                typed(run(&[6, 7], 2), told("2 rows, told [2]")),
                typed(run(&[], 2), told("0 rows, told [0]")),
                typed(
                    Typed::Execute("UPDATE boats SET name = $2 WHERE id < $1".into(), pairs(&[3, 9]), 9),
                    told("9 rows, told [2]"),
                ),
            ],
        ),
        boats(
            "execute_rows: earlier chunks are kept",
            vec![
                typed(run(&[1, 2, 3, 3, 4], 2), duplicate().index(3)),
                has(json!([[1, "boat 1"], [2, null]])),
                begin(ROLLBACK, vec![typed(run(&[5, 6, 7, 5], 2), duplicate().index(3))]),
                has(json!([[1, "boat 1"], [2, null]])),
            ],
        ),
        boats(
            "execute_rows: another number of parameters",
            vec![typed(
                Typed::Execute("INSERT INTO boats VALUES ($1)".into(), pairs(&[1]), 9),
                fails(ErrorKind::ParameterCount).index(0),
            )],
        ),
        boats(
            "execute_rows_in_transaction: all or nothing",
            vec![
                in_transaction(&[1, 2, 3], 2).gives(told("3 rows, told [2, 3]")),
                three(),
                in_transaction(&[5, 6, 7, 1], 2).gives(duplicate().index(3)),
                in_transaction(&[], 2).gives(told("0 rows, told [0]")),
                three(),
            ],
        ),
        boats(
            "execute_unnest: arrays of the columns",
            vec![
                typed(unnest(&[1, 2, 3], 9), told("3 rows, told [3]")),
                three(),
                typed(unnest(&[3, 4, 5], 2), told("2 rows, told [2, 3]")),
                typed(unnest(&[], 2), told("0 rows, told [0]")),
                typed(unnest(&many, 7_000), told("19995 rows, told [7000, 14000, 20000]")),
            ],
        ),
        boats(
            "execute_unnest: what is wrong",
            vec![
                typed(Typed::Unnest(UNNEST.replace("int8", "int4"), pairs(&[1, 2]), 9), fails(ErrorKind::Encode)),
                typed(Typed::Unnest("SELECT $1::int8, $2::text[]".into(), pairs(&[1, 2]), 9), fails(ErrorKind::Encode)),
                typed(Typed::Unnest("SELECT $1::int8[]".into(), pairs(&[1, 2]), 9), fails(ErrorKind::ParameterCount)),
                typed(Typed::Unnest(UNNEST.replace("ON CONFLICT DO NOTHING", ""), pairs(&[1, 2, 1]), 9), duplicate()),
                has(json!([])),
            ],
        ),
        boats(
            "fetch_unnest: rows come back",
            vec![
                typed(
                    Typed::FetchUnnest(returning(), pairs(&[1, 2, 3])),
                    rows(COLUMNS, json!([[1, "boat 1"], [2, null], [3, "boat 3"]])),
                ),
                typed(Typed::FetchUnnest(returning(), vec![]), no_rows()),
                typed(Typed::FetchUnnest(returning(), pairs(&[3])), duplicate()),
            ],
        ),
        boats(
            "typed: COPY of rows that is told of",
            vec![
                typed(
                    Typed::RowsInTold("boats".into(), vec!["id", "name"], pairs(&[1, 2, 3])),
                    told("3 rows, told [3]"),
                ),
                three(),
                typed(Typed::RowsInTold("boats".into(), vec!["id", "name"], vec![]), told("0 rows, told [0]")),
                typed(
                    Typed::IterInTold("boats".into(), vec!["id", "name"], pairs(&[4, 5]).into_iter().map(Ok).collect()),
                    told("2 rows, told [2]"),
                ),
                typed(
                    Typed::IterInTold(
                        "boats".into(),
                        vec!["id", "name"],
                        vec![Ok((9, None)), Err(Error::new(ErrorKind::NoRows, "dry"))],
                    ),
                    fails(ErrorKind::NoRows),
                ),
            ],
        ),
    ]
}
