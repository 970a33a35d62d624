use super::{Traces, changes_meaning, commits, runs_procedure};

const NONE: Traces = Traces::NONE;
const TRANSACTION: Traces = Traces::TRANSACTION;
const SESSION: Traces = Traces::SESSION;
const SCHEMA: Traces = Traces::SCHEMA;
const ENDS: Traces = Traces::ENDS;
const ENDED: Traces = Traces::ENDED;
const CHANGED: Traces = Traces::CHANGED;

#[test]
fn statements() {
    for (sql, traces) in [
        ("SELECT 1", NONE),
        ("  /* a /* b */ BEGIN */ -- SET\r (select 1)", NONE),
        ("update t set x = 1, attempts = 2, temp = 3", NONE),
        ("INSERT INTO t VALUES ('image/*', '--', $$begin$$)", NONE),
        ("SELECT nextval('s')", NONE),
        ("begin", TRANSACTION),
        ("-- why\nSTART TRANSACTION", TRANSACTION),
        ("COMMIT AND CHAIN", ENDS.and(ENDED).and(TRANSACTION)),
        ("COMMIT", ENDS.and(ENDED)),
        ("ROLLBACK TO s", ENDS),
        ("ROLLBACK PREPARED 'x'", ENDS),
        ("ROLLBACK WORK", ENDS.and(ENDED)),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", CHANGED.and(ENDS)),
        ("SELECT 'f'::regproc", Traces::MOMENT),
        ("SELECT '{f}'::_regproc, 'f'::\"regproc\"", Traces::MOMENT),
        (r#"SELECT '["n"ow,]'::tstzrange"#, Traces::MOMENT),
        (r"INSERT INTO t VALUES ('C:\dir\', '; COMMIT; --')", ENDS),
        ("PREPARE TRANSACTION 'set_config'", ENDS.and(ENDED)),
        ("SAVEPOINT s", NONE),
        ("ALTER TABLE t ADD COLUMN x int", SCHEMA),
        ("SET search_path = x", CHANGED),
        ("SET SCHEMA 'b'", CHANGED),
        ("SET ROLE x", CHANGED),
        ("SET lock_timeout = 1", SESSION),
        ("SET LOCAL app.tenant = 'x'", SESSION),
        ("SELECT set_config('app.tenant', $1, true)", SESSION),
        ("SELECT set_config($1, $2, true)", CHANGED),
        ("SELECT \"set_config\"('role', 'x', false)", CHANGED),
        (r#"SELECT U&"set\005fconfig"('role', 'x', false)"#, CHANGED),
        (r"SELECT query_to_xml(E'select set\x5fconfig(''role'', ''x'', false)')", CHANGED),
        ("SELECT query_to_xml('select set_'\n'config(''role'', ''x'', false)')", CHANGED),
        ("UPDATE pg_catalog.pg_settings SET setting = $1 WHERE name = 'role'", CHANGED),
        ("SELECT pg_advisory_lock(1)", SESSION),
        ("SELECT setseed(0.5)", SESSION),
        ("CREATE TEMPORARY TABLE t (x int)", CHANGED),
        ("SELECT 1 AS x INTO TEMP t", CHANGED),
        ("SELECT (1) insert INTO TEMP u", CHANGED),
        ("WITH a AS (SELECT 1 AS merge) SELECT merge INTO TEMP u FROM a", CHANGED),
        ("EXPLAIN (ANALYZE) SELECT 1 AS insert INTO TEMP u", CHANGED),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", NONE),
        ("EXPLAIN (ANALYZE) INSERT INTO t SELECT 1", NONE),
        ("MERGE INTO t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE", NONE),
        ("SELECT 'select ''a'' || E''\\n'''", NONE),
        (r#"SELECT query_to_xml('select U&"set\005fconfig"(''role'', ''x'', false)')"#, CHANGED),
        (r#"SELECT query_to_xml($q$select U&"pg\005fadvisory\005flock"(7)$q$)"#, SESSION),
        (
            r"SELECT query_to_xml('select query_to_xml(E''select set\x5fconfig(''''role'''', ''''x'''', false)'')')",
            CHANGED,
        ),
        ("WITH a AS (INSERT INTO t VALUES (1) RETURNING x) SELECT x FROM a", NONE),
        ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", CHANGED),
        ("EXPLAIN SELECT 1", NONE),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", CHANGED),
        ("LISTEN x", SESSION),
        ("CALL p()", CHANGED),
        ("DO $$ BEGIN END $$", CHANGED),
        ("SELECT run('SET ROLE x')", CHANGED),
        ("SHOW search_path", NONE),
        ("", NONE),
        (";", NONE),
        ("/* open", CHANGED.and(TRANSACTION)),
    ] {
        assert_eq!(Traces::of_statement(sql), traces, "{sql}");
    }
    for sql in [
        "DISCARD ALL",
        "LOAD 'x'",
        "PREPARE s AS SELECT 1",
        "DO $$ BEGIN EXECUTE 'deallocate x'; END $$",
        r"DO $$ BEGIN EXECUTE E'\x50REPARE p AS SELECT 1'; END $$",
        r"DO $$ BEGIN EXECUTE U&'\0050REPARE p AS SELECT 1'; END $$",
        "DO $$ BEGIN EXECUTE 'PRE'\n'PARE p AS SELECT 1'; END $$",
        "SELECT dblink_connect('c', $1)",
        "SELECT U&\"set!005fconfig\" UESCAPE '!' ('role', 'x', false)",
    ] {
        assert!(Traces::of_statement(sql).has(Traces::EVERYTHING), "{sql}");
    }
}

#[test]
fn batches() {
    for (sql, traces) in [
        ("INSERT INTO t VALUES (1); DELETE FROM t", NONE),
        ("SELECT 1; BEGIN; SELECT 2", TRANSACTION),
        ("SELECT 1; /* BEGIN */ SELECT 2", NONE),
        ("SELECT 'x; SET ROLE x'", NONE),
        ("BEGIN; SET LOCAL lock_timeout = 1", SESSION.and(TRANSACTION)),
        ("BEGIN; DROP TABLE t", TRANSACTION.and(SCHEMA)),
        ("INSERT INTO t VALUES ('image/*'); SET ROLE lesser", CHANGED),
        ("SELECT $a$ /* $a$; SET ROLE lesser", CHANGED),
        ("SELECT 1; --\rSET x = 1; BEGIN", CHANGED.and(TRANSACTION)),
        (r"SELECT 'a\'; SET ROLE lesser; --'", CHANGED),
        (r"SELECT 'a\''; SET ROLE lesser; --'", CHANGED),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS case; END; BEGIN",
            CHANGED.and(TRANSACTION).and(ENDED),
        ),
    ] {
        assert_eq!(Traces::of_batch(sql).without(ENDS), traces, "{sql}");
    }
    assert!(Traces::of_batch("SELECT 1;DEALLOCATE ALL").has(Traces::EVERYTHING));
}

#[test]
fn what_the_next_statement_must_wait_for() {
    for (sql, changes) in [
        ("select 1", false),
        ("-- why\nINSERT INTO t VALUES (1)", false),
        ("((select 1) union values (2))", false),
        ("SELECT 1 AS x INTO newt", true),
        ("WITH a AS (SELECT 1 AS x) SELECT x INTO newt FROM a", true),
        ("CREATE TEMP TABLE t (x int)", true),
        ("SET ROLE x", true),
        ("SELECT set_config('search_path', 'x', true)", true),
        ("", true),
    ] {
        assert_eq!(changes_meaning(sql), changes, "{sql}");
    }
}

#[test]
fn what_keeps_a_transaction() {
    for (sql, keeps) in [
        ("/* all is well */ commit", true),
        ("; END WORK; SELECT 1", true),
        ("COMMIT AND CHAIN", true),
        ("PREPARE TRANSACTION 'x'", true),
        ("COMMIT PREPARED 'x'", false),
        ("PREPARE s AS SELECT 1", false),
        ("ROLLBACK", false),
        ("SELECT 1; COMMIT", false),
        ("\"commit\"", false),
        ("", false),
    ] {
        assert_eq!(commits(sql), keeps, "{sql}");
    }
}

#[test]
fn what_may_commit_by_itself() {
    for (sql, may) in [("CALL p()", true), ("/* x */ ;; do $$ $$", true), (";SELECT 1", false), ("", false)] {
        assert_eq!(runs_procedure(sql), may, "{sql}");
    }
}

#[test]
fn when_kept_statements_are_dropped() {
    assert!(NONE.unsettled_by(SCHEMA) && NONE.unsettled_by(CHANGED));
    assert!(TRANSACTION.and(SCHEMA).unsettled_by(ENDS));
    assert!(!TRANSACTION.unsettled_by(ENDS) && !CHANGED.unsettled_by(SESSION));
    assert_eq!(SCHEMA.and(ENDS).settled(), NONE);
    assert_eq!(TRANSACTION.and(SCHEMA).settled(), TRANSACTION.and(SCHEMA));
    assert!(CHANGED.settled().is_unsettled_by_undoing(), "what the session changed is undone with it");
    assert!(!CHANGED.settled().unsettled_by(ENDS), "the session goes on");
    assert!(TRANSACTION.and(SCHEMA).is_unsettled_by_undoing());
    assert!(!TRANSACTION.and(SESSION).settled().is_unsettled_by_undoing());
}

#[test]
fn what_undoes_them() {
    assert_eq!(NONE.and(SCHEMA).undo_sql(), Some(""));
    assert_eq!(TRANSACTION.undo_sql(), Some("ROLLBACK"));
    assert!(TRANSACTION.and(SESSION).undo_sql().is_some_and(|sql| sql.starts_with("ROLLBACK; ")));
    assert_eq!(SESSION.and(Traces::EVERYTHING).undo_sql(), None);
}
