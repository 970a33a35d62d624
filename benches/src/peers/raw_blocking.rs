//! postgres alone: one connection, and statements kept by hand.

use std::sync::{Mutex, PoisonError};

use postgres::{Client, NoTls, Statement};

use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub struct Raw {
    client: Mutex<Client>,
    point_select: Statement,
    history: Statement,
    many_rows: Statement,
    insert: Statement,
}

pub fn connect(url: &str) -> Result<Raw> {
    let mut client = Client::connect(url, NoTls)?;
    Ok(Raw {
        point_select: client.prepare(sql::POINT_SELECT)?,
        history: client.prepare(sql::HISTORY)?,
        many_rows: client.prepare(sql::MANY_ROWS)?,
        insert: client.prepare(sql::INSERT)?,
        client: Mutex::new(client),
    })
}

pub fn point_select(raw: &Raw, id: i64) -> Result<Account> {
    let row = lock(raw).query_one(&raw.point_select, &[&id])?;
    Ok(Account::try_from(&row)?)
}

pub fn history(raw: &Raw, agent: i64) -> Result<Vec<Message>> {
    let rows = lock(raw).query(&raw.history, &[&agent])?;
    Ok(rows.iter().map(Message::try_from).collect::<Result<_, _>>()?)
}

pub fn many_rows(raw: &Raw) -> Result<Vec<Item>> {
    let rows = lock(raw).query(&raw.many_rows, &[])?;
    Ok(rows.iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

pub fn insert(raw: &Raw, item: &Item) -> Result<u64> {
    Ok(lock(raw).execute(&raw.insert, &[&item.id, &item.name, &item.value, &item.created])?)
}

fn lock(raw: &Raw) -> std::sync::MutexGuard<'_, Client> {
    raw.client.lock().unwrap_or_else(PoisonError::into_inner)
}
