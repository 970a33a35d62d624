//! The ways in which a statement can fail, and the operations that run one.

use catamaran::{AsyncExecutor, Batch, Bytes, Config, Result, ToSql};
use catamaran_testkit::Database;
use futures_util::stream;

use crate::faces::Work;

const SCHEMA: &str = "
    CREATE TABLE target (id int8);
    CREATE TABLE secret (id int8);
    CREATE TABLE late (code text);
    CREATE TABLE raising (code text, at int, i int);
    CREATE FUNCTION fail(code text, at int, i int) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN IF i = at THEN RAISE EXCEPTION 'raised' USING ERRCODE = code; END IF; RETURN i; END $$;
    CREATE FUNCTION fail_in_copy() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM fail(NEW.code, NEW.at, NEW.i); RETURN NEW; END $$;
    CREATE TRIGGER fail_in_copy BEFORE INSERT ON raising FOR EACH ROW EXECUTE FUNCTION fail_in_copy();
    CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = NEW.code; END $$;
    CREATE CONSTRAINT TRIGGER fail_late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail_late();";

/// A code of each class that a server may report, and those on which clients decide something.
const CODES: [&str; 40] = [
    "02000", "03000", "08000", "08006", "08P01", "09000", "0A000", "0B000", "0L000", "0P000", "20000", "21000",
    "22012", "23503", "23505", "24000", "25001", "25P02", "26000", "27000", "28000", "2B000", "2F000", "34000",
    "38000", "3D000", "3F000", "40001", "40P01", "42501", "42P01", "44000", "53300", "54000", "55P03", "57014",
    "57P01", "57P03", "58000", "XX000",
];

/// How many rows there are to fail at.
const ROWS: i32 = 100;

/// When a statement fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before it begins.
    Refused,
    /// At one of its rows.
    Row(i32),
    /// At the commit.
    Deferred,
}

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The SQLSTATE.
    pub code: &'static str,
    /// When.
    pub when: When,
}

/// All of them.
pub fn faults() -> Vec<Fault> {
    let refused = ["42601", "42P01", "42703", "42501", "42701"].map(|code| Fault { code, when: When::Refused });
    let whens = [When::Row(1), When::Row(ROWS / 2), When::Row(ROWS), When::Deferred];
    let raised = CODES.iter().flat_map(|code| whens.map(|when| Fault { code, when }));
    refused.into_iter().chain(raised).collect()
}

/// What to run the operations in, as a user who may not read one of the tables.
///
/// # Errors
///
/// Those of the server.
pub fn prepare(database: &Database) -> Result<Config, catamaran_testkit::Error> {
    let user = format!("plain_{}", database.name());
    database.execute(SCHEMA)?;
    database.execute(&format!("CREATE ROLE {user} LOGIN; GRANT ALL ON target, late, raising TO {user}"))?;
    Ok(Config::from_url(&database.url()).expect("a configuration").user(user))
}

/// Undoes what [`prepare`] has done outside of the database.
///
/// # Errors
///
/// Those of the server.
pub fn clear(database: &Database) -> Result<(), catamaran_testkit::Error> {
    let user = format!("plain_{}", database.name());
    database.execute(&format!("DROP OWNED BY {user}; DROP ROLE {user}"))
}

impl Fault {
    fn select(&self) -> String {
        match (self.when, self.code) {
            (When::Refused, "42601") => "SELEC 1".into(),
            (When::Refused, "42P01") => "SELECT * FROM missing".into(),
            (When::Refused, "42703") => "SELECT missing FROM target".into(),
            (When::Refused, "42701") => "INSERT INTO target (id, id) VALUES (1, 1) RETURNING id".into(),
            (When::Refused, _) => "SELECT * FROM secret".into(),
            (When::Row(at), code) => format!("SELECT fail('{code}', {at}, i) FROM generate_series(1, {ROWS}) i"),
            (When::Deferred, code) => format!("INSERT INTO late VALUES ('{code}') RETURNING code"),
        }
    }

