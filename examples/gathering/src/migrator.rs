//! refinery over a session of the async service, so that migrations connect as the service does: one configuration,
//! TLS included.

use catamaran::{AsyncSession, Error, ErrorKind, Result, Row, TransactionOptions};
use refinery::{AsyncMigrate, Migration};
use refinery_core::traits::r#async::{AsyncQuery, AsyncTransaction};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A session that refinery can migrate.
pub(crate) struct Migrator(pub(crate) Box<dyn AsyncSession>);

impl AsyncTransaction for Migrator {
    type Error = Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(&'a mut self, queries: T) -> Result<usize> {
        let tx = self.0.begin(TransactionOptions::new()).await?;
        let mut count = 0;
        for query in queries {
            tx.batch_execute(query).await?;
            count += 1;
        }
        tx.commit().await?;
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Migrator {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>> {
        self.0.fetch_all(query, &[]).await?.iter().map(applied).collect()
    }
}

impl AsyncMigrate for Migrator {}

/// A row of refinery's history.
fn applied(row: &Row) -> Result<Migration> {
    let on =
        OffsetDateTime::parse(row.get("applied_on")?, &Rfc3339).map_err(|error| unreadable("applied_on", error))?;
    let checksum = row.get::<&str>("checksum")?.parse().map_err(|error| unreadable("checksum", error))?;
    Ok(Migration::applied(row.get("version")?, row.get("name")?, on, checksum))
}

fn unreadable(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::with_source(ErrorKind::Decode, format!("the migrations' history has an unreadable {column}"), error)
}
