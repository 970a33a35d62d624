//! Agents.

use axum::{Json, Router, http::StatusCode, routing::get};
use catamaran::{Row, prelude::*};
use catamaran_axum::{BlockingDb, Result, blocking};
use serde::{Deserialize, Serialize};

use crate::{AppState, errors::in_body, input, lookups::*};

const AGENTS: &str = "
    SELECT a.id, a.name, a.role, a.persona, a.model_id, m.model_id AS model, a.is_active, a.created_at
    FROM agent.agents a LEFT JOIN agent.models m ON m.id = a.model_id
    ORDER BY a.id";
const CREATE: &str = "
    INSERT INTO agent.agents (name, role, persona, model_id)
    VALUES ($1, $2, $3, $4)
    RETURNING id, name, role, persona, model_id, is_active, created_at";

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/agents", get(blocking(list)).post(create))
}

#[derive(Serialize)]
struct Agents {
    agents: Vec<Row>,
    total: usize,
}

fn list(BlockingDb(db): BlockingDb) -> Result<Json<Agents>> {
    let agents = db.fetch_all(AGENTS, &[])?;
    Ok(Json(Agents { total: agents.len(), agents }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAgent {
    name: String,
    role: String,
    #[serde(default)]
    persona: String,
    model_id: Option<i64>,
}

async fn create(db: BlockingDb, Json(new): Json<NewAgent>) -> Result<(StatusCode, Json<Row>)> {
    input::text("name", &new.name, 100)?;
    input::text("role", &new.role, 100)?;
    let agent = db
        .run(move |db| -> Result<Row> {
            if let Some(model) = new.model_id {
                db.model(model).map_err(in_body)?;
            }
            Ok(db.fetch_one(CREATE, &[&new.name, &new.role, &new.persona, &new.model_id])?)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(agent)))
}
