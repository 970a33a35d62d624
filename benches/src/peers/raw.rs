//! tokio-postgres alone: one connection, and statements kept by hand.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::{Client, NoTls, Statement, binary_copy::BinaryCopyInWriter, types::Type};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

#[derive(Debug)]
pub struct Raw {
    client: Client,
    point_select: Statement,
    history: Statement,
    many_rows: Statement,
    insert: Statement,
    stream: Statement,
    sleep: Statement,
}

pub async fn connect(url: &str) -> Result<Raw> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(Raw {
        point_select: client.prepare(sql::POINT_SELECT).await?,
        history: client.prepare(sql::HISTORY).await?,
        many_rows: client.prepare(sql::MANY_ROWS).await?,
        insert: client.prepare(sql::INSERT).await?,
        stream: client.prepare(sql::STREAM).await?,
        sleep: client.prepare(sql::SLEEP).await?,
        client,
    })
}

pub async fn point_select(raw: &Raw, id: i64) -> Result<Account> {
    let row = raw.client.query_one(&raw.point_select, &[&id]).await?;
    Ok(Account::try_from(&row)?)
}

pub async fn history(raw: &Raw, agent: i64) -> Result<Vec<Message>> {
    let rows = raw.client.query(&raw.history, &[&agent]).await?;
    Ok(rows.iter().map(Message::try_from).collect::<Result<_, _>>()?)
}

pub async fn many_rows(raw: &Raw) -> Result<Vec<Item>> {
    let rows = raw.client.query(&raw.many_rows, &[]).await?;
    Ok(rows.iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

/// The same, each row decoded as it arrives.
pub async fn many_rows_streamed(raw: &Raw) -> Result<Vec<Item>> {
    let mut rows = pin!(raw.client.query_raw(&raw.many_rows, &[] as &[i64]).await?);
    let mut items = Vec::new();
    while let Some(row) = rows.try_next().await? {
        items.push(Item::try_from(&row)?);
    }
    Ok(items)
}

pub async fn insert(raw: &Raw, item: &Item) -> Result<u64> {
    Ok(raw.client.execute(&raw.insert, &[&item.id, &item.name, &item.value, &item.created]).await?)
}

pub async fn bulk_insert(raw: &Raw, items: &[Item]) -> Result<u64> {
    let sink = raw.client.copy_in(sql::COPY).await?;
    let types = [Type::INT8, Type::TEXT, Type::TEXT, Type::FLOAT8, Type::TIMESTAMPTZ];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for item in items {
        writer.as_mut().write(&[&item.id, &item.name, &item.label, &item.value, &item.created]).await?;
    }
    Ok(writer.finish().await?)
}

pub async fn sleep(raw: &Raw) -> Result<()> {
    raw.client.query_one(&raw.sleep, &[]).await?;
    Ok(())
}

pub async fn stream(raw: &Raw, count: i64, mut look: impl FnMut(u64)) -> Result<u64> {
    let mut rows = pin!(raw.client.query_raw(&raw.stream, &[count]).await?);
    let mut seen = 0;
    while let Some(row) = rows.try_next().await? {
        std::hint::black_box((row.try_get::<_, i64>(0)?, row.try_get::<_, &str>(1)?, row.try_get::<_, f64>(2)?));
        seen += 1;
        look(seen);
    }
    Ok(seen)
}
