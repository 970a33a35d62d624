//! Run with `DATABASE_URL=postgres://… cargo run -p quickstart --bin blocking`.
#![allow(clippy::print_stdout, reason = "a program speaks on its standard output")]

use catamaran::{Config, Result, TransactionOptions, prelude::*};

fn main() -> Result<()> {
    let db = catamaran::connect(Config::from_env()?)?.blocking();
    let mut session = db.session()?;
    session.batch_execute("CREATE TEMP TABLE boats (name text, hulls int)")?;

    let tx = session.begin(TransactionOptions::new())?;
    for (name, hulls) in [("dinghy", 1), ("catamaran", 2), ("trimaran", 3)] {
        tx.execute("INSERT INTO boats (name, hulls) VALUES ($1, $2)", &[&name, &hulls])?;
    }
    println!("{} boats", count(&tx)?);
    tx.commit()?;

    let row = session.fetch_one("SELECT name, hulls FROM boats WHERE hulls = $1", &[&2])?;
    println!("a {} has {} hulls", row.get::<&str>("name")?, row.get::<i32>("hulls")?);
    Ok(())
}

fn count(db: &dyn Executor) -> Result<i64> {
    db.fetch_scalar("SELECT count(*) FROM boats", &[])
}
