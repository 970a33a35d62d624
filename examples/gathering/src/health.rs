//! How the service is.

use std::time::Duration;

use axum::{Json, Router, routing::get};
use catamaran::{Error, ErrorKind, Row, prelude::*};
use catamaran_axum::Db;
use serde::Serialize;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    AppState,
    machine::{self, Free},
};

const AGENTS: &str = "SELECT count(*) AS total, count(*) FILTER (WHERE is_active) AS active FROM agent.agents";
const CIRCLES: &str = "
    SELECT count(*) AS total, count(*) FILTER (WHERE status IN ('running', 'active')) AS active
    FROM circle.circles";

/// How long a check may wait for the database.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/health/live", get(live)).route("/health/checks", get(checks))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Healthy,
    Warning,
    Critical,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
}

#[derive(Serialize)]
struct Health {
    overall_status: Status,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

async fn live() -> Json<Live> {
    Json(Live { status: "alive" })
}

async fn checks(Db(db): Db) -> Json<Health> {
    let database = in_time(db.fetch_one("SELECT 1", &[])).await;
    let (agents, circles) = match &database {
        Ok(_) => (in_time(db.fetch_one(AGENTS, &[])).await, in_time(db.fetch_one(CIRCLES, &[])).await),
        Err(error) => (Err(error.clone()), Err(error.clone())),
    };
    let (memory, disk) = spawn_blocking(|| (machine::memory(), machine::disk())).await.unwrap_or_default();
    let checks = vec![
        Check { name: "API server", status: Status::Healthy, message: "answering".into() },
        of_database(database),
        of_space("memory", memory),
        of_space("disk", disk),
        of_count("agents", agents),
        of_count("circles", circles),
    ];
    let overall_status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Healthy);
    Json(Health { overall_status, checks })
}

async fn in_time(answer: impl Future<Output = catamaran::Result<Row>>) -> catamaran::Result<Row> {
    timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, format!("no answer within {PATIENCE:?}"))))
}

fn of_database(answer: catamaran::Result<Row>) -> Check {
    let (status, message) = match answer {
        Ok(_) => (Status::Healthy, "connected"),
        Err(error) => {
            tracing::error!(kind = ?error.kind(), sqlstate = error.sqlstate(), "{error}");
            (Status::Critical, "not available")
        }
    };
    Check { name: "Database", status, message: message.into() }
}

fn of_space(name: &'static str, space: Option<Free>) -> Check {
    let Some(space) = space else {
        return Check { name, status: Status::Healthy, message: "not known on this system".into() };
    };
    let status = match space.percent() {
        0..5 => Status::Critical,
        5..10 => Status::Warning,
        _ => Status::Healthy,
    };
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let message = format!("{} % free: {} of {} MiB", space.percent(), mib(space.free), mib(space.total));
    Check { name, status, message }
}

fn of_count(name: &'static str, counts: catamaran::Result<Row>) -> Check {
    let counts = counts.and_then(|row| Ok((row.get::<i64>("total")?, row.get::<i64>("active")?)));
    let (status, message) = match counts {
        Ok((total, active)) if active > 0 => (Status::Healthy, format!("{active} of {total} active")),
        Ok((total, _)) => (Status::Warning, format!("none of {total} active")),
        Err(_) => (Status::Critical, "not known without the database".into()),
    };
    Check { name, status, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worst_is_the_greatest() {
        assert!(Status::Healthy < Status::Warning && Status::Warning < Status::Critical);
    }

    #[test]
    fn little_space_is_a_warning_and_then_critical() {
        let status = |free| of_space("disk", Some(Free { free, total: 100 })).status;
        assert_eq!([4, 5, 9, 10].map(status), [Status::Critical, Status::Warning, Status::Warning, Status::Healthy]);
        assert_eq!(of_space("disk", None).status, Status::Healthy);
    }
}
