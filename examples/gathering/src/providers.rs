//! Providers of models.

use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
use catamaran::{Row, prelude::*};
use catamaran_axum::{BlockingDb, Db, Result, blocking};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    AppState,
    errors::{not_found, taken},
    input,
    lookups::*,
};

macro_rules! select_providers {
    ($where:literal) => {
        concat!(
            "
    SELECT p.id, p.name, p.display_name, p.api_base_url, p.is_local, p.config, p.created_at,
        (SELECT count(*) FROM agent.models m WHERE m.provider_id = p.id) AS model_count
    FROM agent.providers p ",
            $where
        )
    };
}

const PROVIDERS: &str = select_providers!("ORDER BY p.id");
pub(crate) const PROVIDER: &str = select_providers!("WHERE p.id = $1");
const CREATE: &str = "
    INSERT INTO agent.providers (name, display_name, api_base_url, is_local, config)
    VALUES ($1, $2, $3, $4, $5)
    RETURNING id";
const DELETE: &str = "DELETE FROM agent.providers WHERE id = $1";

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/config/providers", get(list).post(create))
        .route("/config/providers/{id}", get(one).delete(blocking(delete)))
}

#[derive(Serialize)]
struct Providers {
    providers: Vec<Row>,
    total: usize,
}

async fn list(Db(db): Db) -> Result<Json<Providers>> {
    let providers = db.fetch_all(PROVIDERS, &[]).await?;
    Ok(Json(Providers { total: providers.len(), providers }))
}

async fn one(Db(db): Db, Path(id): Path<i64>) -> Result<Json<Row>> {
    Ok(Json(db.provider(id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProvider {
    name: String,
    display_name: String,
    api_base_url: Option<String>,
    #[serde(default)]
    is_local: bool,
    #[serde(default)]
    config: Map<String, Value>,
}

async fn create(db: BlockingDb, Json(new): Json<NewProvider>) -> Result<(StatusCode, Json<Row>)> {
    input::text("name", &new.name, 50)?;
    input::text("display_name", &new.display_name, 100)?;
    let provider = db
        .run(move |db| -> Result<Row> {
            let NewProvider { name, display_name, api_base_url, is_local, config } = new;
            let config = Value::Object(config);
            let id = db
                .fetch_scalar(CREATE, &[&name, &display_name, &api_base_url, &is_local, &config])
                .map_err(taken("there is a provider of this name already"))?;
            db.provider(id)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(provider)))
}

fn delete(BlockingDb(db): BlockingDb, Path(id): Path<i64>) -> Result<StatusCode> {
    match db.execute(DELETE, &[&id])? {
        0 => Err(not_found(format!("there is no provider {id}"))),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
