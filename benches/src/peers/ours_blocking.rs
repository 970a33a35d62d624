//! Catamaran's blocking service, always through its trait, as an application holds it.

use std::sync::Arc;

use catamaran::{Config, DatabaseService, R2d2Database, prelude::*};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub type Db = Arc<dyn DatabaseService>;

pub fn connect(url: &str, size: usize) -> Result<Db> {
    Ok(Arc::new(R2d2Database::new(Config::from_url(url)?.max_size(u32::try_from(size)?))?))
}

pub fn point_select(db: &Db, id: i64) -> Result<Account> {
    Ok(db.fetch_one_as(sql::POINT_SELECT, &[&id])?)
}

pub fn history(db: &Db, agent: i64) -> Result<Vec<Message>> {
    Ok(db.fetch_all_as(sql::HISTORY, &[&agent])?)
}

pub fn many_rows(db: &Db) -> Result<Vec<Item>> {
    Ok(db.fetch_all_as(sql::MANY_ROWS, &[])?)
}

pub fn insert(db: &Db, item: &Item) -> Result<u64> {
    Ok(db.execute(sql::INSERT, &[&item.id, &item.name, &item.value, &item.created])?)
}

pub fn checkout(db: &Db) -> Result<()> {
    drop(db.session()?);
    Ok(())
}
