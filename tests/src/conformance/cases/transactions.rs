//! Transactions and savepoints: what is kept, what is seen, what fails.

use catamaran::{ErrorKind, Isolation, TransactionOptions};
use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

const TABLE: &str = "CREATE TABLE t (n int4 PRIMARY KEY)";

fn insert(n: i32) -> Step {
    execute("INSERT INTO t VALUES ($1)", p![n]).gives(count(1))
}

/// What the table has.
fn has(numbers: &[i32]) -> Step {
    let all = numbers.iter().map(|n| json!([n])).collect();
    fetch_all("SELECT n FROM t ORDER BY n", p![]).gives(rows("n int4", all))
}

fn fail() -> Step {
    execute("SELECT 1 / 0", p![]).gives(sqlstate("22012"))
}

fn show(setting: &str, value: &str) -> Step {
    fetch_one(format!("SHOW {setting}"), p![]).gives(rows(format!("{setting} text"), json!([[value]])))
}

fn in_table(name: &str, steps: Vec<Step>) -> Case {
    case(name).setup(TABLE).steps(steps)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = ends();
    cases.extend(savepoints());
    cases.extend(options());
    cases.extend(conflicts());
    cases
}

fn ends() -> Vec<Case> {
    let aborted = || End::Commit(fails(ErrorKind::TransactionAborted));
    let ended = || End::Commit(fails(ErrorKind::TransactionEnded));
    vec![
        in_table("a commit keeps", vec![begin(COMMIT, vec![insert(1), has(&[1])]), has(&[1])]),
        in_table("a rollback undoes", vec![begin(ROLLBACK, vec![insert(1), has(&[1])]), has(&[])]),
        in_table("a dropped transaction is undone", vec![begin(End::Drop, vec![insert(1), has(&[1])]), has(&[])]),
        in_table(
            "a transaction of nothing",
            vec![begin(COMMIT, vec![]), begin(ROLLBACK, vec![]), begin(End::Drop, vec![])],
        ),
        in_table(
            "others don't see what is not committed",
            vec![begin(COMMIT, vec![insert(1), on_service(vec![has(&[])])]), has(&[1])],
        ),
        in_table("a commit after a failed statement", vec![begin(aborted(), vec![insert(1), fail()]), has(&[])]),
        in_table(
            "a commit after a failed batch",
            vec![
                begin(
                    aborted(),
                    vec![insert(1), batch("INSERT INTO t VALUES (2); SELECT 1 / 0").gives(sqlstate("22012"))],
                ),
                has(&[]),
            ],
        ),
        in_table("a rollback after a failed statement", vec![begin(ROLLBACK, vec![insert(1), fail()]), has(&[])]),
        in_table("a drop after a failed statement", vec![begin(End::Drop, vec![insert(1), fail()]), has(&[])]),
        in_table(
            "a statement after a failed one",
            vec![begin(
                aborted(),
                vec![
                    fail(),
                    execute("INSERT INTO t VALUES (1)", p![]).gives(sqlstate("25P02")),
                    fetch_all("SELECT n FROM t", p![]).gives(sqlstate("25P02")),
                    batch("SELECT 1").gives(sqlstate("25P02")),
                ],
            )],
        ),
        in_table(
            "what fails before it is sent leaves the transaction usable",
            vec![
                begin(
                    COMMIT,
                    vec![
                        insert(1),
                        execute("INSERT INTO t VALUES ($1)", p!["secret"]).gives(fails(ErrorKind::Encode)),
                        execute("INSERT INTO t VALUES ($1)", p![]).gives(fails(ErrorKind::ParameterCount)),
                        fetch_one("SELECT n FROM t WHERE n = 9", p![]).gives(fails(ErrorKind::NoRows)),
                        insert(2),
                    ],
                ),
                has(&[1, 2]),
            ],
        ),
        in_table("a hand-written COMMIT within", vec![begin(ended(), vec![insert(1), batch("COMMIT")]), has(&[1])]),
        in_table("a hand-written ROLLBACK within", vec![begin(ended(), vec![insert(1), batch("ROLLBACK")]), has(&[])]),
        in_table(
            "another transaction begun by hand within",
            vec![begin(ended(), vec![insert(1), batch("ROLLBACK; BEGIN"), insert(2)]), has(&[])],
        ),
        in_table(
            "a hand-written end that is not sent",
            vec![
                begin(COMMIT, vec![insert(1), execute("COMMIT", p![1i32]).gives(fails(ErrorKind::ParameterCount))]),
                has(&[1]),
            ],
        ),
        in_table(
            "a hand-written savepoint within",
            vec![
                begin(
                    COMMIT,
                    vec![insert(1), batch("SAVEPOINT mine"), fail(), batch("ROLLBACK TO SAVEPOINT mine"), insert(2)],
                ),
                has(&[1, 2]),
            ],
        ),
        in_table(
            "one transaction after another",
            vec![
                begin(COMMIT, vec![insert(1)]),
                begin(ROLLBACK, vec![insert(2)]),
                begin(COMMIT, vec![insert(3)]),
                has(&[1, 3]),
            ],
        ),
        in_table(
            "two transactions side by side",
            vec![
                begin(COMMIT, vec![insert(1), on_service(vec![begin(COMMIT, vec![insert(2)])]), insert(3)]),
                has(&[1, 2, 3]),
            ],
        ),
        in_table(
            "a transaction of a session, dropped",
            vec![session(vec![begin(End::Drop, vec![insert(1)]), has(&[]), insert(2)]), has(&[2])],
        ),
        in_table(
            "a transaction of a session, committed",
            vec![session(vec![begin(COMMIT, vec![insert(1)]), on_service(vec![has(&[1])])])],
        ),
    ]
}

