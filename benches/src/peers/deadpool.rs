//! deadpool-postgres, with statements that it prepares once for each connection.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::NoTls;

use crate::{Result, rows::Account, sql};

pub fn connect(url: &str, size: usize, recycling_method: RecyclingMethod) -> Result<Pool> {
    let manager = Manager::from_config(url.parse()?, NoTls, ManagerConfig { recycling_method });
    Ok(Pool::builder(manager).max_size(size).build()?)
}

pub async fn point_select(pool: &Pool, id: i64) -> Result<Account> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql::POINT_SELECT).await?;
    let row = client.query_one(&statement, &[&id]).await?;
    Ok(Account::try_from(&row)?)
}
