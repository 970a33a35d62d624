use serde_json::{Value, json};

use crate::{
    common::{get, post, send},
    site::Site,
};

#[tokio::test]
async fn all_and_one() {
    let site = Site::new();
    let body = get(&site.app, "/circles").await.expect(200);
    assert_eq!(body["total"], 3);
    let one = get(&site.app, "/circles/engineering").await.expect(200);
    assert_eq!(body["circles"][1], one);
    assert_eq!((&one["status"], &one["member_count"]), (&json!("running"), &json!(3)));
    assert_eq!(one["settings"], json!({ "max_agents": 8, "review": true }));
    assert_eq!(get(&site.app, "/circles/none").await.error(404), "there is no circle none");
}

#[tokio::test]
async fn members_with_roles_and_competencies() {
    let site = Site::new();
    let body = get(&site.app, "/circles/engineering/members").await.expect(200);
    let members: Vec<_> = body["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| (&member["name"], &member["role"], &member["competencies"]))
        .collect();
    assert_eq!(
        json!(members),
        json!([
            ["Ada", "lead", ["architecture", "planning"]],
            ["Grace", "member", ["rust", "sql"]],
            ["Edsger", "reviewer", ["proofs"]],
        ])
    );
    assert_eq!(get(&site.app, "/circles/archive/members").await.expect(200), json!({ "members": [], "total": 0 }));
    get(&site.app, "/circles/none/members").await.error(404);
}

#[tokio::test]
async fn created_with_its_members_or_not_at_all() {
    let site = Site::new();
    let new = |name: &str, members: Value| json!({ "name": name, "display_name": "New", "settings": { "a": [1] }, "members": members });
    let members = json!([{ "agent_id": 1, "role": "lead", "competencies": ["x", "y"] }, { "agent_id": 2 }]);
    let body = post(&site.app, "/circles", new("new", members)).await.expect(201);
    assert_eq!((&body["status"], &body["member_count"]), (&json!("created"), &json!(2)));
    let members = get(&site.app, "/circles/new/members").await.expect(200);
    assert_eq!(members["members"][0]["competencies"], json!(["x", "y"]));
    assert_eq!(members["members"][1]["role"], "member");

    let table = [
        ("new", json!([]), "there is a circle of this name already"),
        ("other", json!([{ "agent_id": 1 }, { "agent_id": 99 }]), "there is no agent 99"),
        ("other", json!([{ "agent_id": 1 }, { "agent_id": 1 }]), "an agent can be a member only once"),
        ("other", json!([{ "agent_id": 1, "role": "king" }]), "unknown variant `king`"),
        ("", json!([]), "name must not be empty"),
        ("other", json!(vec![json!({ "agent_id": 1 }); 101]), "the number of members must be from 0 to 100"),
    ];
    for (name, members, message) in table {
        let error = post(&site.app, "/circles", new(name, members)).await.error(400);
        assert!(error.contains(message), "{error}");
    }
    get(&site.app, "/circles/other").await.error(404);
}

#[tokio::test]
async fn started_and_stopped() {
    let site = Site::new();
    let change = async |path: &str| send(&site.app, "POST", path, None).await;
    let before = get(&site.app, "/circles/research").await.expect(200);
    let started = change("/circles/research/start").await.expect(200);
    assert_eq!(started["status"], "running");
    assert_ne!(started["updated_at"], before["updated_at"]);
    assert_eq!(change("/circles/research/start").await.error(409), "a circle of its status can't be started");
    assert_eq!(change("/circles/research/stop").await.expect(200)["status"], "stopped");
    assert_eq!(change("/circles/research/stop").await.error(409), "a circle of its status can't be stopped");
    change("/circles/archive/start").await.error(409);
    change("/circles/none/start").await.error(404);
    change("/circles/none/stop").await.error(404);
}
