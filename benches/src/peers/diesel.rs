//! diesel with r2d2, its queries in its DSL as its guides write them; the history is beyond it and stays SQL.

use chrono::{DateTime, Utc};
use diesel::{
    PgConnection, dsl,
    prelude::*,
    r2d2::{ConnectionManager, Pool},
    sql_types::BigInt,
};

use super::tables::{accounts, events, imports, items};
use crate::{
    Result,
    rows::{Account, Item, Message},
    sql,
};

pub type Diesel = Pool<ConnectionManager<PgConnection>>;

pub fn connect(url: &str, size: usize, test: bool) -> Result<Diesel> {
    let pool = Pool::builder().max_size(u32::try_from(size)?).test_on_check_out(test);
    Ok(pool.build(ConnectionManager::new(url))?)
}

pub fn point_select(pool: &Diesel, id: i64) -> Result<Account> {
    let mut connection = pool.get()?;
    Ok(accounts::table.find(id).select(Account::as_select()).first(&mut connection)?)
}

pub fn history(pool: &Diesel, agent: i64) -> Result<Vec<Message>> {
    let mut connection = pool.get()?;
    Ok(diesel::sql_query(sql::HISTORY).bind::<BigInt, _>(agent).load(&mut connection)?)
}

pub fn many_rows(pool: &Diesel) -> Result<Vec<Item>> {
    let mut connection = pool.get()?;
    Ok(items::table.select(Item::as_select()).load(&mut connection)?)
}

pub fn insert(pool: &Diesel, item: &Item) -> Result<u64> {
    let mut connection = pool.get()?;
    let values = (
        events::account_id.eq(item.id),
        events::kind.eq(&item.name),
        events::amount.eq(item.value),
        events::at.eq(item.created),
    );
    Ok(diesel::insert_into(events::table).values(values).execute(&mut connection)?.try_into()?)
}

pub fn bulk_insert(pool: &Diesel, items: &[Item]) -> Result<u64> {
    let mut connection = pool.get()?;
    let count = diesel::copy_from(imports::table).from_insertable(import_rows(items)).execute(&mut connection)?;
    Ok(count.try_into()?)
}

pub fn bulk_insert_values(pool: &Diesel, items: &[Item]) -> Result<u64> {
    let mut connection = pool.get()?;
    Ok(diesel::insert_into(imports::table).values(import_rows(items)).execute(&mut connection)?.try_into()?)
}

pub fn checkout(pool: &Diesel) -> Result<()> {
    drop(pool.get()?);
    Ok(())
}

type ImportRow<'a> = (
    dsl::Eq<imports::id, i64>,
    dsl::Eq<imports::name, &'a str>,
    dsl::Eq<imports::label, &'a str>,
    dsl::Eq<imports::value, f64>,
    dsl::Eq<imports::created, DateTime<Utc>>,
);

/// What is imported, as diesel takes it.
pub(super) fn import_rows(items: &[Item]) -> Vec<ImportRow<'_>> {
    items.iter().map(import_row).collect()
}

fn import_row(item: &Item) -> ImportRow<'_> {
    (
        imports::id.eq(item.id),
        imports::name.eq(item.name.as_str()),
        imports::label.eq(item.label.as_str()),
        imports::value.eq(item.value),
        imports::created.eq(item.created),
    )
}
