//! Catamaran, always through its traits, as an application holds it.

use std::sync::Arc;

use catamaran::{AsyncDatabaseService, Config, DeadpoolDatabase, prelude::*};

use crate::{Result, rows::Account, sql};

pub type Db = Arc<dyn AsyncDatabaseService>;

/// The async service in every way that takes part: a contestant for each.
pub fn connect(url: &str, size: usize) -> Result<Vec<(&'static str, Db)>> {
    let config = Config::from_url(url)?.max_size(u32::try_from(size)?);
    // A way to run single statements that can be turned off is a line here.
    let ways = [("catamaran", config)];
    ways.into_iter().map(|(name, config)| Ok((name, Arc::new(DeadpoolDatabase::new(config)?) as Db))).collect()
}

pub async fn point_select(db: &Db, id: i64) -> Result<Account> {
    Ok(db.fetch_one_as(sql::POINT_SELECT, &[&id]).await?)
}