fn savepoints() -> Vec<Case> {
    let aborted = || End::Commit(fails(ErrorKind::TransactionAborted));
    vec![
        in_table(
            "a savepoint kept",
            vec![begin(COMMIT, vec![insert(1), savepoint(COMMIT, vec![insert(2)]), insert(3)]), has(&[1, 2, 3])],
        ),
        in_table(
            "a savepoint undone",
            vec![begin(COMMIT, vec![insert(1), savepoint(ROLLBACK, vec![insert(2)]), insert(3)]), has(&[1, 3])],
        ),
        in_table(
            "a savepoint dropped",
            vec![begin(COMMIT, vec![insert(1), savepoint(End::Drop, vec![insert(2)]), insert(3)]), has(&[1, 3])],
        ),
        in_table(
            "a savepoint undone after a failed statement",
            vec![begin(COMMIT, vec![insert(1), savepoint(ROLLBACK, vec![insert(2), fail()]), insert(3)]), has(&[1, 3])],
        ),
        in_table(
            "a savepoint dropped after a failed statement",
            vec![begin(COMMIT, vec![insert(1), savepoint(End::Drop, vec![fail()]), insert(3)]), has(&[1, 3])],
        ),
        in_table(
            "a savepoint committed after a failed statement",
            vec![
                begin(COMMIT, vec![insert(1), savepoint(aborted(), vec![insert(2), fail()]), insert(3)]),
                has(&[1, 3]),
            ],
        ),
        in_table(
            "two savepoints, both kept",
            vec![
                begin(COMMIT, vec![savepoint(COMMIT, vec![insert(1), savepoint(COMMIT, vec![insert(2)]), insert(3)])]),
                has(&[1, 2, 3]),
            ],
        ),
        in_table(
            "two savepoints, the inner undone",
            vec![
                begin(
                    COMMIT,
                    vec![savepoint(COMMIT, vec![insert(1), savepoint(ROLLBACK, vec![insert(2)]), insert(3)])],
                ),
                has(&[1, 3]),
            ],
        ),
        in_table(
            "two savepoints, the outer undone",
            vec![
                begin(
                    COMMIT,
                    vec![insert(0), savepoint(ROLLBACK, vec![insert(1), savepoint(COMMIT, vec![insert(2)])])],
                ),
                has(&[0]),
            ],
        ),
        in_table(
            "two savepoints, both dropped after a failed statement",
            vec![
                begin(
                    COMMIT,
                    vec![
                        insert(0),
                        savepoint(
                            End::Drop,
                            vec![insert(1), savepoint(End::Drop, vec![insert(2), fail()]), has(&[0, 1])],
                        ),
                        has(&[0]),
                    ],
                ),
                has(&[0]),
            ],
        ),
        in_table(
            "one savepoint after another",
            vec![
                begin(
                    COMMIT,
                    vec![
                        savepoint(ROLLBACK, vec![insert(1)]),
                        savepoint(COMMIT, vec![insert(2)]),
                        savepoint(End::Drop, vec![insert(3)]),
                    ],
                ),
                has(&[2]),
            ],
        ),
        in_table(
            "a savepoint of a transaction that is undone",
            vec![begin(ROLLBACK, vec![savepoint(COMMIT, vec![insert(1)])]), has(&[])],
        ),
        in_table(
            "a savepoint after a failed statement",
            vec![begin(ROLLBACK, vec![fail(), savepoint(COMMIT, vec![]).gives(sqlstate("25P02"))])],
        ),
    ]
}

