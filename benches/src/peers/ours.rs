//! Catamaran's async service, always through its trait, as an application holds it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catamaran::{AsyncDatabaseService, Config, DeadpoolDatabase, TransactionOptions, prelude::*};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub type Db = Arc<dyn AsyncDatabaseService>;

/// The name of the service as it is without further settings.
pub const NAME: &str = "catamaran";

/// The service in every way that takes part: a contestant for each.
pub fn connect(url: &str, size: usize) -> Result<Vec<(&'static str, Db)>> {
    let config = Config::from_url(url)?.max_size(u32::try_from(size)?);
    // A way to run statements that can be turned off is another line here.
    let ways = [(NAME, config)];
    ways.into_iter().map(|(name, config)| Ok((name, Arc::new(DeadpoolDatabase::new(config)?) as Db))).collect()
}

pub async fn point_select(db: &Db, id: i64) -> Result<Account> {
    Ok(db.fetch_one_as(sql::POINT_SELECT, &[&id]).await?)
}

pub async fn history(db: &Db, agent: i64) -> Result<Vec<Message>> {
    Ok(db.fetch_all_as(sql::HISTORY, &[&agent]).await?)
}

pub async fn many_rows(db: &Db) -> Result<Vec<Item>> {
    Ok(db.fetch_all_as(sql::MANY_ROWS, &[]).await?)
}

/// The same, each row decoded as it arrives.
pub async fn many_rows_streamed(db: &Db) -> Result<Vec<Item>> {
    let mut rows = db.fetch_stream_as(sql::MANY_ROWS, &[]).await?;
    let mut items = Vec::new();
    while let Some(item) = rows.next().await {
        items.push(item?);
    }
    Ok(items)
}

pub async fn insert(db: &Db, item: &Item) -> Result<u64> {
    Ok(db.execute(sql::INSERT, &[&item.id, &item.name, &item.value, &item.created]).await?)
}

pub async fn bulk_insert(db: &Db, items: &[Item]) -> Result<u64> {
    let rows = items.iter().map(|item| (item.id, item.name.as_str(), item.label.as_str(), item.value, item.created));
    Ok(db.copy_rows_in("imports", sql::IMPORT_COLUMNS, rows).await?)
}

pub async fn checkout(db: &Db) -> Result<()> {
    drop(db.session().await?);
    Ok(())
}

pub async fn sleep(db: &Db) -> Result<()> {
    db.fetch_one(sql::SLEEP, &[]).await?;
    Ok(())
}

/// A transaction of one select. Returns how long it took to begin it, from asking for a connection on.
pub async fn transaction(db: &Db, id: i64) -> Result<Duration> {
    let asked = Instant::now();
    let transaction = db.begin(TransactionOptions::new()).await?;
    let waited = asked.elapsed();
    std::hint::black_box(transaction.fetch_one_as::<Account>(sql::POINT_SELECT, &[&id]).await?);
    transaction.commit().await?;
    Ok(waited)
}

pub async fn stream(db: &Db, count: i64, mut look: impl FnMut(u64)) -> Result<u64> {
    let mut rows = db.fetch_stream(sql::STREAM, &[&count]).await?;
    let mut seen = 0;
    while let Some(row) = rows.next().await {
        let row = row?;
        std::hint::black_box((row.get::<i64>(0)?, row.get::<&str>(1)?, row.get::<f64>(2)?));
        seen += 1;
        look(seen);
    }
    Ok(seen)
}
