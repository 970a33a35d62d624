//! The structs that all contestants decode into.

use catamaran::FromRow;
use chrono::{DateTime, Utc};
use tokio_postgres::{Error, Row};

#[derive(Clone, Debug, FromRow)]
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
pub struct Message {
    pub id: i64,
    pub role: String,
    pub content: String,
    pub model_used: Option<String>,
    pub tokens_input: Option<i32>,
    pub metadata: serde_json::Value,
    pub created_at: DateTime<Utc>,
    pub agent_name: String,
}

#[derive(Clone, Debug, FromRow)]
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

/// What is imported: the same rows for everyone.
pub fn imports(count: usize) -> Vec<Item> {
    let begin = DateTime::<Utc>::UNIX_EPOCH;
    let row = |n: i64| Item {
        id: n,
        name: format!("item number {n}"),
        label: format!("label {}", n % 100),
        value: n as f64 * 0.25,
        created: begin + chrono::TimeDelta::seconds(n),
    };
    (1..).take(count).map(row).collect()
}
