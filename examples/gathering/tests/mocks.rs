//! Routes without a database: a mock in place of either service, one line each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod common;

use std::sync::Arc;

use catamaran::{
    Error, ErrorKind,
    mock::{
        MockAsyncDatabaseService, MockAsyncTransaction, MockDatabaseService, MockSession, MockTransaction, Sequence,
        always, fails, param, params, reply, sql,
    },
    row,
};
use chrono::{TimeZone as _, Utc};
use common::{get, post, send};
use gathering::{AppState, app};
use serde_json::json;

fn ada() -> catamaran::Row {
    row! { "id" => 7i64, "name" => "Ada", "role" => "architect", "persona" => "", "model" => "m1" }
}

#[tokio::test]
async fn history_through_the_async_mock() {
    let at = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_optional().with(sql("FROM agent.agents"), params![7i64]).returning(|_, _| reply(Some(ada())));
    db.expect_fetch_all().with(sql("FROM communication.chat_history"), params![7i64, 2i64]).returning(move |_, _| {
        reply(vec![
            row! { "id" => 1i64, "role" => "user", "content" => "hi", "timestamp" => at, "agent_name" => None::<&str> },
            row! { "id" => 2i64, "role" => "assistant", "content" => "ho", "timestamp" => at, "agent_name" => "Ada" },
        ])
    });
    let app = app(AppState::with(Arc::new(db)));
    let body = get(&app, "/agents/7/history?limit=2").await.expect(200);
    assert_eq!(
        body["messages"],
        json!([
            { "id": 1, "role": "user", "content": "hi", "timestamp": "2026-01-02T03:04:05Z" },
            { "id": 2, "role": "assistant", "content": "ho", "timestamp": "2026-01-02T03:04:05Z", "agent_name": "Ada" },
        ])
    );
}

#[tokio::test]
async fn chat_stores_both_messages_in_one_transaction() {
    let mut order = Sequence::new();
    let mut tx = MockAsyncTransaction::new();
    for role in ["User", "Assistant"] {
        tx.expect_execute()
            .withf(move |sql, params| sql.contains("INSERT") && format!("{params:?}").contains(role))
            .times(1)
            .in_sequence(&mut order)
            .returning(|_, _| reply(1));
    }
    tx.expect_commit().times(1).in_sequence(&mut order).returning(|| reply(()));
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_optional().returning(|_, _| reply(Some(ada())));
    db.expect_begin().return_once(|_| reply(tx));
    let app = app(AppState::with(Arc::new(db)));
    let said = post(&app, "/agents/7/chat", json!({ "message": "hi" })).await.expect(200);
    assert_eq!((&said["agent_name"], &said["model"]), (&json!("Ada"), &json!("m1")));
}

#[tokio::test]
async fn health_is_200_with_a_healthy_database() {
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_one().with(sql("SELECT 1"), params![]).times(1).returning(|_, _| reply(row! { "one" => 1i32 }));
    db.expect_fetch_one().returning(|_, _| reply(row! { "total" => 3i64, "active" => 2i64 }));
    let app = app(AppState::with(Arc::new(db)));
    let body = get(&app, "/health/checks").await.expect(200);
    assert_eq!(body["checks"][1], json!({ "name": "Database", "status": "healthy", "message": "connected" }));
    assert_eq!(body["checks"][4]["message"], "2 of 3 active");
}

#[tokio::test]
async fn what_moved_routes_are_given_is_the_async_service() {
    let mut db = MockAsyncDatabaseService::new();
    db.expect_fetch_all().returning(|_, _| reply(vec![row! { "id" => 1i64, "name" => "x" }]));
    let app = app(AppState::with(Arc::new(db)));
    let body = get(&app, "/config/providers").await.expect(200);
    assert_eq!(body, json!({ "providers": [{ "id": 1, "name": "x" }], "total": 1 }));
    for path in ["/agents", "/circles"] {
        assert_eq!(get(&app, path).await.error(500), "internal error", "{path} has no service to use");
    }
}

