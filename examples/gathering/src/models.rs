//! Models of providers, and what they cost.

use axum::{
    Json, Router,
    extract::{Path, Query},
    http::StatusCode,
    routing::get,
};
use catamaran::{Row, prelude::*};
use catamaran_axum::{BlockingDb, Result, blocking};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    AppState,
    errors::{in_body, taken},
    input,
    lookups::*,
};

macro_rules! select_models {
    ($where:literal) => {
        concat!(
            "
    SELECT m.id, m.provider_id, p.name AS provider, m.name, m.display_name, m.model_id,
        m.pricing_input, m.pricing_output, m.pricing_cache_read, m.pricing_cache_write,
        m.context_window, m.max_output,
        m.supports_vision, m.supports_tools, m.supports_streaming, m.supports_extended_thinking,
        m.is_active, m.is_default, m.created_at
    FROM agent.models m JOIN agent.providers p ON p.id = m.provider_id ",
            $where
        )
    };
}

const MODELS: &str =
    select_models!("WHERE ($1::bigint IS NULL OR m.provider_id = $1) AND ($2 OR m.is_active) ORDER BY m.id");
pub(crate) const MODEL: &str = select_models!("WHERE m.id = $1");
const CREATE: &str = "
    INSERT INTO agent.models (provider_id, name, display_name, model_id,
        pricing_input, pricing_output, pricing_cache_read, pricing_cache_write, context_window, max_output,
        supports_vision, supports_tools, supports_streaming, supports_extended_thinking)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    RETURNING id";

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/config/models", get(blocking(list)).post(create))
        .route("/config/models/{id}", get(blocking(one)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    provider_id: Option<i64>,
    #[serde(default)]
    include_deprecated: bool,
}

#[derive(Serialize)]
struct Models {
    models: Vec<Row>,
    total: usize,
}

fn list(BlockingDb(db): BlockingDb, Query(filter): Query<Filter>) -> Result<Json<Models>> {
    let models = db.fetch_all(MODELS, &[&filter.provider_id, &filter.include_deprecated])?;
    Ok(Json(Models { total: models.len(), models }))
}

fn one(BlockingDb(db): BlockingDb, Path(id): Path<i64>) -> Result<Json<Row>> {
    Ok(Json(db.model(id)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewModel {
    provider_id: i64,
    name: String,
    display_name: String,
    model_id: String,
    pricing_input: Decimal,
    pricing_output: Decimal,
    pricing_cache_read: Option<Decimal>,
    pricing_cache_write: Option<Decimal>,
    context_window: i32,
    max_output: Option<i32>,
    #[serde(default)]
    supports_vision: bool,
    #[serde(default)]
    supports_tools: bool,
    #[serde(default)]
    supports_streaming: bool,
    #[serde(default)]
    supports_extended_thinking: bool,
}

impl NewModel {
    /// What numeric(10,4) holds, US dollars per million tokens.
    const HIGHEST_PRICE: Decimal = Decimal::from_parts(1_410_065_407, 2, 0, false, 4);

    fn check(&self) -> Result<()> {
        input::text("name", &self.name, 100)?;
        input::text("display_name", &self.display_name, 100)?;
        input::text("model_id", &self.model_id, 100)?;
        let prices = [
            ("pricing_input", Some(self.pricing_input)),
            ("pricing_output", Some(self.pricing_output)),
            ("pricing_cache_read", self.pricing_cache_read),
            ("pricing_cache_write", self.pricing_cache_write),
        ];
        for (field, price) in prices {
            input::within(field, price.unwrap_or_default(), Decimal::ZERO..=Self::HIGHEST_PRICE)?;
        }
        input::within("context_window", self.context_window, 1..=i32::MAX)?;
        input::within("max_output", self.max_output.unwrap_or(1), 1..=i32::MAX)?;
        Ok(())
    }
}

async fn create(db: BlockingDb, Json(new): Json<NewModel>) -> Result<(StatusCode, Json<Row>)> {
    new.check()?;
    let model = db
        .run(move |db| -> Result<Row> {
            db.provider(new.provider_id).map_err(in_body)?;
            let id = db
                .fetch_scalar(
                    CREATE,
                    &[
                        &new.provider_id,
                        &new.name,
                        &new.display_name,
                        &new.model_id,
                        &new.pricing_input,
                        &new.pricing_output,
                        &new.pricing_cache_read,
                        &new.pricing_cache_write,
                        &new.context_window,
                        &new.max_output,
                        &new.supports_vision,
                        &new.supports_tools,
                        &new.supports_streaming,
                        &new.supports_extended_thinking,
                    ],
                )
                .map_err(taken("the provider has a model of this model_id already"))?;
            db.model(id)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_price_is_what_the_column_holds() {
        assert_eq!(NewModel::HIGHEST_PRICE.to_string(), "999999.9999");
    }
}
