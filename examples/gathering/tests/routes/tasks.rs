use serde_json::{Value, json};

use crate::{
    common::{get, post},
    site::Site,
};

#[tokio::test]
async fn of_a_circle_the_most_urgent_first() {
    let site = Site::new();
    let body = get(&site.app, "/circles/engineering/tasks").await.expect(200);
    let tasks: Vec<_> = body["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| (&task["title"], &task["priority"], &task["status"], &task["assigned_agent"]))
        .collect();
    assert_eq!(
        json!(tasks),
        json!([
            ["Prove it", "critical", "pending", null],
            ["Move the handlers", "high", "in_progress", "Grace"],
            ["Draw the house", "medium", "completed", "Ada"],
        ])
    );
    get(&site.app, "/circles/none/tasks").await.error(404);
}

#[tokio::test]
async fn created() {
    let site = Site::new();
    let new = json!({
        "title": "Measure", "description": "Twice.", "requirements": ["a \"b\"", "", "{c,d}"],
        "assigned_agent_id": 4, "priority": "low",
    });
    let body = post(&site.app, "/circles/research/tasks", new.clone()).await.expect(201);
    for (field, value) in new.as_object().unwrap() {
        assert_eq!(&body[field], value, "{field}");
    }
    assert_eq!(body["status"], "pending");
    let body = post(&site.app, "/circles/research/tasks", json!({ "title": "Cut" })).await.expect(201);
    assert_eq!((&body["priority"], &body["assigned_agent_id"]), (&json!("medium"), &Value::Null));
    assert_eq!(get(&site.app, "/circles/research/tasks").await.expect(200)["total"], 3);
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let site = Site::new();
    let table = [
        (json!({ "title": "" }), "title must not be empty"),
        (json!({ "title": "x".repeat(501) }), "title must have 500 characters at most"),
        (json!({ "title": "x", "assigned_agent_id": 99 }), "there is no agent 99"),
        (json!({ "title": "x", "priority": "urgent" }), "unknown variant `urgent`"),
        (json!({ "title": "x", "status": "completed" }), "unknown field `status`"),
        (json!({ "title": "x", "requirements": "y" }), "invalid type"),
    ];
    for (body, message) in table {
        let error = post(&site.app, "/circles/research/tasks", body).await.error(400);
        assert!(error.contains(message), "{error}");
    }
    post(&site.app, "/circles/none/tasks", json!({ "title": "x" })).await.error(404);
}
