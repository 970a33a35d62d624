//! Random work on a database, and what each piece of it was told: a ledger to compare with what is there.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering::SeqCst},
};

use catamaran::{
    AsyncAttempt, AsyncDatabaseService, AsyncExecutor, Batch, Bytes, Error, ErrorKind, Result, ToSql,
    TransactionOptions, prelude::*,
};
use futures_util::stream;

use crate::ends::Claim;

/// Where rows are written; the second table refuses what is copied.
pub const SCHEMA: &str = "
    CREATE TABLE written (id int8);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
    CREATE TABLE refusing (id int8);
    CREATE TRIGGER refuse BEFORE INSERT ON refusing FOR EACH STATEMENT EXECUTE FUNCTION refuse();";

const INSERT: &str = "INSERT INTO written VALUES ($1)";

/// The most rows that one piece of work writes.
pub const ROWS: i64 = 20;

/// Rows that are written together, from an id on.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The first of them.
    pub first: i64,
    /// How many.
    pub rows: i64,
    /// What was told of them.
    pub claim: Claim,
}

/// Numbers that look random, the same ones for the same seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// Ids that nobody else has.
pub fn ids() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(ROWS, SeqCst)
}

/// What a failed call says of what it was to write.
fn told(error: &Error, framed: bool) -> Claim {
    match error.kind() {
        ErrorKind::CommitUnknown => Claim::Unknown,
        // What has a transaction of its own says so where its commit is in doubt.
        ErrorKind::ConnectionLost if !framed => Claim::Unknown,
        _ => Claim::Gone,
    }
}

fn entry(first: i64, rows: i64, result: &Result<()>, framed: bool) -> Entry {
    let claim = result.as_ref().err().map_or(Claim::Kept, |error| told(error, framed));
    Entry { first, rows, claim }
}

/// Ways to work on any executor.
pub const SINGLE: u64 = 10;

/// Does one thing on an executor. An error is a wrong reply.
///
/// # Errors
///
/// What was wrong.
pub async fn single(on: &dyn AsyncExecutor, way: u64, first: i64) -> Result<Vec<Entry>, String> {
    let line = |id: i64| Ok(Bytes::from(format!("{id}\n")));
    let ids: Vec<i64> = (first..first + ROWS).collect();
    Ok(match way {
        0 => vec![entry(first, 1, &on.execute(INSERT, &[&first]).await.map(drop), false)],
        1 => {
            let sets: Vec<[&(dyn ToSql + Sync); 1]> = ids.iter().map(|id| [id as _]).collect();
            let sets: Vec<&[_]> = sets.iter().map(|set| set.as_slice()).collect();
            vec![entry(first, ROWS, &on.execute_many(INSERT, &sets).await.map(drop), true)]
        }
        2 => {
            let batch = Batch::new().execute(INSERT, &[&first]).fetch_all("SELECT 1 / ($1::int8 - $1)", &[&first]);
            let result = on.run_batch(&batch).await.map(drop);
            if result.is_ok() {
                return Err("a batch that fails is Ok".into());
            }
            vec![entry(first, 1, &result, true)]
        }
        3 => {
            let mut lines = stream::iter(ids.iter().map(|id| line(*id)).collect::<Vec<_>>());
            vec![entry(first, ROWS, &on.copy_in("COPY written FROM STDIN", &mut lines).await.map(drop), false)]
        }
        4 => {
            let fails = Err(Error::new(ErrorKind::Decode, "on purpose"));
            let result = on.copy_in("COPY written FROM STDIN", &mut stream::iter([line(first), fails])).await;
            vec![entry(first, 1, &result.map(drop), false)]
        }
        5 => {
            let sql = ["COPY refusing FROM STDIN", "COPY missing FROM STDIN"][(first / ROWS % 2) as usize];
            let result = on.copy_in(sql, &mut stream::iter([line(first)])).await;
            if result.is_ok() {
                return Err("a COPY that is refused is Ok".into());
            }
            Vec::new()
        }
        6 => match on.execute("SELECT 1 / ($1::int8 - $1)", &[&first]).await {
            Err(error) if error.kind() == ErrorKind::Server && error.sqlstate() != Some("22012") => {
                return Err(format!("another's error: {error:?}"));
            }
            Ok(_) => return Err("a failing statement is Ok".into()),
            Err(_) => Vec::new(),
        },
        7 => {
            let Ok(mut rows) = on.fetch_stream("SELECT $1::int8 FROM generate_series(1, 1000)", &[&first]).await else {
                return Ok(Vec::new());
            };
            for _ in 0..first % 7 {
                if let Some(Ok(row)) = rows.next().await {
                    same(row.get(0), first)?;
                }
            }
            Vec::new()
        }
        _ => {
            if let Ok(row) = on.fetch_one("SELECT $1::int8", &[&first]).await {
                same(row.get(0), first)?;
            }
            Vec::new()
        }
    })
}

