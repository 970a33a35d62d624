//! sqlx as its README uses it, and without its test of connections.

use sqlx::{PgPool, QueryBuilder, postgres::PgPoolOptions};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub async fn connect(url: &str, size: usize, test: bool) -> Result<PgPool> {
    let options = PgPoolOptions::new().max_connections(u32::try_from(size)?).test_before_acquire(test);
    Ok(options.connect(url).await?)
}

pub async fn point_select(pool: &PgPool, id: i64) -> Result<Account> {
    Ok(sqlx::query_as(sql::POINT_SELECT).bind(id).fetch_one(pool).await?)
}

pub async fn history(pool: &PgPool, agent: i64) -> Result<Vec<Message>> {
    Ok(sqlx::query_as(sql::HISTORY).bind(agent).fetch_all(pool).await?)
}

pub async fn many_rows(pool: &PgPool) -> Result<Vec<Item>> {
    Ok(sqlx::query_as(sql::MANY_ROWS).fetch_all(pool).await?)
}

pub async fn insert(pool: &PgPool, item: &Item) -> Result<u64> {
    let query = sqlx::query(sql::INSERT).bind(item.id).bind(&item.name).bind(item.value).bind(item.created);
    Ok(query.execute(pool).await?.rows_affected())
}

pub async fn bulk_insert_unnest(pool: &PgPool, items: &[Item]) -> Result<u64> {
    let ids: Vec<_> = items.iter().map(|item| item.id).collect();
    let names: Vec<_> = items.iter().map(|item| item.name.as_str()).collect();
    let labels: Vec<_> = items.iter().map(|item| item.label.as_str()).collect();
    let values: Vec<_> = items.iter().map(|item| item.value).collect();
    let created: Vec<_> = items.iter().map(|item| item.created).collect();
    let query = sqlx::query(sql::UNNEST).bind(ids).bind(names).bind(labels).bind(values).bind(created);
    Ok(query.execute(pool).await?.rows_affected())
}

pub async fn bulk_insert_values(pool: &PgPool, items: &[Item]) -> Result<u64> {
    let mut query = QueryBuilder::new("INSERT INTO imports (id, name, label, value, created) ");
    query.push_values(items, |mut row, item| {
        row.push_bind(item.id).push_bind(&item.name).push_bind(&item.label);
        row.push_bind(item.value).push_bind(item.created);
    });
    Ok(query.build().execute(pool).await?.rows_affected())
}

pub async fn checkout(pool: &PgPool) -> Result<()> {
    drop(pool.acquire().await?);
    Ok(())
}

pub async fn sleep(pool: &PgPool) -> Result<()> {
    sqlx::query(sql::SLEEP).fetch_one(pool).await?;
    Ok(())
}
