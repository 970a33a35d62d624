//! Typed rows, scalars, COPY of rows, and closures in transactions.

use catamaran::{Error, ErrorKind, Isolation, TransactionOptions};
use serde_json::json;

use super::super::{case::*, expected::*, typed::Typed};
use crate::p;

const BOATS: &str = "CREATE TABLE boats (id int8 PRIMARY KEY, name text);
    INSERT INTO boats VALUES (1, 'Aino'), (2, NULL)";
const ALL: &str = "SELECT id, name FROM boats ORDER BY id";
const BOTH: [&str; 2] = ["(1, Some(\"Aino\"))", "(2, None)"];

fn boats(name: &str, steps: Vec<Step>) -> Case {
    case(name).setup(BOATS).steps(steps)
}

fn typed(typed: Typed, expected: Expected) -> Step {
    Step::from(typed).gives(expected)
}

fn texts(texts: &[&'static str]) -> Expected {
    Expected::Texts(texts.to_vec())
}

fn has(all: serde_json::Value) -> Step {
    fetch_all(ALL, p![]).gives(rows("id int8, name text", all))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = rows_out();
    cases.extend(copies());
    cases.extend(closures());
    cases
}

fn rows_out() -> Vec<Case> {
    let sql = String::from;
    let one = "SELECT id, name FROM boats WHERE id = $1";
    let swapped = "SELECT name, id FROM boats ORDER BY id";
    let decode = || fails(ErrorKind::Decode);
    vec![
        boats(
            "typed: one row",
            vec![
                typed(Typed::One(sql(one), p![1i64]), texts(&BOTH[..1])),
                typed(Typed::One(sql(one), p![9i64]), fails(ErrorKind::NoRows)),
                typed(Typed::One(sql(ALL), p![]), fails(ErrorKind::TooManyRows)),
                typed(Typed::One(sql("SELECT id FROM boats WHERE id = 1"), p![]), fails(ErrorKind::UnknownColumn)),
                typed(Typed::One(sql("SELECT 1 / 0"), p![]), sqlstate("22012")),
            ],
        ),
        boats(
            "typed: all rows",
            vec![
                typed(Typed::All(sql(ALL), p![]), texts(&BOTH)),
                typed(Typed::All(sql(one), p![9i64]), texts(&[])),
                typed(Typed::All(sql(swapped), p![]), decode()),
            ],
        ),
        boats(
            "typed: one row or none",
            vec![
                typed(Typed::Optional(sql(one), p![1i64]), texts(&BOTH[..1])),
                typed(Typed::Optional(sql(one), p![9i64]), texts(&[])),
                typed(Typed::Optional(sql(ALL), p![]), fails(ErrorKind::TooManyRows)),
            ],
        ),
        boats(
            "typed: a scalar",
            vec![
                typed(Typed::Scalar(sql("SELECT count(*) FROM boats"), p![]), texts(&["Some(2)"])),
                typed(Typed::Scalar(sql("SELECT max(id) FROM boats WHERE id > $1"), p![9i64]), texts(&["None"])),
                typed(Typed::Scalar(sql("SELECT name FROM boats WHERE id = 1"), p![]), decode()),
                typed(Typed::Scalar(sql("SELECT FROM boats WHERE id = 1"), p![]), fails(ErrorKind::UnknownColumn)),
                typed(Typed::Scalar(sql("SELECT id FROM boats"), p![]), fails(ErrorKind::TooManyRows)),
            ],
        ),
        boats(
            "typed: a stream",
            vec![
                typed(Typed::Stream(sql(ALL), p![]), texts(&BOTH)),
                typed(
                    Typed::Stream(sql("SELECT nullif(id, 1), name FROM boats ORDER BY id"), p![]),
                    texts(&["Decode: column \"nullif\" is NULL and can't be read as i64", BOTH[1]]),
                ),
                typed(Typed::Stream(sql("SELECT * FROM no_such_table"), p![]), sqlstate("42P01")),
            ],
        ),
        boats(
            "typed: within a transaction and a session",
            vec![
                session(vec![typed(Typed::All(sql(ALL), p![]), texts(&BOTH))]),
                begin(
                    COMMIT,
                    vec![
                        execute("DELETE FROM boats WHERE id = 2", p![]).gives(count(1)),
                        typed(Typed::One(sql(ALL), p![]), texts(&BOTH[..1])),
                        savepoint(COMMIT, vec![typed(Typed::Stream(sql(ALL), p![]), texts(&BOTH[..1]))]),
                    ],
                ),
            ],
        ),
        boats(
            "typed: COPY of a query",
            vec![
                typed(Typed::RowsOut(sql(ALL)), rows("id int8, name text", json!([[1, "Aino"], [2, null]]))),
                typed(Typed::RowsOut(sql("SELECT id FROM boats WHERE id > 9")), no_rows()),
                typed(Typed::RowsOut(sql("SELECT * FROM no_such_table")), sqlstate("42P01")),
                typed(
                    Typed::RowsOut(sql("VALUES (1.50, ARRAY[1, NULL], '{\"a\": 1}'::jsonb, now() > '2000-01-01')")),
                    rows(
                        "column1 numeric, column2 _int4, column3 jsonb, column4 bool",
                        json!([[1.5, [1, null], { "a": 1 }, true]]),
                    ),
                ),
            ],
        ),
    ]
}

fn copies() -> Vec<Case> {
    let table = || String::from("boats");
    let two = || vec![(3, Some("Vega".to_owned())), (4, None)];
    let columns = || vec!["id", "name"];
    let dry = || Error::new(ErrorKind::NoRows, "the source ran dry");
    vec![
        boats(
            "typed: COPY of rows",
            vec![
                typed(Typed::RowsIn(table(), columns(), two()), count(2)),
                has(json!([[1, "Aino"], [2, null], [3, "Vega"], [4, null]])),
            ],
        ),
        boats(
            "typed: COPY of no rows",
            vec![typed(Typed::RowsIn(table(), columns(), vec![]), count(0)), has(json!([[1, "Aino"], [2, null]]))],
        ),
        boats(
            "typed: COPY of rows into other columns",
            vec![
                typed(Typed::RowsIn(table(), vec!["name", "id"], two()), fails(ErrorKind::Encode)),
                typed(Typed::RowsIn(table(), vec!["id"], two()), fails(ErrorKind::Encode)),
                typed(Typed::RowsIn(table(), vec!["id", "nam"], two()), sqlstate("42703")),
                typed(Typed::RowsIn("no_such_table".into(), columns(), two()), sqlstate("42P01")),
                has(json!([[1, "Aino"], [2, null]])),
            ],
        ),
        boats(
            "typed: COPY of rows that are there",
            vec![
                typed(
                    Typed::RowsIn(table(), columns(), vec![(3, None), (1, None)]),
                    sqlstate("23505").constraint("boats_pkey"),
                ),
                has(json!([[1, "Aino"], [2, null]])),
            ],
        ),
        boats(
            "typed: COPY of rows as they come",
            vec![
                typed(Typed::IterIn(table(), columns(), two().into_iter().map(Ok).collect()), count(2)),
                has(json!([[1, "Aino"], [2, null], [3, "Vega"], [4, null]])),
            ],
        ),
        boats(
            "typed: COPY of rows that fail themselves",
            vec![
                typed(Typed::IterIn(table(), columns(), vec![Ok((3, None)), Err(dry())]), fails(ErrorKind::NoRows)),
                has(json!([[1, "Aino"], [2, null]])),
            ],
        ),
        boats(
            "typed: COPY of rows in a transaction that is undone",
            vec![
                begin(ROLLBACK, vec![typed(Typed::RowsIn(table(), columns(), two()), count(2))]),
                has(json!([[1, "Aino"], [2, null]])),
            ],
        ),
    ]
}

fn closures() -> Vec<Case> {
    let with = TransactionOptions::new;
    let insert = || execute("INSERT INTO boats VALUES ($1, NULL)", p![3i64]).gives(count(1));
    let both = || has(json!([[1, "Aino"], [2, null]]));
    let three = || has(json!([[1, "Aino"], [2, null], [3, null]]));
    let conflict = || on_service(vec![execute("UPDATE boats SET name = 'x' WHERE id = 1", p![]).gives(count(1))]);
    let update = || execute("UPDATE boats SET name = name || '!' WHERE id = 1", p![]);
    let read = || fetch_all("SELECT name FROM boats WHERE id = 1", p![]).gives(Expected::Any);
    vec![
        boats("closure: committed", vec![transaction(vec![insert(), three()]), three()]),
        boats("closure: undone after an error of its own", vec![
            transaction_of(with(), vec![(vec![insert()], Err(Error::new(ErrorKind::NoRows, "not mine")))])
                .gives(fails(ErrorKind::NoRows).message("not mine")),
            both(),
        ]),
        boats("closure: undone after a failed statement", vec![
            transaction(vec![insert(), execute("SELECT 1 / 0", p![]).gives(sqlstate("22012"))]).gives(sqlstate("22012")),
            both(),
        ]),
        boats("closure: with a savepoint", vec![
            transaction(vec![insert(), savepoint(ROLLBACK, vec![execute("DELETE FROM boats", p![]).gives(count(3))])]),
            three(),
        ]),
        boats("closure: run again after a serialisation failure", vec![
            transaction_of(
                with().isolation(Isolation::RepeatableRead),
                vec![
                    (vec![read(), conflict(), update().gives(sqlstate("40001"))], Ok(())),
                    (vec![read(), update().gives(count(1))], Ok(())),
                ],
            ),
            has(json!([[1, "x!"], [2, null]])),
        ]),
        boats("closure: run again after a serialisation failure of the commit", vec![
            transaction_of(
                with().isolation(Isolation::Serializable),
                vec![
                    (
                        vec![
                            execute("UPDATE boats SET name = (SELECT name FROM boats WHERE id = 1) WHERE id = 2", p![])
                                .gives(count(1)),
                            on_service(vec![begin_with(with().isolation(Isolation::Serializable), COMMIT, vec![
                                execute("UPDATE boats SET name = (SELECT name FROM boats WHERE id = 2) WHERE id = 1", p![])
                                    .gives(count(1)),
                            ])]),
                        ],
                        Ok(()),
                    ),
                    (vec![insert()], Ok(())),
                ],
            ),
            has(json!([[1, null], [2, null], [3, null]])),
        ]),
        boats("closure: not run again more often than it may", vec![
            transaction_of(
                with().isolation(Isolation::RepeatableRead).retries(1),
                (0..2).map(|_| (vec![read(), conflict(), update().gives(sqlstate("40001"))], Ok(()))).collect(),
            )
            .gives(sqlstate("40001")),
        ]),
        boats("closure: not run again after another error", vec![
            transaction_of(with().retries(5), vec![(
                vec![execute("INSERT INTO boats VALUES (1)", p![]).gives(sqlstate("23505").constraint("boats_pkey"))],
                Ok(()),
            )])
            .gives(sqlstate("23505")),
        ]),
        boats("closure: read-only", vec![
            transaction_of(with().read_only(true), vec![(
                vec![execute("DELETE FROM boats", p![]).gives(sqlstate("25006"))],
                Ok(()),
            )])
            .gives(sqlstate("25006")),
        ]),
    ]
}
