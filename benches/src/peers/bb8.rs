//! bb8-postgres. It keeps no statements, so its connections are given a place for them, as in its example.

use bb8::{ManageConnection, Pool};
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

#[derive(Debug)]
pub struct Manager(Config);

/// A connection and what was prepared on it.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    point_select: Statement,
    history: Statement,
    many_rows: Statement,
    insert: Statement,
    sleep: Statement,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Connection, tokio_postgres::Error> {
        let (client, connection) = self.0.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(Connection {
            point_select: client.prepare(sql::POINT_SELECT).await?,
            history: client.prepare(sql::HISTORY).await?,
            many_rows: client.prepare(sql::MANY_ROWS).await?,
            insert: client.prepare(sql::INSERT).await?,
            sleep: client.prepare(sql::SLEEP).await?,
            client,
        })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), tokio_postgres::Error> {
        connection.client.simple_query("").await.map(drop)
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.client.is_closed()
    }
}

pub async fn connect(url: &str, size: usize, test: bool) -> Result<Pool<Manager>> {
    let pool = Pool::builder().max_size(u32::try_from(size)?).test_on_check_out(test);
    Ok(pool.build(Manager(url.parse()?)).await?)
}

pub async fn point_select(pool: &Pool<Manager>, id: i64) -> Result<Account> {
    let connection = pool.get().await?;
    let row = connection.client.query_one(&connection.point_select, &[&id]).await?;
    Ok(Account::try_from(&row)?)
}

pub async fn history(pool: &Pool<Manager>, agent: i64) -> Result<Vec<Message>> {
    let connection = pool.get().await?;
    let rows = connection.client.query(&connection.history, &[&agent]).await?;
    Ok(rows.iter().map(Message::try_from).collect::<Result<_, _>>()?)
}

pub async fn many_rows(pool: &Pool<Manager>) -> Result<Vec<Item>> {
    let connection = pool.get().await?;
    let rows = connection.client.query(&connection.many_rows, &[]).await?;
    Ok(rows.iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

pub async fn insert(pool: &Pool<Manager>, item: &Item) -> Result<u64> {
    let connection = pool.get().await?;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&item.id, &item.name, &item.value, &item.created];
    Ok(connection.client.execute(&connection.insert, &values).await?)
}

pub async fn checkout(pool: &Pool<Manager>) -> Result<()> {
    drop(pool.get().await?);
    Ok(())
}

pub async fn sleep(pool: &Pool<Manager>) -> Result<()> {
    let connection = pool.get().await?;
    connection.client.query_one(&connection.sleep, &[]).await?;
    Ok(())
}
