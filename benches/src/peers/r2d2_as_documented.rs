//! r2d2_postgres as its documentation shows it: each query as text, each connection tested when it is taken.

use r2d2::Pool;
use r2d2_postgres::PostgresConnectionManager;
use tokio_postgres::NoTls;

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub type Documented = Pool<PostgresConnectionManager<NoTls>>;

pub fn connect(url: &str, size: usize) -> Result<Documented> {
    let manager = PostgresConnectionManager::new(url.parse()?, NoTls);
    Ok(Pool::builder().max_size(u32::try_from(size)?).build(manager)?)
}

pub fn point_select(pool: &Documented, id: i64) -> Result<Account> {
    let row = pool.get()?.query_one(sql::POINT_SELECT, &[&id])?;
    Ok(Account::try_from(&row)?)
}

pub fn history(pool: &Documented, agent: i64) -> Result<Vec<Message>> {
    let rows = pool.get()?.query(sql::HISTORY, &[&agent])?;
    Ok(rows.iter().map(Message::try_from).collect::<Result<_, _>>()?)
}

pub fn many_rows(pool: &Documented) -> Result<Vec<Item>> {
    let rows = pool.get()?.query(sql::MANY_ROWS, &[])?;
    Ok(rows.iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

pub fn insert(pool: &Documented, item: &Item) -> Result<u64> {
    Ok(pool.get()?.execute(sql::INSERT, &[&item.id, &item.name, &item.value, &item.created])?)
}

pub fn checkout(pool: &Documented) -> Result<()> {
    drop(pool.get()?);
    Ok(())
}
