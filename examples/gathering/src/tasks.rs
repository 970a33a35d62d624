//! Tasks of circles.

use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
use catamaran::{Row, prelude::*};
use catamaran_axum::{BlockingDb, Result, blocking};
use postgres_types::ToSql;
use serde::{Deserialize, Serialize};

use crate::{AppState, errors::in_body, input, lookups::*};

const TASKS: &str = "
    SELECT t.id, t.title, t.description, t.requirements, t.assigned_agent_id, a.name AS assigned_agent, t.status,
        t.priority, t.created_at
    FROM circle.tasks t LEFT JOIN agent.agents a ON a.id = t.assigned_agent_id
    WHERE t.circle_id = $1
    ORDER BY t.priority DESC, t.id";
const CREATE: &str = "
    INSERT INTO circle.tasks (circle_id, title, description, requirements, assigned_agent_id, priority)
    VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING id, title, description, requirements, assigned_agent_id, status, priority, created_at";

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/circles/{name}/tasks", get(blocking(list)).post(create))
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSql)]
#[serde(rename_all = "snake_case")]
#[postgres(name = "task_priority", rename_all = "snake_case")]
enum Priority {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

#[derive(Serialize)]
struct Tasks {
    tasks: Vec<Row>,
    total: usize,
}

fn list(BlockingDb(db): BlockingDb, Path(name): Path<String>) -> Result<Json<Tasks>> {
    let circle = db.circle_id(&name)?;
    let tasks = db.fetch_all(TASKS, &[&circle])?;
    Ok(Json(Tasks { total: tasks.len(), tasks }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTask {
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    requirements: Vec<String>,
    assigned_agent_id: Option<i64>,
    #[serde(default)]
    priority: Priority,
}

async fn create(db: BlockingDb, Path(name): Path<String>, Json(new): Json<NewTask>) -> Result<(StatusCode, Json<Row>)> {
    input::text("title", &new.title, 500)?;
    let task = db
        .run(move |db| -> Result<Row> {
            let circle = db.circle_id(&name)?;
            if let Some(agent) = new.assigned_agent_id {
                db.agent(agent).map_err(in_body)?;
            }
            let NewTask { title, description, requirements, assigned_agent_id, priority } = &new;
            Ok(db.fetch_one(CREATE, &[&circle, title, description, requirements, assigned_agent_id, priority])?)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(task)))
}
