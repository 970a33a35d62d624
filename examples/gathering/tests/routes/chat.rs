use std::sync::Arc;

use axum::http::StatusCode;
use catamaran::async_trait;
use catamaran_axum::{HttpError, Result};
use gathering::{Answer, Responder, lookups::Agent};
use serde_json::{Value, json};

use crate::{
    common::{get, post},
    site::Site,
};

const STORED: &str = "SELECT count(*)::text FROM communication.chat_history WHERE agent_id = 1";

fn contents(body: &Value) -> Vec<&str> {
    body["messages"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_are_returned_oldest_first() {
    let site = Site::new();
    let body = get(&site.app, "/agents/1/history?limit=3").await.expect(200);
    assert_eq!(contents(&body), ["Answer 599", "Question 600", "Answer 600"]);
    let (asked, answered) = (&body["messages"][1], &body["messages"][2]);
    assert_eq!((&asked["role"], &answered["role"]), (&json!("user"), &json!("assistant")));
    assert_eq!(asked.get("agent_name"), None, "only what the agent said has its name");
    assert_eq!(answered["agent_name"], "Ada");
    assert_eq!(answered["timestamp"], "2026-02-05T09:00:00Z");
    let fields: Vec<_> = answered.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["agent_name", "content", "id", "role", "timestamp"]);
}

#[tokio::test]
async fn fifty_unless_told_otherwise() {
    let site = Site::new();
    let length = async |path: &str| contents(&get(&site.app, path).await.expect(200)).len();
    assert_eq!(length("/agents/1/history").await, 50);
    assert_eq!(length("/agents/1/history?limit=1").await, 1);
    assert_eq!(length("/agents/1/history?limit=500").await, 500);
    assert_eq!(length("/agents/2/history").await, 1);
    assert_eq!(length("/agents/3/history").await, 0);
}

#[tokio::test]
async fn limits_and_agents_have_to_make_sense() {
    let site = Site::new();
    for limit in ["0", "501", "-1"] {
        let error = get(&site.app, &format!("/agents/1/history?limit={limit}")).await.error(400);
        assert_eq!(error, "limit must be from 1 to 500");
    }
    for query in ["limit=many", "limit=", "limit=1&limit=2", "offset=3"] {
        get(&site.app, &format!("/agents/1/history?{query}")).await.error(400);
    }
    assert_eq!(get(&site.app, "/agents/99/history").await.error(404), "there is no agent 99");
    get(&site.app, "/agents/99999999999999999999/history").await.error(400);
}

#[tokio::test]
async fn both_sides_of_a_conversation_are_stored() {
    let site = Site::new();
    let said = post(&site.app, "/agents/1/chat", json!({ "message": "Hello" })).await.expect(200);
    assert_eq!(said["content"], "Ada, architect: I read \"Hello\" and am offline.");
    assert_eq!((&said["agent_id"], &said["agent_name"]), (&json!(1), &json!("Ada")));
    assert_eq!(said["model"], "claude-opus-4-5");
    assert!(said["duration_ms"].is_u64());
    let history = get(&site.app, "/agents/1/history?limit=2").await.expect(200);
    assert_eq!(contents(&history), ["Hello", said["content"].as_str().unwrap()]);
    assert_eq!(history["messages"][0]["timestamp"], history["messages"][1]["timestamp"], "of one transaction");
    let stored = site.text(
        "SELECT concat_ws(' ', role, model_used, tokens_input + tokens_output)
         FROM communication.chat_history ORDER BY id DESC LIMIT 1",
    );
    assert_eq!(stored, format!("assistant claude-opus-4-5 {}", said["tokens_used"]));
}

struct Says(Result<&'static str>);

#[async_trait]
impl Responder for Says {
    async fn answer(&self, _: &Agent, _: &str) -> Result<Answer> {
        self.0.clone().map(|content| Answer { content: content.into(), tokens_input: 1, tokens_output: 2 })
    }
}

#[tokio::test]
async fn half_a_conversation_is_not_stored() {
    let site = Site::new();
    let before = site.text(STORED);
    // The server takes no zero byte, so that the second of the two messages fails.
    let app = site.answering(Arc::new(Says(Ok("a\0b"))));
    post(&app, "/agents/1/chat", json!({ "message": "Hello" })).await.error(400);
    let app = site.answering(Arc::new(Says(Err(HttpError::new(StatusCode::BAD_GATEWAY, "the model is away")))));
    let error = post(&app, "/agents/1/chat", json!({ "message": "Hello" })).await.error(502);
    assert_eq!(error, "the model is away");
    assert_eq!(site.text(STORED), before);
}

#[tokio::test]
async fn a_message_has_to_make_sense() {
    let site = Site::new();
    let before = site.text(STORED);
    let chat = async |body| post(&site.app, "/agents/1/chat", body).await.error(400);
    assert_eq!(chat(json!({ "message": "" })).await, "message must not be empty");
    assert_eq!(chat(json!({ "message": "x".repeat(10_001) })).await, "message must have 10000 characters at most");
    assert!(chat(json!({ "text": "x" })).await.contains("unknown field `text`"));
    post(&site.app, "/agents/99/chat", json!({ "message": "x" })).await.error(404);
    assert_eq!(site.text(STORED), before);
}
