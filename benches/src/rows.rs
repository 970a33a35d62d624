//! The structs that all contestants decode into.

use std::sync::LazyLock;

use catamaran::FromRow;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::{Error, Row};

use crate::sql;

#[derive(Clone, Debug, FromRow)]
#[cfg_attr(feature = "peers", derive(sqlx::FromRow, diesel::Queryable, diesel::Selectable))]
#[cfg_attr(feature = "peers", diesel(table_name = crate::peers::tables::accounts))]
pub struct Account {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub created: DateTime<Utc>,
    pub score: f64,
    pub active: bool,
    pub visits: i32,
    pub note: Option<String>,
}

#[derive(Clone, Debug, FromRow)]
#[cfg_attr(feature = "peers", derive(sqlx::FromRow, diesel::QueryableByName, sea_orm::FromQueryResult))]
pub struct Message {
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::BigInt))]
    pub id: i64,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Text))]
    pub role: String,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Text))]
    pub content: String,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>))]
    pub model_used: Option<String>,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Integer>))]
    pub tokens_input: Option<i32>,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Jsonb))]
    pub metadata: serde_json::Value,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Timestamptz))]
    pub created_at: DateTime<Utc>,
    #[cfg_attr(feature = "peers", diesel(sql_type = diesel::sql_types::Text))]
    pub agent_name: String,
}

#[derive(Clone, Debug, FromRow)]
#[cfg_attr(feature = "peers", derive(sqlx::FromRow, diesel::Queryable, diesel::Selectable))]
#[cfg_attr(feature = "peers", diesel(table_name = crate::peers::tables::items))]
pub struct Item {
    pub id: i64,
    pub name: String,
    pub label: String,
    pub value: f64,
    pub created: DateTime<Utc>,
}

/// As written by hand where the driver has no derive: by position, which is the fastest.
impl TryFrom<&Row> for Account {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            email: row.try_get(2)?,
            created: row.try_get(3)?,
            score: row.try_get(4)?,
            active: row.try_get(5)?,
            visits: row.try_get(6)?,
            note: row.try_get(7)?,
        })
    }
}

impl TryFrom<&Row> for Message {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            role: row.try_get(1)?,
            content: row.try_get(2)?,
            model_used: row.try_get(3)?,
            tokens_input: row.try_get(4)?,
            metadata: row.try_get(5)?,
            created_at: row.try_get(6)?,
            agent_name: row.try_get(7)?,
        })
    }
}

impl TryFrom<&Row> for Item {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            label: row.try_get(2)?,
            value: row.try_get(3)?,
            created: row.try_get(4)?,
        })
    }
}

/// What is written: the same rows for everyone.
pub static IMPORTS: LazyLock<Vec<Item>> = LazyLock::new(|| {
    let row = |n: i64| Item {
        id: n,
        name: format!("item number {n}"),
        label: format!("label {}", n % 100),
        value: n as f64 * 0.25,
        created: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(n),
    };
    (1..).take(sql::MANY).map(row).collect()
});
