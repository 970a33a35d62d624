use std::time::Duration;

use catamaran::Config;
use gathering::{AppState, app};
use serde_json::{Value, json};

use crate::{
    common::{get, post},
    site::Site,
};

fn check<'a>(body: &'a Value, name: &str) -> &'a Value {
    body["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[tokio::test]
async fn every_check_has_a_status_and_a_message() {
    let site = Site::new();
    let body = get(&site.app, "/health/checks").await.expect(200);
    let names: Vec<_> = body["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert_eq!(json!(names), json!(["API server", "Database", "memory", "disk", "agents", "circles"]));
    assert_eq!(check(&body, "Database"), &json!({ "name": "Database", "status": "healthy", "message": "connected" }));
    assert_eq!(check(&body, "agents")["message"], "5 of 5 active");
    assert_eq!(check(&body, "circles")["message"], "1 of 3 active");
    assert!(["healthy", "warning", "critical"].map(|status| json!(status)).contains(&body["overall_status"]));
}

#[tokio::test]
async fn idle_agents_are_a_warning() {
    let site = Site::new();
    site.database.execute("UPDATE agent.agents SET is_active = false").unwrap();
    let body = get(&site.app, "/health/checks").await.expect(200);
    assert_eq!(
        (&check(&body, "agents")["status"], &check(&body, "circles")["status"]),
        (&json!("warning"), &json!("healthy"))
    );
    assert_ne!(body["overall_status"], "healthy");
}

#[tokio::test]
async fn a_dead_database_is_critical_and_leaks_nothing() {
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = Config::from_url(&format!("postgres://me:hunter2@127.0.0.1:{port}/x")).unwrap();
    let services = catamaran::connect(config.connect_timeout(Duration::from_secs(2))).unwrap();
    let app = app(AppState::new(services.nonblocking(), services.blocking()));

    let body = get(&app, "/health/checks").await.expect(200);
    assert_eq!(body["overall_status"], "critical");
    for (name, message) in [("Database", "not available"), ("agents", "not known without the database")] {
        assert_eq!(check(&body, name), &json!({ "name": name, "status": "critical", "message": message }));
    }
    assert_eq!(check(&body, "API server")["status"], "healthy");
    assert_eq!(get(&app, "/health/live").await.expect(200), json!({ "status": "alive" }));

    // Moved, a plain fn, and a closure.
    let circle = json!({ "name": "x", "display_name": "x" });
    for answer in
        [get(&app, "/config/providers").await, get(&app, "/agents").await, post(&app, "/circles", circle).await]
    {
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.error(503), "temporarily unavailable, try again");
    }
}
