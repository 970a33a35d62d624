//! Conversations with agents.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use catamaran::{TransactionOptions, prelude::*};
use catamaran_axum::{Db, Result};
use chrono::{DateTime, Utc};
use postgres_types::ToSql;
use serde::{Deserialize, Serialize};

use crate::{AppState, Responder, input, lookups::*};

/// The newest messages, oldest first.
const HISTORY: &str = "
    SELECT newest.id, newest.role::text AS role, newest.content, newest.created_at AS timestamp,
        CASE newest.role WHEN 'assistant' THEN a.name END AS agent_name
    FROM (
        SELECT h.id, h.agent_id, h.role, h.content, h.created_at
        FROM communication.chat_history h
        WHERE h.agent_id = $1
        ORDER BY h.created_at DESC, h.id DESC
        LIMIT $2
    ) newest JOIN agent.agents a ON a.id = newest.agent_id
    ORDER BY newest.created_at, newest.id";
const STORE: &str = "
    INSERT INTO communication.chat_history (agent_id, role, content, model_used, tokens_input, tokens_output)
    VALUES ($1, $2, $3, $4, $5, $6)";

const LONGEST_MESSAGE: usize = 10_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/agents/{id}/history", get(history)).route("/agents/{id}/chat", post(chat))
}

#[derive(Debug, Clone, Copy, ToSql)]
#[allow(dead_code, reason = "the variants are all those of the server's type")]
#[postgres(name = "message_role", rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
    System,
    Tool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default = "Page::default_limit")]
    limit: i64,
}

impl Page {
    fn default_limit() -> i64 {
        50
    }
}

#[derive(FromRow, Serialize)]
struct Message {
    id: i64,
    role: String,
    content: String,
    timestamp: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_name: Option<String>,
}

#[derive(Serialize)]
struct History {
    messages: Vec<Message>,
}

async fn history(Db(db): Db, Path(id): Path<i64>, Query(page): Query<Page>) -> Result<Json<History>> {
    let limit = input::within("limit", page.limit, 1..=500)?;
    db.agent(id).await?;
    let messages = db.fetch_all_as(HISTORY, &[&id, &limit]).await?;
    Ok(Json(History { messages }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    message: String,
}

#[derive(Serialize)]
struct Said {
    content: String,
    agent_id: i64,
    agent_name: String,
    model: Option<String>,
    duration_ms: u64,
    tokens_used: i64,
}

async fn chat(
    Db(db): Db,
    State(responder): State<Arc<dyn Responder>>,
    Path(id): Path<i64>,
    Json(say): Json<Say>,
) -> Result<Json<Said>> {
    input::text("message", &say.message, LONGEST_MESSAGE)?;
    let agent = db.agent(id).await?;
    let begun = Instant::now();
    // Answering may take long: no connection is held meanwhile.
    let answer = responder.answer(&agent, &say.message).await?;
    let duration = begun.elapsed();
    let (none, model) = (None::<i32>, agent.model.as_deref());
    db.transaction(TransactionOptions::new(), async |tx| -> Result<()> {
        tx.execute(STORE, &[&id, &Role::User, &say.message, &None::<&str>, &none, &none]).await?;
        let (read, written) = (answer.tokens_input, answer.tokens_output);
        tx.execute(STORE, &[&id, &Role::Assistant, &answer.content, &model, &read, &written]).await?;
        Ok(())
    })
    .await?;
    Ok(Json(Said {
        agent_id: agent.id,
        agent_name: agent.name,
        model: agent.model,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        tokens_used: i64::from(answer.tokens_input) + i64::from(answer.tokens_output),
        content: answer.content,
    }))
}
