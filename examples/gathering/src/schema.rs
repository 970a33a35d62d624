//! The schema and sample data.

use std::{
    error::Error,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use catamaran::{AsyncDatabaseService, Config, DeadpoolDatabase, prelude::*};

use crate::migrator::Migrator;

#[allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "made by refinery")]
mod embedded {
    refinery::embed_migrations!("migrations");
}

const SEED: &str = include_str!("seed.sql");

/// The key of the advisory lock that keeps two instances from migrating at a time.
const LOCK: i64 = 7_234_017_283_807_667_300;

/// How long a migration may take, or wait for another instance's.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How long the connection may take to close.
const CLOSING: Duration = Duration::from_secs(5);

/// Brings the schema up to date, over a connection of its own: no pool is open yet.
///
/// # Errors
///
/// What connecting fails with, or the migration that failed.
pub async fn migrate(config: &Config) -> Result<(), Box<dyn Error + Send + Sync>> {
    with_connection(config, async |db| {
        let session = db.session().await?;
        session.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
        let report = embedded::migrations::runner().run_async(&mut Migrator(session)).await?;
        for migration in report.applied_migrations() {
            tracing::info!("applied migration {migration}");
        }
        Ok(())
    })
    .await
}

/// Adds sample data; what is there already is left alone.
///
/// # Errors
///
/// What connecting fails with; `Server` if the schema is not there.
pub async fn seed(config: &Config) -> Result<(), Box<dyn Error + Send + Sync>> {
    with_connection(config, async |db| Ok(db.batch_execute(SEED).await?)).await
}

/// A number that changes with the schema or the sample data, for the name of a prepared database.
pub fn schema_version() -> u64 {
    let mut hasher = DefaultHasher::new();
    SEED.hash(&mut hasher);
    for migration in embedded::migrations::runner().get_migrations() {
        migration.checksum().hash(&mut hasher);
    }
    hasher.finish()
}

async fn with_connection(
    config: &Config,
    work: impl AsyncFnOnce(&dyn AsyncDatabaseService) -> Result<(), Box<dyn Error + Send + Sync>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let db = DeadpoolDatabase::new(config.clone().max_size(1).statement_timeout(LONGEST))?;
    let result = work(&db).await;
    let closed = db.close(CLOSING).await;
    result?;
    Ok(closed?)
}
