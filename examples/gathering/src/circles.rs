//! Circles of agents.

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use catamaran::{Row, TransactionOptions, prelude::*};
use catamaran_axum::{BlockingDb, HttpError, Result, blocking};
use postgres_types::ToSql;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    AppState,
    errors::{in_body, taken},
    input,
    lookups::*,
};

macro_rules! select_circles {
    ($where:literal) => {
        concat!(
            "
    SELECT c.id, c.name, c.display_name, c.description, c.status, c.settings, c.is_active, c.created_at, c.updated_at,
        (SELECT count(*) FROM circle.members m WHERE m.circle_id = c.id AND m.is_active) AS member_count
    FROM circle.circles c ",
            $where
        )
    };
}

const CIRCLES: &str = select_circles!("ORDER BY c.name");
const CIRCLE: &str = select_circles!("WHERE c.id = $1");
const MEMBERS: &str = "
    SELECT m.agent_id, a.name, m.role, m.competencies, m.is_active, m.joined_at
    FROM circle.members m JOIN agent.agents a ON a.id = m.agent_id
    WHERE m.circle_id = $1
    ORDER BY m.role, m.agent_id";
const CREATE: &str = "
    INSERT INTO circle.circles (name, display_name, description, settings)
    VALUES ($1, $2, $3, $4)
    RETURNING id";
const JOIN: &str = "INSERT INTO circle.members (circle_id, agent_id, role, competencies) VALUES ($1, $2, $3, $4)";
const SET_STATUS: &str = "
    UPDATE circle.circles SET status = $2, updated_at = now()
    WHERE id = $1 AND status = ANY($3)";

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/circles", get(list).post(blocking(create)))
        .route("/circles/{name}", get(blocking(one)))
        .route("/circles/{name}/members", get(members))
        .route("/circles/{name}/start", post(blocking(start)))
        .route("/circles/{name}/stop", post(stop))
}

#[derive(Debug, Clone, Copy, ToSql)]
#[allow(dead_code, reason = "the variants are all those of the server's type")]
#[postgres(name = "circle_status", rename_all = "snake_case")]
enum Status {
    Created,
    Stopped,
    Running,
    Active,
    Paused,
    Archived,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSql)]
#[serde(rename_all = "snake_case")]
#[postgres(name = "member_role", rename_all = "snake_case")]
enum MemberRole {
    Lead,
    #[default]
    Member,
    Specialist,
    Reviewer,
    Observer,
}

#[derive(Serialize)]
struct Circles {
    circles: Vec<Row>,
    total: usize,
}

async fn list(db: BlockingDb) -> Result<Json<Circles>> {
    let circles = db.run(|db| db.fetch_all(CIRCLES, &[])).await?;
    Ok(Json(Circles { total: circles.len(), circles }))
}

fn one(BlockingDb(db): BlockingDb, Path(name): Path<String>) -> Result<Json<Row>> {
    let id = db.circle_id(&name)?;
    Ok(Json(db.fetch_one(CIRCLE, &[&id])?))
}

#[derive(Serialize)]
struct Members {
    members: Vec<Row>,
    total: usize,
}

async fn members(db: BlockingDb, Path(name): Path<String>) -> Result<Json<Members>> {
    let members = db
        .run(move |db| -> Result<Vec<Row>> {
            let id = db.circle_id(&name)?;
            Ok(db.fetch_all(MEMBERS, &[&id])?)
        })
        .await?;
    Ok(Json(Members { total: members.len(), members }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCircle {
    name: String,
    display_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    members: Vec<NewMember>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    agent_id: i64,
    #[serde(default)]
    role: MemberRole,
    #[serde(default)]
    competencies: Vec<String>,
}

fn create(BlockingDb(db): BlockingDb, Json(new): Json<NewCircle>) -> Result<(StatusCode, Json<Row>)> {
    input::text("name", &new.name, 100)?;
    input::text("display_name", &new.display_name, 200)?;
    input::within("the number of members", new.members.len(), 0..=100)?;
    let settings = Value::Object(new.settings);
    let circle = db.transaction(TransactionOptions::new(), |tx| -> Result<Row> {
        let id: i64 = tx
            .fetch_scalar(CREATE, &[&new.name, &new.display_name, &new.description, &settings])
            .map_err(taken("there is a circle of this name already"))?;
        for member in &new.members {
            tx.agent(member.agent_id).map_err(in_body)?;
            tx.execute(JOIN, &[&id, &member.agent_id, &member.role, &member.competencies])
                .map_err(taken("an agent can be a member only once"))?;
        }
        Ok(tx.fetch_one(CIRCLE, &[&id])?)
    })?;
    Ok((StatusCode::CREATED, Json(circle)))
}

fn start(BlockingDb(db): BlockingDb, Path(name): Path<String>) -> Result<Json<Row>> {
    let id = db.circle_id(&name)?;
    let from = [Status::Created, Status::Stopped, Status::Paused].as_slice();
    changed(db.execute(SET_STATUS, &[&id, &Status::Running, &from])?, "started")?;
    Ok(Json(db.fetch_one(CIRCLE, &[&id])?))
}

async fn stop(db: BlockingDb, Path(name): Path<String>) -> Result<Json<Row>> {
    let circle = db
        .run(move |db| -> Result<Row> {
            let id = db.circle_id(&name)?;
            let from = [Status::Running, Status::Active, Status::Paused].as_slice();
            changed(db.execute(SET_STATUS, &[&id, &Status::Stopped, &from])?, "stopped")?;
            Ok(db.fetch_one(CIRCLE, &[&id])?)
        })
        .await?;
    Ok(Json(circle))
}

fn changed(rows: u64, what: &str) -> Result<()> {
    match rows {
        0 => Err(HttpError::new(StatusCode::CONFLICT, format!("a circle of its status can't be {what}"))),
        _ => Ok(()),
    }
}
