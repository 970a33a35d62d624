use serde_json::json;

use crate::{
    common::{get, post, send},
    site::Site,
};

#[tokio::test]
async fn all_with_the_number_of_their_models() {
    let site = Site::new();
    let body = get(&site.app, "/config/providers").await.expect(200);
    assert_eq!(body["total"], 8);
    let providers = body["providers"].as_array().unwrap();
    let counts: Vec<_> =
        providers.iter().map(|provider| (provider["name"].as_str().unwrap(), &provider["model_count"])).collect();
    let none = [("deepseek", &json!(0)), ("mistral", &json!(0)), ("google", &json!(0)), ("groq", &json!(0))];
    assert_eq!(counts[..2], [("anthropic", &json!(3)), ("openai", &json!(4))]);
    assert_eq!(counts[2..6], none);
    assert_eq!(counts[6..], [("together", &json!(0)), ("ollama", &json!(0))]);
    assert_eq!(providers[7]["is_local"], true);
    assert_eq!(providers[7]["api_base_url"], "http://localhost:11434");
    assert!(providers[..7].iter().all(|provider| provider["is_local"] == false));
}

#[tokio::test]
async fn one() {
    let site = Site::new();
    let body = get(&site.app, "/config/providers/1").await.expect(200);
    assert_eq!((&body["name"], &body["model_count"], &body["config"]), (&json!("anthropic"), &json!(3), &json!({})));
    assert!(body["created_at"].as_str().unwrap().ends_with("+00:00"), "{body}");
    assert_eq!(get(&site.app, "/config/providers/99").await.error(404), "there is no provider 99");
    assert!(get(&site.app, "/config/providers/x").await.error(400).contains("`x`"));
}

#[tokio::test]
async fn created_and_deleted() {
    let site = Site::new();
    let new = json!({
        "name": "local", "display_name": "Local", "api_base_url": "http://localhost:8080", "is_local": true,
        "config": { "headers": ["a", { "b": null }], "timeout": 2.5 },
    });
    let created = post(&site.app, "/config/providers", new.clone()).await.expect(201);
    for (field, value) in new.as_object().unwrap() {
        assert_eq!(&created[field], value, "{field}");
    }
    let path = format!("/config/providers/{}", created["id"]);
    assert_eq!(get(&site.app, &path).await.expect(200), created);
    assert_eq!(send(&site.app, "DELETE", &path, None).await.status, 204);
    send(&site.app, "DELETE", &path, None).await.error(404);
    get(&site.app, &path).await.error(404);
}

#[tokio::test]
async fn models_go_with_their_provider_unless_an_agent_uses_them() {
    let site = Site::new();
    site.database.execute("UPDATE agent.agents SET model_id = NULL WHERE model_id > 3").unwrap();
    assert_eq!(send(&site.app, "DELETE", "/config/providers/2", None).await.status, 204);
    assert_eq!(get(&site.app, "/config/models").await.expect(200)["total"], 3);
    send(&site.app, "DELETE", "/config/providers/1", None).await.error(409);
    assert_eq!(get(&site.app, "/config/models").await.expect(200)["total"], 3);
}

#[tokio::test]
async fn a_name_is_taken_in_whatever_case() {
    let site = Site::new();
    for name in ["anthropic", "Anthropic", "ANTHROPIC"] {
        let answer = post(&site.app, "/config/providers", json!({ "name": name, "display_name": "A" })).await;
        assert_eq!(answer.error(400), "there is a provider of this name already");
    }
    assert_eq!(site.text("SELECT count(*)::text FROM agent.providers"), "8");
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let site = Site::new();
    let table = [
        (json!({ "name": "", "display_name": "A" }), "name must not be empty"),
        (json!({ "name": "x".repeat(51), "display_name": "A" }), "name must have 50 characters at most"),
        (json!({ "name": "x", "display_name": " " }), "display_name must not be empty"),
        (json!({ "name": "x", "display_name": "A", "colour": 1 }), "unknown field `colour`"),
        (json!({ "name": "x" }), "missing field `display_name`"),
        (json!({ "name": "x", "display_name": "A", "config": [] }), "expected a map"),
        (json!({ "name": "a\0b", "display_name": "A" }), "a value was not accepted"),
    ];
    for (body, message) in table {
        let error = post(&site.app, "/config/providers", body).await.error(400);
        assert!(error.contains(message), "{error}");
    }
    assert_eq!(site.text("SELECT count(*)::text FROM agent.providers"), "8");
}

#[tokio::test]
async fn what_axum_refuses_is_json_too() {
    let site = Site::new();
    assert_eq!(get(&site.app, "/nothing").await.error(404), "not found");
    let answer = send(&site.app, "PUT", "/config/providers", None).await;
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    assert_eq!(answer.error(405), "method not allowed");
    assert!(send(&site.app, "POST", "/config/providers", None).await.error(400).contains("JSON"));
}
