//! Run with `DATABASE_URL=postgres://… cargo run -p quickstart --bin nonblocking`.
#![allow(clippy::print_stdout, reason = "a program speaks on its standard output")]

use catamaran::{Config, Result, TransactionOptions, prelude::*};

#[tokio::main]
async fn main() -> Result<()> {
    let db = catamaran::connect(Config::from_env()?)?.nonblocking();
    let mut session = db.session().await?;
    session.batch_execute("CREATE TEMP TABLE boats (name text, hulls int)").await?;

    let tx = session.begin(TransactionOptions::new()).await?;
    for (name, hulls) in [("dinghy", 1), ("catamaran", 2), ("trimaran", 3)] {
        tx.execute("INSERT INTO boats (name, hulls) VALUES ($1, $2)", &[&name, &hulls]).await?;
    }
    println!("{} boats", count(&tx).await?);
    tx.commit().await?;

    let row = session.fetch_one("SELECT name, hulls FROM boats WHERE hulls = $1", &[&2]).await?;
    println!("a {} has {} hulls", row.get::<&str>("name")?, row.get::<i32>("hulls")?);
    Ok(())
}

async fn count(db: &dyn AsyncExecutor) -> Result<i64> {
    db.fetch_scalar("SELECT count(*) FROM boats", &[]).await
}