    fn copy_in(&self) -> (&'static str, Vec<Result<Bytes>>) {
        let plain = || vec![Ok(Bytes::from("1\n")), Ok(Bytes::from("2\n"))];
        match (self.when, self.code) {
            (When::Refused, "42601") => ("COPY target FROM STDIN WITH nonsense", plain()),
            (When::Refused, "42P01") => ("COPY missing FROM STDIN", plain()),
            (When::Refused, "42703") => ("COPY target (missing) FROM STDIN", plain()),
            (When::Refused, "42701") => ("COPY target (id, id) FROM STDIN", plain()),
            (When::Refused, _) => ("COPY secret FROM STDIN", plain()),
            (When::Row(at), code) => {
                let lines = (1..=ROWS).map(|i| Ok(Bytes::from(format!("{code}\t{at}\t{i}\n"))));
                ("COPY raising FROM STDIN", lines.collect())
            }
            (When::Deferred, code) => ("COPY late FROM STDIN", vec![Ok(Bytes::from(format!("{code}\n")))]),
        }
    }
}

/// An operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// What it is called.
    pub name: &'static str,
    /// Whether it fails with what the server reports, and is not given up before.
    pub is_told: bool,
    /// Runs it so that it fails as the fault of an index says.
    pub work: Work<Result<()>>,
}

macro_rules! operations {
    ($($name:ident $told:literal |$db:ident, $fault:ident| $body:block)*) => {
        /// All operations.
        pub const OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            is_told: $told,
            work: |$db, index| Box::pin(async move {
                let $fault = faults()[index];
                $body
            }),
        }),*];
    };
}

operations! {
    execute true |db, fault| { db.execute(&fault.select(), &[]).await.map(drop) }
    fetch_all true |db, fault| { db.fetch_all(&fault.select(), &[]).await.map(drop) }
    fetch_optional false |db, fault| { db.fetch_optional(&fault.select(), &[]).await.map(drop) }
    fetch_each true |db, fault| { db.fetch_each(&fault.select(), &[], &mut |_| Ok(())).await }
    stream true |db, fault| {
        let mut rows = db.fetch_stream(&fault.select(), &[]).await?;
        while let Some(row) = rows.next().await { row?; }
        Ok(())
    }
    stream_left_early false |db, fault| {
        let mut rows = db.fetch_stream(&fault.select(), &[]).await?;
        rows.next().await.transpose().map(drop)
    }
    batch_execute true |db, fault| { db.batch_execute(&format!("SELECT 1; {}; SELECT 2", fault.select())).await }
    execute_many true |db, fault| {
        if fault.when == When::Refused {
            return db.execute_many(&fault.select(), &[&[], &[]]).await.map(drop);
        }
        let at = if let When::Row(at) = fault.when { at } else { 0 };
        let rows: Vec<i32> = (1..=ROWS).collect();
        let sets: Vec<[&(dyn ToSql + Sync); 3]> = rows.iter().map(|i| [&fault.code as _, &at as _, i as _]).collect();
        let sets: Vec<&[_]> = sets.iter().map(|set| set.as_slice()).collect();
        if fault.when == When::Deferred {
            let sets: Vec<&[_]> = sets.iter().map(|set| &set[..1]).collect();
            return db.execute_many("INSERT INTO late VALUES ($1)", &sets).await.map(drop);
        }
        db.execute_many("SELECT fail($1, $2, $3)", &sets).await.map(drop)
    }
    run_batch true |db, fault| {
        let select = fault.select();
        let batch = Batch::new().execute("SELECT $1::int4", &[&1i32]).fetch_all(&select, &[]).execute("SELECT 3", &[]);
        db.run_batch(&batch).await.map(drop)
    }
    describe false |db, fault| { db.describe(&fault.select()).await.map(drop) }
    copy_in true |db, fault| {
        let (sql, lines) = fault.copy_in();
        db.copy_in(sql, &mut stream::iter(lines)).await.map(drop)
    }
    copy_in_with_an_error false |db, fault| {
        let (sql, lines) = fault.copy_in();
        let error = catamaran::Error::new(catamaran::ErrorKind::Decode, "on purpose");
        db.copy_in(sql, &mut stream::iter(lines.into_iter().chain([Err(error)]))).await.map(drop)
    }
    copy_out true |db, fault| {
        let mut data = db.copy_out(&format!("COPY ({}) TO STDOUT", fault.select())).await?;
        while let Some(chunk) = data.next().await { chunk?; }
        Ok(())
    }
    copy_out_left_early false |db, fault| {
        let mut data = db.copy_out(&format!("COPY ({}) TO STDOUT", fault.select())).await?;
        data.next().await.transpose().map(drop)
    }
}

/// A read of a number, which must come back.
///
/// # Errors
///
/// Those of the executor.
pub async fn ask(db: &dyn AsyncExecutor, number: i64) -> Result<i64> {
    db.fetch_one("SELECT $1::int8", &[&number]).await?.get(0)
}