fn options() -> Vec<Case> {
    let with = TransactionOptions::new;
    let isolated = |level: Isolation, shown: &'static str| {
        case(format!("isolation level {shown}")).steps([
            begin_with(with().isolation(level), COMMIT, vec![show("transaction_isolation", shown)]),
            begin(COMMIT, vec![show("transaction_isolation", "read committed")]),
            session(vec![begin_with(with().isolation(level), COMMIT, vec![show("transaction_isolation", shown)])]),
        ])
    };
    vec![
        isolated(Isolation::ReadCommitted, "read committed"),
        isolated(Isolation::RepeatableRead, "repeatable read"),
        isolated(Isolation::Serializable, "serializable"),
        in_table(
            "a read-only transaction refuses to write",
            vec![
                begin_with(
                    with().read_only(true),
                    End::Commit(fails(ErrorKind::TransactionAborted)),
                    vec![
                        show("transaction_read_only", "on"),
                        has(&[]),
                        execute("INSERT INTO t VALUES (1)", p![]).gives(sqlstate("25006")),
                    ],
                ),
                insert(1),
            ],
        ),
        in_table(
            "a read-write transaction where read-only is the default",
            vec![session(vec![
                batch("SET default_transaction_read_only = on"),
                begin_with(with().read_only(false), COMMIT, vec![insert(1)]),
                begin(ROLLBACK, vec![execute("INSERT INTO t VALUES (2)", p![]).gives(sqlstate("25006"))]),
            ])],
        ),
        case("a deferrable transaction").step(begin_with(
            with().isolation(Isolation::Serializable).read_only(true).deferrable(true),
            COMMIT,
            vec![show("transaction_deferrable", "on"), show("transaction_isolation", "serializable")],
        )),
        in_table(
            "a repeatable read sees what was there",
            vec![begin_with(
                with().isolation(Isolation::RepeatableRead),
                COMMIT,
                vec![has(&[]), on_service(vec![insert(1)]), has(&[])],
            )],
        ),
        in_table(
            "a read committed sees what others commit",
            vec![begin(COMMIT, vec![has(&[]), on_service(vec![insert(1)]), has(&[1])])],
        ),
    ]
}

fn conflicts() -> Vec<Case> {
    let with = TransactionOptions::new;
    let update = || execute("UPDATE t SET n = n + 10", p![]);
    vec![
        case("a serialisation failure of a statement").setup(TABLE).setup("INSERT INTO t VALUES (1)").step(begin_with(
            with().isolation(Isolation::RepeatableRead),
            End::Commit(fails(ErrorKind::TransactionAborted)),
            vec![has(&[1]), on_service(vec![update().gives(count(1))]), update().gives(sqlstate("40001"))],
        )),
        case("a serialisation failure of the commit")
            .setup(
                "CREATE TABLE a (n int4); CREATE TABLE b (n int4); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
            )
            .step(begin_with(
                with().isolation(Isolation::Serializable),
                End::Commit(sqlstate("40001")),
                vec![
                    execute("UPDATE a SET n = (SELECT n + 1 FROM b)", p![]).gives(count(1)),
                    on_service(vec![begin_with(
                        with().isolation(Isolation::Serializable),
                        COMMIT,
                        vec![execute("UPDATE b SET n = (SELECT n + 1 FROM a)", p![]).gives(count(1))],
                    )]),
                ],
            )),
        case("a row that is locked").setup(TABLE).setup("INSERT INTO t VALUES (1)").step(begin(
            COMMIT,
            vec![
                fetch_one("SELECT n FROM t FOR UPDATE", p![]).gives(rows("n int4", json!([[1]]))),
                on_service(vec![
                    fetch_one("SELECT n FROM t FOR UPDATE NOWAIT", p![]).gives(sqlstate("55P03")),
                    fetch_all("SELECT n FROM t FOR UPDATE SKIP LOCKED", p![]).gives(no_rows()),
                ]),
            ],
        )),
    ]
}