#[tokio::test]
async fn what_the_others_are_given_is_the_blocking_one() {
    let mut db = MockDatabaseService::new();
    db.expect_fetch_all().with(sql("FROM agent.agents"), params![]).returning(|_, _| Ok(vec![row! { "id" => 1i64 }]));
    db.expect_session().returning(|| {
        let mut session = MockSession::new();
        session.expect_fetch_all().with(sql("FROM circle.circles"), params![]).returning(|_, _| Ok(Vec::new()));
        Ok(session)
    });
    let app = app(AppState::with_blocking(Arc::new(db)));
    assert_eq!(get(&app, "/agents").await.expect(200), json!({ "agents": [{ "id": 1 }], "total": 1 }));
    assert_eq!(get(&app, "/circles").await.expect(200), json!({ "circles": [], "total": 0 }));
    assert_eq!(get(&app, "/config/providers").await.error(500), "internal error");
}

#[tokio::test]
async fn a_closure_has_one_connection_for_its_helpers_and_itself() {
    let mut db = MockDatabaseService::new();
    db.expect_session().times(1).returning(|| {
        let mut session = MockSession::new();
        session
            .expect_fetch_optional()
            .with(sql("FROM circle.circles WHERE name"), params!["x"])
            .returning(|_, _| Ok(Some(row! { "id" => 5i64 })));
        session.expect_fetch_optional().with(sql("FROM agent.agents"), params![7i64]).returning(|_, _| Ok(Some(ada())));
        session
            .expect_fetch_one()
            .with(sql("INSERT INTO circle.tasks"), param(0, |circle: i64| circle == 5))
            .returning(|_, _| Ok(row! { "id" => 1i64 }));
        Ok(session)
    });
    let app = app(AppState::with_blocking(Arc::new(db)));
    let task = json!({ "title": "T", "assigned_agent_id": 7 });
    assert_eq!(post(&app, "/circles/x/tasks", task).await.expect(201), json!({ "id": 1 }));
}

#[tokio::test]
async fn a_serialization_failure_is_run_again() {
    let mut db = MockDatabaseService::new();
    let mut attempts = 0;
    db.expect_begin().times(2).returning(move |_| {
        attempts += 1;
        let mut tx = MockTransaction::new();
        match attempts {
            1 => {
                tx.expect_fetch_one().returning(|_, _| Err(Error::server("40001", "could not serialize access")));
                tx.expect_rollback().returning(|| Ok(()));
            }
            _ => {
                tx.expect_fetch_one().returning(|_, _| Ok(row! { "id" => 1i64 }));
                tx.expect_commit().times(1).returning(|| Ok(()));
            }
        }
        Ok(tx)
    });
    let app = app(AppState::with_blocking(Arc::new(db)));
    post(&app, "/circles", json!({ "name": "x", "display_name": "x" })).await.expect(201);
}

#[tokio::test]
async fn what_can_go_wrong_has_its_status() {
    let table = [
        (Error::new(ErrorKind::PoolTimeout, "saturated"), 503, true),
        (Error::new(ErrorKind::ConnectionLost, "gone"), 503, false),
        (Error::server("42P01", "relation \"secret\" does not exist"), 500, false),
        (Error::new(ErrorKind::Decode, "column \"secret\""), 500, false),
    ];
    for (error, status, again) in table {
        let mut blocking = MockDatabaseService::new();
        let same = error.clone();
        blocking.expect_execute().with(sql("DELETE"), always()).return_once(|_, _| Err(same));
        let mut nonblocking = MockAsyncDatabaseService::new();
        nonblocking.expect_fetch_all().return_once(|_, _| fails(error));
        let app = app(AppState::new(Arc::new(nonblocking), Arc::new(blocking)));
        for answer in [get(&app, "/config/providers").await, send(&app, "DELETE", "/config/providers/1", None).await] {
            assert_eq!(answer.headers.contains_key("retry-after"), again);
            assert!(!answer.error(status).contains("secret"));
        }
    }
}
