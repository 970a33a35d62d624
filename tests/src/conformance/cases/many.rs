//! Many statements in one call: sets of parameters, and batches.

use catamaran::ErrorKind;
use serde_json::{Value, json};

use super::super::{
    case::{
        Want::{Count, Rows},
        *,
    },
    expected::*,
};
use crate::p;

const BOATS: &str = "CREATE TABLE boats (id int8 PRIMARY KEY, name text)";
const INSERT: &str = "INSERT INTO boats VALUES ($1, $2)";
const COLUMNS: &str = "id int8, name text";

fn boats(name: &str, steps: Vec<Step>) -> Case {
    case(name).setup(BOATS).steps(steps)
}

fn has(all: Value) -> Step {
    fetch_all("SELECT * FROM boats ORDER BY id", p![]).gives(rows(COLUMNS, all))
}

fn ids(ids: &[i64]) -> Vec<Vec<Param>> {
    ids.iter().map(|id| p![*id, None::<String>]).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = sets();
    cases.extend(batches());
    cases
}

fn duplicate() -> Expected {
    sqlstate("23505").constraint("boats_pkey")
}

fn sets() -> Vec<Case> {
    let insert = |some: &[i64]| execute_many(INSERT, ids(some));
    let failed = || execute("SELECT 1", p![]).gives(sqlstate("25P02"));
    vec![
        boats(
            "execute_many: in order, and a number for each",
            vec![
                insert(&[1, 2, 3]).gives(counts(&[1, 1, 1])),
                execute_many(
                    "UPDATE boats SET name = $2 WHERE id >= $1",
                    vec![p![2i64, "a"], p![3i64, "b"], p![9i64, "c"]],
                )
                .gives(counts(&[2, 1, 0])),
                has(json!([[1, null], [2, "a"], [3, "b"]])),
            ],
        ),
        boats(
            "execute_many: no sets",
            vec![insert(&[]).gives(counts(&[])), execute_many("SELEC", vec![]).gives(counts(&[]))],
        ),
        boats(
            "execute_many: one set",
            vec![insert(&[1]).gives(counts(&[1])), insert(&[1]).gives(duplicate().index(0))],
        ),
        boats(
            "execute_many: no parameters",
            vec![
                execute_many("INSERT INTO boats SELECT count(*) FROM boats", vec![p![], p![]]).gives(counts(&[1, 1])),
                has(json!([[0, null], [1, null]])),
            ],
        ),
        boats(
            "execute_many: all or nothing",
            vec![
                insert(&[1, 2, 1, 3]).gives(duplicate().index(2)),
                has(json!([])),
                session(vec![
                    insert(&[1, 2, 1, 3]).gives(duplicate().index(2)),
                    has(json!([])),
                    insert(&[1, 2]).gives(counts(&[1, 1])),
                ]),
                has(json!([[1, null], [2, null]])),
            ],
        ),
        boats(
            "execute_many: a part of a transaction",
            vec![
                begin(ROLLBACK, vec![insert(&[1, 2]).gives(counts(&[1, 1])), has(json!([[1, null], [2, null]]))]),
                has(json!([])),
                begin(
                    COMMIT,
                    vec![
                        insert(&[1]).gives(counts(&[1])),
                        savepoint(ROLLBACK, vec![insert(&[2, 3]).gives(counts(&[1, 1]))]),
                    ],
                ),
                has(json!([[1, null]])),
                begin(ROLLBACK, vec![insert(&[2, 1, 3]).gives(duplicate().index(1)), failed()]),
                begin(
                    COMMIT,
                    vec![
                        savepoint(ROLLBACK, vec![insert(&[4, 4]).gives(duplicate().index(1)), failed()]),
                        insert(&[5]).gives(counts(&[1])),
                    ],
                ),
                has(json!([[1, null], [5, null]])),
                begin(
                    End::Commit(fails(ErrorKind::TransactionAborted)),
                    vec![insert(&[6, 6]).gives(duplicate().index(1))],
                ),
                has(json!([[1, null], [5, null]])),
            ],
        ),
        boats(
            "execute_many: a part of a transaction begun by hand",
            vec![
                session(vec![
                    batch("BEGIN"),
                    insert(&[1, 2]).gives(counts(&[1, 1])),
                    batch("ROLLBACK"),
                    has(json!([])),
                    insert(&[3, 4, 3]).gives(duplicate().index(2)),
                    has(json!([])),
                    insert(&[3, 4]).gives(counts(&[1, 1])),
                ]),
                has(json!([[3, null], [4, null]])),
            ],
        ),
        boats(
            "execute_many: wrong parameters",
            vec![
                execute_many(INSERT, vec![p![1i64, "a"], p![2i64]]).gives(
                    fails(ErrorKind::ParameterCount)
                        .message("the statement has 2 parameters, and 1 were given")
                        .index(1),
                ),
                execute_many(INSERT, vec![p![1i64, "a"], p![2i64, "b"], p![3i32, "c"]])
                    .gives(fails(ErrorKind::Encode).index(2)),
                execute_many(INSERT, vec![p![1i64, "a"], p![2i64, "b\0"]]).gives(sqlstate("22021").index(1)),
                has(json!([])),
                begin(
                    COMMIT,
                    vec![
                        execute_many(INSERT, vec![p![1i64, "a"], p![2i64]])
                            .gives(fails(ErrorKind::ParameterCount).index(1)),
                        has(json!([])),
                        execute_many(INSERT, vec![p![1i64, "a"], p![2i32, "b"]])
                            .gives(fails(ErrorKind::Encode).index(1)),
                        has(json!([[1, "a"]])),
                    ],
                ),
                has(json!([[1, "a"]])),
            ],
        ),
        boats(
            "execute_many: wrong statements",
            vec![
                execute_many("SELEC 1", vec![p![], p![]]).gives(sqlstate("42601").index(0)),
                execute_many("COPY boats FROM STDIN", vec![p![], p![]])
                    .gives(fails(ErrorKind::WrongStatement).index(0)),
                execute_many("INSERT INTO no_such_table VALUES ($1)", ids(&[1])).gives(sqlstate("42P01").index(0)),
                execute_many("VACUUM boats", vec![p![], p![]]).gives(sqlstate("25001").index(0)),
                insert(&[1, 2]).gives(counts(&[1, 1])),
            ],
        ),
        boats(
            "execute_many: more sets than are sent ahead",
            vec![
                insert(&(0..400).collect::<Vec<_>>()).gives(counts(&[1; 400])),
                insert(&(400..700).chain([7]).chain(700..1000).collect::<Vec<_>>()).gives(duplicate().index(300)),
                fetch_one("SELECT count(*) AS n, max(id) AS last FROM boats", p![])
                    .gives(rows("n int8, last int8", json!([[400, 399]]))),
            ],
        ),
        boats(
            "execute_many: rows that nobody asked for",
            vec![
                insert(&[1, 2]).gives(counts(&[1, 1])),
                execute_many("SELECT * FROM boats WHERE id <= $1", vec![p![1i64], p![2i64]]).gives(counts(&[1, 2])),
                execute_many("DELETE FROM boats WHERE id = $1 RETURNING *", vec![p![1i64], p![1i64]])
                    .gives(counts(&[1, 0])),
            ],
        ),
        boats(
            "execute_many: a setting is not left behind",
            vec![
                execute_many("SET application_name = 'left behind'", vec![p![], p![]]).gives(counts(&[0, 0])),
                fetch_one("SELECT current_setting('application_name') = 'left behind' AS left", p![])
                    .gives(rows("left bool", json!([[false]]))),
            ],
        ),
        boats(
            "execute_many: a statement that no longer fits",
            vec![session(vec![
                insert(&[1, 2]).gives(counts(&[1, 1])),
                execute_many("SELECT * FROM boats WHERE id = $1", vec![p![1i64], p![2i64]]).gives(counts(&[1, 1])),
                on_service(vec![batch("ALTER TABLE boats ADD COLUMN more int4")]),
                execute_many("SELECT * FROM boats WHERE id = $1", vec![p![1i64], p![2i64]]).gives(counts(&[1, 1])),
                execute_many("SELECT * FROM boats WHERE id = $1", vec![p![1i64]]).gives(counts(&[1])),
                run_batch(vec![
                    (Rows, "SELECT * FROM boats WHERE id = 1", p![]),
                    (Rows, "SELECT * FROM boats WHERE id = $1", p![9i64]),
                ])
                .gives(Expected::Each(vec![
                    rows("id int8, name text, more int4", json!([[1, null, null]])),
                    no_rows(),
                ])),
                on_service(vec![batch("ALTER TABLE boats ADD COLUMN less int4")]),
                run_batch(vec![
                    (Count, "DELETE FROM boats WHERE id = 2", p![]),
                    (Rows, "SELECT * FROM boats WHERE id = 1", p![]),
                    (Rows, "SELECT * FROM boats WHERE id = $1", p![1i64]),
                ])
                .gives(Expected::Each(vec![
                    count(1),
                    rows("id int8, name text, more int4, less int4", json!([[1, null, null, null]])),
                    rows("id int8, name text, more int4, less int4", json!([[1, null, null, null]])),
                ])),
                begin(
                    End::Commit(fails(ErrorKind::TransactionAborted)),
                    vec![
                        on_service(vec![batch("ALTER TABLE boats DROP COLUMN less")]),
                        execute_many("SELECT * FROM boats WHERE id = $1", vec![p![1i64], p![2i64]])
                            .gives(sqlstate("0A000").index(0)),
                    ],
                ),
                execute_many("SELECT * FROM boats WHERE id = $1", vec![p![1i64], p![2i64]]).gives(counts(&[1, 0])),
            ])],
        ),
    ]
}

