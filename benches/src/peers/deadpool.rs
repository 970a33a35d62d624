//! deadpool-postgres, with statements that it prepares once for each connection.

use std::{pin::pin, time::Duration, time::Instant};

use deadpool_postgres::{Manager, ManagerConfig, Pool};
use tokio_postgres::{NoTls, binary_copy::BinaryCopyInWriter, types::Type};

pub use deadpool_postgres::RecyclingMethod as Recycling;

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

/// The name of the base of all async cases.
pub const FAST: &str = "deadpool Fast";

pub fn connect(url: &str, size: usize, recycling_method: Recycling) -> Result<Pool> {
    let manager = Manager::from_config(url.parse()?, NoTls, ManagerConfig { recycling_method });
    Ok(Pool::builder(manager).max_size(size).build()?)
}

pub async fn point_select(pool: &Pool, id: i64) -> Result<Account> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::POINT_SELECT).await?;
    let row = client.query_one(&statement, &[&id]).await?;
    Ok(Account::try_from(&row)?)
}

pub async fn history(pool: &Pool, agent: i64) -> Result<Vec<Message>> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::HISTORY).await?;
    let rows = client.query(&statement, &[&agent]).await?;
    Ok(rows.iter().map(Message::try_from).collect::<Result<_, _>>()?)
}

pub async fn many_rows(pool: &Pool) -> Result<Vec<Item>> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::MANY_ROWS).await?;
    let rows = client.query(&statement, &[]).await?;
    Ok(rows.iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

pub async fn insert(pool: &Pool, item: &Item) -> Result<u64> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::INSERT).await?;
    Ok(client.execute(&statement, &[&item.id, &item.name, &item.value, &item.created]).await?)
}

pub async fn bulk_insert(pool: &Pool, items: &[Item]) -> Result<u64> {
    let client = pool.get().await?;
    let sink = client.copy_in(sql::COPY).await?;
    let types = [Type::INT8, Type::TEXT, Type::TEXT, Type::FLOAT8, Type::TIMESTAMPTZ];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for item in items {
        writer.as_mut().write(&[&item.id, &item.name, &item.label, &item.value, &item.created]).await?;
    }
    Ok(writer.finish().await?)
}

pub async fn bulk_insert_unnest(pool: &Pool, items: &[Item]) -> Result<u64> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::UNNEST).await?;
    let ids: Vec<_> = items.iter().map(|item| item.id).collect();
    let names: Vec<_> = items.iter().map(|item| item.name.as_str()).collect();
    let labels: Vec<_> = items.iter().map(|item| item.label.as_str()).collect();
    let values: Vec<_> = items.iter().map(|item| item.value).collect();
    let created: Vec<_> = items.iter().map(|item| item.created).collect();
    Ok(client.execute(&statement, &[&ids, &names, &labels, &values, &created]).await?)
}

pub async fn bulk_insert_values(pool: &Pool, items: &[Item]) -> Result<u64> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    let mut count = 0;
    for items in items.chunks(sql::VALUES_ROWS) {
        let statement = transaction.prepare_cached(&sql::values(items.len())).await?;
        let mut values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = Vec::with_capacity(items.len() * 5);
        for item in items {
            values.extend_from_slice(&[&item.id, &item.name, &item.label, &item.value, &item.created]);
        }
        count += transaction.execute(&statement, &values).await?;
    }
    transaction.commit().await?;
    Ok(count)
}

pub async fn checkout(pool: &Pool) -> Result<()> {
    drop(pool.get().await?);
    Ok(())
}

pub async fn sleep(pool: &Pool) -> Result<()> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::SLEEP).await?;
    client.query_one(&statement, &[]).await?;
    Ok(())
}

/// A transaction of one select. Returns how long it took to begin it, from asking for a connection on.
pub async fn transaction(pool: &Pool, id: i64) -> Result<Duration> {
    let asked = Instant::now();
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    let waited = asked.elapsed();
    let statement = transaction.prepare_cached(sql::POINT_SELECT).await?;
    let row = transaction.query_one(&statement, &[&id]).await?;
    std::hint::black_box(Account::try_from(&row)?);
    transaction.commit().await?;
    Ok(waited)
}
