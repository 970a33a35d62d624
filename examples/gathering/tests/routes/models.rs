use serde_json::{Value, json};

use crate::{
    common::{get, post},
    site::Site,
};

fn names(body: &Value) -> Vec<&str> {
    body["models"].as_array().unwrap().iter().map(|model| model["model_id"].as_str().unwrap()).collect()
}

fn model() -> Value {
    json!({
        "provider_id": 3, "name": "chat", "display_name": "Chat", "model_id": "deepseek-chat",
        "pricing_input": 0.27, "pricing_output": "1.1", "pricing_cache_read": 0.0001,
        "context_window": 64000, "max_output": 8000, "supports_tools": true,
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut model = model();
    model[field] = value;
    model
}

#[tokio::test]
async fn of_a_provider_and_of_all() {
    let site = Site::new();
    let all = get(&site.app, "/config/models").await.expect(200);
    let claude = ["claude-opus-4-5", "claude-sonnet-4", "claude-haiku-3-5"];
    assert_eq!(names(&all), [&claude[..], &["gpt-4o", "gpt-4o-mini", "o1", "o3-mini"]].concat());
    assert_eq!(all["total"], 7);
    let one = get(&site.app, "/config/models?provider_id=1").await.expect(200);
    assert_eq!(names(&one), claude);
    assert_eq!(get(&site.app, "/config/models?provider_id=99").await.expect(200)["total"], 0);
    get(&site.app, "/config/models?provider=1").await.error(400);
    get(&site.app, "/config/models?provider_id=one").await.error(400);
}

#[tokio::test]
async fn the_deprecated_only_if_asked_for() {
    let site = Site::new();
    site.database.execute("UPDATE agent.models SET is_active = false WHERE model_id = 'o1'").unwrap();
    let total =
        async |query: &str| get(&site.app, &format!("/config/models{query}")).await.expect(200)["total"].clone();
    assert_eq!(total("").await, 6);
    assert_eq!(total("?include_deprecated=false").await, 6);
    assert_eq!(total("?include_deprecated=true").await, 7);
    assert_eq!(total("?provider_id=2&include_deprecated=true").await, 4);
}

#[tokio::test]
async fn one_with_exact_prices() {
    let site = Site::new();
    let answer = get(&site.app, "/config/models/3").await;
    assert!(answer.text.contains(r#""pricing_input":0.8000,"pricing_output":4.0000"#), "{}", answer.text);
    let body = answer.expect(200);
    assert_eq!(body["provider"], "anthropic");
    assert_eq!((&body["context_window"], &body["max_output"]), (&json!(200_000), &Value::Null));
    let default = get(&site.app, "/config/models/2").await.expect(200);
    assert_eq!((&default["model_id"], &default["is_default"]), (&json!("claude-sonnet-4"), &json!(true)));
    assert_eq!(get(&site.app, "/config/models/99").await.error(404), "there is no model 99");
}

#[tokio::test]
async fn created_with_exact_prices() {
    let site = Site::new();
    let answer = post(&site.app, "/config/models", model()).await;
    let prices =
        r#""pricing_input":0.2700,"pricing_output":1.1000,"pricing_cache_read":0.0001,"pricing_cache_write":null"#;
    assert!(answer.text.contains(prices), "{}", answer.text);
    let body = answer.expect(201);
    assert_eq!(get(&site.app, &format!("/config/models/{}", body["id"])).await.expect(200), body);
    assert_eq!(get(&site.app, "/config/providers/3").await.expect(200)["model_count"], 1);
    let again = post(&site.app, "/config/models", model()).await;
    assert_eq!(again.error(400), "the provider has a model of this model_id already");
    post(&site.app, "/config/models", with("provider_id", json!(4))).await.expect(201);
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let site = Site::new();
    let table = [
        ("provider_id", json!(99), "there is no provider 99"),
        ("name", json!(""), "name must not be empty"),
        ("model_id", json!("x".repeat(101)), "model_id must have 100 characters at most"),
        ("pricing_input", json!(-0.01), "pricing_input must be from 0 to 999999.9999"),
        ("pricing_output", json!(1_000_000), "pricing_output must be from 0 to 999999.9999"),
        ("pricing_cache_write", json!("cheap"), "pricing_cache_write"),
        ("context_window", json!(0), "context_window must be from 1 to 2147483647"),
        ("context_window", json!(1_u64 << 40), "context_window"),
        ("max_output", json!(-1), "max_output must be from 1 to 2147483647"),
        ("is_default", json!(true), "unknown field `is_default`"),
    ];
    for (field, value, message) in table {
        let error = post(&site.app, "/config/models", with(field, value)).await.error(400);
        assert!(error.contains(message), "{field}: {error}");
    }
    assert_eq!(site.text("SELECT count(*)::text FROM agent.models"), "7");
}
