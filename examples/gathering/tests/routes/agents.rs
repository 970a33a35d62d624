use serde_json::{Value, json};

use crate::{
    common::{get, post},
    site::Site,
};

#[tokio::test]
async fn all_with_their_models() {
    let site = Site::new();
    let body = get(&site.app, "/agents").await.expect(200);
    assert_eq!(body["total"], 5);
    let ada = &body["agents"][0];
    assert_eq!(
        (&ada["name"], &ada["model"], &ada["is_active"]),
        (&json!("Ada"), &json!("claude-opus-4-5"), &json!(true))
    );
}

#[tokio::test]
async fn created_with_a_model_and_without() {
    let site = Site::new();
    let new = json!({ "name": "Barbara", "role": "designer", "persona": "Abstracts.", "model_id": 2 });
    let body = post(&site.app, "/agents", new.clone()).await.expect(201);
    for (field, value) in new.as_object().unwrap() {
        assert_eq!(&body[field], value, "{field}");
    }
    let body = post(&site.app, "/agents", json!({ "name": "Tony", "role": "tester" })).await.expect(201);
    assert_eq!((&body["persona"], &body["model_id"]), (&json!(""), &Value::Null));
    assert_eq!(get(&site.app, "/agents").await.expect(200)["total"], 7);
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let site = Site::new();
    let table = [
        (json!({ "name": "A", "role": "r", "model_id": 99 }), "there is no model 99"),
        (json!({ "name": "", "role": "r" }), "name must not be empty"),
        (json!({ "name": "A", "role": "" }), "role must not be empty"),
        (json!({ "name": "A", "role": "r", "id": 1 }), "unknown field `id`"),
        (json!({ "name": 7, "role": "r" }), "invalid type"),
    ];
    for (body, message) in table {
        let error = post(&site.app, "/agents", body).await.error(400);
        assert!(error.contains(message), "{error}");
    }
}
