//! tokio-postgres alone: one connection, and statements kept by hand.

use tokio_postgres::{Client, NoTls, Statement};

use crate::{Result, rows::Account, sql};

#[derive(Debug)]
pub struct Raw {
    client: Client,
    point_select: Statement,
}

pub async fn connect(url: &str) -> Result<Raw> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let point_select = client.prepare(sql::POINT_SELECT).await?;
    Ok(Raw { client, point_select })
}

pub async fn point_select(raw: &Raw, id: i64) -> Result<Account> {
    let row = raw.client.query_one(&raw.point_select, &[&id]).await?;
    Ok(Account::try_from(&row)?)
}
