//! r2d2 with everything that makes it fast: no test of connections, and statements prepared once for each by hand.

use postgres::{Client, Config, NoTls, Statement};
use r2d2::{ManageConnection, Pool};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub type Tuned = Pool<Manager>;

#[derive(Debug)]
pub struct Manager(Config);

/// A connection and what was prepared on it.
pub struct Connection {
    client: Client,
    point_select: Statement,
    history: Statement,
    many_rows: Statement,
    insert: Statement,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = postgres::Error;

    fn connect(&self) -> Result<Connection, postgres::Error> {
        let mut client = self.0.connect(NoTls)?;
        Ok(Connection {
            point_select: client.prepare(sql::POINT_SELECT)?,
            history: client.prepare(sql::HISTORY)?,
            many_rows: client.prepare(sql::MANY_ROWS)?,
            insert: client.prepare(sql::INSERT)?,
            client,
        })
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), postgres::Error> {
        connection.client.simple_query("").map(drop)
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.client.is_closed()
    }
}

pub fn connect(url: &str, size: usize) -> Result<Tuned> {
    let pool = Pool::builder().max_size(u32::try_from(size)?).test_on_check_out(false);
    Ok(pool.build(Manager(url.parse()?))?)
}

pub fn point_select(pool: &Tuned, id: i64) -> Result<Account> {
    let mut held = pool.get()?;
    let connection = &mut *held;
    let row = connection.client.query_one(&connection.point_select, &[&id])?;
    Ok(Account::try_from(&row)?)
}

pub fn history(pool: &Tuned, agent: i64) -> Result<Vec<Message>> {
    let mut held = pool.get()?;
    let connection = &mut *held;
    let rows = connection.client.query(&connection.history, &[&agent])?;
    Ok(rows.iter().map(Message::try_from).collect::<Result<_, _>>()?)
}

pub fn many_rows(pool: &Tuned) -> Result<Vec<Item>> {
    let mut held = pool.get()?;
    let connection = &mut *held;
    let rows = connection.client.query(&connection.many_rows, &[])?;
    Ok(rows.iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

pub fn insert(pool: &Tuned, item: &Item) -> Result<u64> {
    let mut held = pool.get()?;
    let connection = &mut *held;
    Ok(connection.client.execute(&connection.insert, &[&item.id, &item.name, &item.value, &item.created])?)
}

pub fn checkout(pool: &Tuned) -> Result<()> {
    drop(pool.get()?);
    Ok(())
}