fn batches() -> Vec<Case> {
    let insert = "INSERT INTO boats VALUES ($1, $2) RETURNING id";
    let all = "SELECT * FROM boats ORDER BY id";
    let one = |id: i64| (Rows, insert, p![id, None::<String>]);
    let id = |id: i64| rows("id int8", json!([[id]]));
    vec![
        boats(
            "run_batch: what came of each, in order",
            vec![
                run_batch(vec![
                    one(1),
                    (Count, "UPDATE boats SET name = $1", p!["a"]),
                    (Rows, all, p![]),
                    (Count, insert, p![2i64, "b"]),
                    (Rows, "DELETE FROM boats WHERE id > $1", p![5i64]),
                    (Rows, all, p![]),
                ])
                .gives(Expected::Each(vec![
                    id(1),
                    count(1),
                    rows(COLUMNS, json!([[1, "a"]])),
                    count(1),
                    no_rows(),
                    rows(COLUMNS, json!([[1, "a"], [2, "b"]])),
                ])),
                has(json!([[1, "a"], [2, "b"]])),
            ],
        ),
        boats("run_batch: no statements", vec![run_batch(vec![]).gives(Expected::Each(vec![]))]),
        boats(
            "run_batch: one statement",
            vec![
                run_batch(vec![one(1)]).gives(Expected::Each(vec![id(1)])),
                run_batch(vec![one(1)]).gives(duplicate().index(0)),
            ],
        ),
        boats(
            "run_batch: one that can't be in a transaction, alone and not",
            vec![
                run_batch(vec![(Count, "VACUUM boats", p![])]).gives(Expected::Each(vec![count(0)])),
                run_batch(vec![one(1), (Count, "VACUUM boats", p![])]).gives(sqlstate("25001").index(1)),
                has(json!([])),
            ],
        ),
        boats(
            "run_batch: all or nothing",
            vec![
                run_batch(vec![one(1), one(2), one(1), one(3)]).gives(duplicate().index(2)),
                has(json!([])),
                begin(
                    ROLLBACK,
                    vec![
                        run_batch(vec![one(1), one(2)]).gives(Expected::Each(vec![id(1), id(2)])),
                        has(json!([[1, null], [2, null]])),
                    ],
                ),
                has(json!([])),
                begin(
                    ROLLBACK,
                    vec![
                        run_batch(vec![one(1), one(1)]).gives(duplicate().index(1)),
                        execute("SELECT 1", p![]).gives(sqlstate("25P02")),
                    ],
                ),
                session(vec![
                    run_batch(vec![one(1), one(1)]).gives(duplicate().index(1)),
                    batch("BEGIN"),
                    run_batch(vec![one(1), one(2)]).gives(Expected::Each(vec![id(1), id(2)])),
                    batch("ROLLBACK"),
                    has(json!([])),
                ]),
            ],
        ),
        boats(
            "run_batch: what is wrong is found before anything is run",
            vec![
                begin(
                    COMMIT,
                    vec![
                        run_batch(vec![one(1), (Count, insert, p![2i64])])
                            .gives(fails(ErrorKind::ParameterCount).index(1)),
                        run_batch(vec![one(1), (Rows, "COPY boats TO STDOUT", p![])])
                            .gives(fails(ErrorKind::WrongStatement).index(1)),
                    ],
                ),
                has(json!([])),
                run_batch(vec![one(1), (Count, "SELEC 1", p![])]).gives(sqlstate("42601").index(1)),
                run_batch(vec![one(1), (Rows, "SELECT * FROM no_such_table", p![]), (Count, "SELEC", p![])])
                    .gives(sqlstate("42P01").index(1)),
                run_batch(vec![(Count, insert, p![2i64]), (Count, "SELEC 1", p![])]).gives(sqlstate("42601").index(1)),
                run_batch(vec![one(1), (Count, insert, p!["a", "b"])]).gives(fails(ErrorKind::Encode).index(1)),
                has(json!([])),
            ],
        ),
        boats(
            "run_batch: what is made is there for those behind it",
            vec![
                run_batch(vec![
                    (Count, "CREATE TABLE ships (id int8)", p![]),
                    (Count, "INSERT INTO ships VALUES ($1)", p![7i64]),
                    (Rows, "SELECT * FROM ships", p![]),
                    (Count, "ALTER TABLE ships ADD COLUMN name text", p![]),
                    (Rows, "SELECT * FROM ships", p![]),
                    (Count, "DROP TABLE ships", p![]),
                    one(1),
                ])
                .gives(Expected::Each(vec![
                    count(0),
                    count(1),
                    rows("id int8", json!([[7]])),
                    count(0),
                    rows(COLUMNS, json!([[7, null]])),
                    count(0),
                    id(1),
                ])),
                run_batch(vec![
                    (Count, "CREATE TABLE ships (id int8)", p![]),
                    (Count, "INSERT INTO ships VALUES ($1)", p![7i64]),
                    one(1),
                ])
                .gives(duplicate().index(2)),
                fetch_all("SELECT * FROM ships", p![]).gives(sqlstate("42P01")),
                run_batch(vec![(Count, "CREATE TABLE ships (id int8)", p![]), (Rows, "SELECT * FROM boots", p![])])
                    .gives(sqlstate("42P01").index(1)),
                fetch_all("SELECT * FROM ships", p![]).gives(sqlstate("42P01")),
            ],
        ),
        boats(
            "run_batch: the same statement several times",
            vec![run_batch((1..=300).map(one).collect()).gives(Expected::Each((1..=300).map(id).collect()))],
        ),
        boats(
            "run_batch: a setting is not left behind",
            vec![
                run_batch(vec![
                    (Count, "SET application_name = 'left behind'", p![]),
                    (Rows, "SELECT current_setting('application_name') AS name", p![]),
                ])
                .gives(Expected::Each(vec![count(0), rows("name text", json!([["left behind"]]))])),
                fetch_one("SELECT current_setting('application_name') = 'left behind' AS left", p![])
                    .gives(rows("left bool", json!([[false]]))),
            ],
        ),
        boats(
            "closure: with many statements",
            vec![
                transaction(vec![
                    execute_many(INSERT, ids(&[1, 2])).gives(counts(&[1, 1])),
                    run_batch(vec![one(3)]).gives(Expected::Each(vec![id(3)])),
                ]),
                transaction(vec![execute_many(INSERT, ids(&[4, 1])).gives(duplicate().index(1))])
                    .gives(duplicate().index(1)),
                has(json!([[1, null], [2, null], [3, null]])),
            ],
        ),
    ]
}
