//! diesel-async with deadpool, its queries in diesel's DSL; the history is beyond it and stays SQL.

use diesel::{prelude::*, sql_types::BigInt};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
};

use super::{
    diesel::import_rows,
    tables::{accounts, events, imports, items},
};
use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub type DieselAsync = Pool<AsyncPgConnection>;

pub fn connect(url: &str, size: usize, test: bool) -> Result<DieselAsync> {
    let mut config = ManagerConfig::default();
    if !test {
        config.recycling_method = RecyclingMethod::Fast;
    }
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(url, config);
    Ok(Pool::builder(manager).max_size(size).build()?)
}

pub async fn point_select(pool: &DieselAsync, id: i64) -> Result<Account> {
    let mut connection = pool.get().await?;
    Ok(accounts::table.find(id).select(Account::as_select()).first(&mut connection).await?)
}

pub async fn history(pool: &DieselAsync, agent: i64) -> Result<Vec<Message>> {
    let mut connection = pool.get().await?;
    Ok(diesel::sql_query(sql::HISTORY).bind::<BigInt, _>(agent).load(&mut connection).await?)
}

pub async fn many_rows(pool: &DieselAsync) -> Result<Vec<Item>> {
    let mut connection = pool.get().await?;
    Ok(items::table.select(Item::as_select()).load(&mut connection).await?)
}

pub async fn insert(pool: &DieselAsync, item: &Item) -> Result<u64> {
    let mut connection = pool.get().await?;
    let values = (
        events::account_id.eq(item.id),
        events::kind.eq(&item.name),
        events::amount.eq(item.value),
        events::at.eq(item.created),
    );
    Ok(diesel::insert_into(events::table).values(values).execute(&mut connection).await?.try_into()?)
}

pub async fn bulk_insert_values(pool: &DieselAsync, items: &[Item]) -> Result<u64> {
    let mut connection = pool.get().await?;
    Ok(diesel::insert_into(imports::table).values(import_rows(items)).execute(&mut connection).await?.try_into()?)
}

pub async fn checkout(pool: &DieselAsync) -> Result<()> {
    drop(pool.get().await?);
    Ok(())
}

pub async fn sleep(pool: &DieselAsync) -> Result<()> {
    let mut connection = pool.get().await?;
    diesel::sql_query(sql::SLEEP).execute(&mut connection).await?;
    Ok(())
}
