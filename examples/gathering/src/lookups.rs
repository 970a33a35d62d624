//! What several handlers look up, on either service.
//!
//! A twin has the same method names, so that a handler which is moved finds its helpers under the names that it knows;
//! the SQL and what its answer means are written once.

use catamaran::{Row, prelude::*};
use catamaran_axum::Result;
use serde::Serialize;

use crate::{errors::not_found, models::MODEL, providers::PROVIDER};

const AGENT: &str = "
    SELECT a.id, a.name, a.role, a.persona, m.model_id AS model
    FROM agent.agents a LEFT JOIN agent.models m ON m.id = a.model_id
    WHERE a.id = $1";

const CIRCLE_ID: &str = "SELECT id FROM circle.circles WHERE name = $1";

/// An agent, as far as it has to be known to talk to it.
#[derive(Debug, Clone, FromRow, Serialize)]
#[allow(missing_docs, reason = "the names are those of the columns")]
pub struct Agent {
    pub id: i64,
    pub name: String,
    pub role: String,
    pub persona: String,
    pub model: Option<String>,
}

fn found<T>(thing: Option<T>, what: &str, which: impl std::fmt::Display) -> Result<T> {
    thing.ok_or_else(|| not_found(format!("there is no {what} {which}")))
}

/// Lookups on a blocking service, session or transaction. Each is a 404 if there is no such thing.
#[allow(missing_docs, clippy::missing_errors_doc, reason = "the names say it, and the trait's documentation")]
pub trait Lookups: Executor {
    fn agent(&self, id: i64) -> Result<Agent> {
        found(self.fetch_optional_as(AGENT, &[&id])?, "agent", id)
    }

    fn circle_id(&self, name: &str) -> Result<i64> {
        Ok(found(self.fetch_optional(CIRCLE_ID, &[&name])?, "circle", name)?.get("id")?)
    }

    fn model(&self, id: i64) -> Result<Row> {
        found(self.fetch_optional(MODEL, &[&id])?, "model", id)
    }

    fn provider(&self, id: i64) -> Result<Row> {
        found(self.fetch_optional(PROVIDER, &[&id])?, "provider", id)
    }
}

/// Lookups on an async service, session or transaction. Each is a 404 if there is no such thing.
#[allow(missing_docs, clippy::missing_errors_doc, reason = "the names say it, and the trait's documentation")]
pub trait AsyncLookups: AsyncExecutor {
    fn agent(&self, id: i64) -> impl Future<Output = Result<Agent>> + Send {
        async move { found(self.fetch_optional_as(AGENT, &[&id]).await?, "agent", id) }
    }

    fn circle_id(&self, name: &str) -> impl Future<Output = Result<i64>> + Send {
        async move { Ok(found(self.fetch_optional(CIRCLE_ID, &[&name]).await?, "circle", name)?.get("id")?) }
    }

    fn model(&self, id: i64) -> impl Future<Output = Result<Row>> + Send {
        async move { found(self.fetch_optional(MODEL, &[&id]).await?, "model", id) }
    }

    fn provider(&self, id: i64) -> impl Future<Output = Result<Row>> + Send {
        async move { found(self.fetch_optional(PROVIDER, &[&id]).await?, "provider", id) }
    }
}

impl<E: Executor + ?Sized> Lookups for E {}
impl<E: AsyncExecutor + ?Sized> AsyncLookups for E {}