fn same(read: Result<i64>, asked: i64) -> Result<(), String> {
    if read.as_ref().ok() == Some(&asked) { Ok(()) } else { Err(format!("asked {asked} and read {read:?}")) }
}

/// Ways to work on a service.
pub const HELD: u64 = 6;

/// Does one thing on a service that needs more than one statement.
///
/// # Errors
///
/// What was wrong.
pub async fn held(db: &dyn AsyncDatabaseService, way: u64, first: i64) -> Result<Vec<Entry>, String> {
    let options = TransactionOptions::new();
    let gone = vec![Entry { first, rows: ROWS, claim: Claim::Gone }];
    if way == 4 {
        let closure = async |tx: &mut AsyncAttempt| {
            tx.execute(INSERT, &[&first]).await?;
            tx.execute(INSERT, &[&(first + 1)]).await.map(drop)
        };
        // Without its commit, nothing of it is kept.
        return Ok(vec![entry(first, 2, &db.transaction(options, closure).await, true)]);
    }
    let Ok(mut tx) = db.begin(options).await else { return Ok(gone) };
    if tx.execute(INSERT, &[&first]).await.is_err() {
        return Ok(gone);
    }
    let mut undone = Vec::new();
    match way {
        0 => {}
        1 => drop(single(&*tx, 6, first).await?),
        2 => drop(single(&*tx, 5, first).await?),
        5 => {
            // Left before the row at which it fails.
            let failing = "SELECT 1 / (500 - i) FROM generate_series(1, 1000) i";
            if let Ok(mut rows) = tx.fetch_stream(failing, &[]).await {
                let _ = rows.next().await;
            }
        }
        _ => {
            let Ok(savepoint) = tx.savepoint().await else { return Ok(gone) };
            let _ = savepoint.execute(INSERT, &[&(first + 1)]).await;
            undone.push(Entry { first: first + 1, rows: 1, claim: Claim::Gone });
            if savepoint.rollback().await.is_err() {
                return Ok(gone);
            }
        }
    }
    let result = tx.commit().await;
    if result.is_ok() && matches!(way, 1 | 2 | 5) {
        return Err("a failed transaction was committed".into());
    }
    undone.push(entry(first, 1, &result, true));
    Ok(undone)
}

/// What the ledger says that is not there, and the other way round.
pub fn compare(ledger: &[Entry], there: &BTreeMap<i64, i64>) -> Vec<String> {
    let (mut wrong, mut known) = (Vec::new(), 0);
    for entry in ledger {
        let counts: Vec<i64> =
            (entry.first..entry.first + entry.rows).map(|id| there.get(&id).copied().unwrap_or(0)).collect();
        known += counts.iter().filter(|count| **count > 0).count();
        let is_right = match entry.claim {
            Claim::Kept => counts.iter().all(|count| *count == 1),
            Claim::Gone => counts.iter().all(|count| *count == 0),
            Claim::Unknown => counts.iter().all(|count| *count <= 1),
        };
        if !is_right {
            wrong.push(format!("{entry:?}: {counts:?}"));
        }
    }
    if known != there.len() {
        wrong.push(format!("{} rows are in no entry", there.len() - known));
    }
    wrong
}
