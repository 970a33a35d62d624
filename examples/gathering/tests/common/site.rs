//! The application over a database of its own, migrated and seeded.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{sync::Arc, thread};

use axum::Router;
use catamaran::{Config, Services, guard};
use catamaran_testkit::Database;
use gathering::{AppState, Responder, app, migrate, schema_version, seed};
use tokio::runtime::Builder;

pub struct Site {
    pub app: Router,
    pub services: Services,
    // After the pools, whose connections it would end.
    pub database: Database,
}

impl Site {
    pub fn new() -> Self {
        Self::with_pools_of(4)
    }

    pub fn with_pools_of(size: u32) -> Self {
        let database = database();
        let config = Config::from_url(&database.url()).unwrap().max_size(size);
        let services = catamaran::connect(config).unwrap();
        let app = app(state(&services));
        Self { app, services, database }
    }

    /// The same over the same services with something else to answer for agents.
    pub fn answering(&self, responder: Arc<dyn Responder>) -> Router {
        app(state(&self.services).responder(responder))
    }

    /// The first column of a query's one row, as text.
    pub fn text(&self, query: &str) -> String {
        let mut rows = self.database.texts(query).unwrap();
        assert_eq!(rows.len(), 1, "{query}");
        rows.remove(0).unwrap_or_default()
    }
}

fn state(services: &Services) -> AppState {
    AppState::new(services.nonblocking(), services.blocking())
}

/// No route blocks the runtime, whatever was asked of it.
impl Drop for Site {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_eq!(guard::report().calls, []);
        }
    }
}

/// A copy of a database that is migrated and seeded once per server.
pub fn database() -> Database {
    let server = catamaran_testkit::shared().unwrap();
    let template = server.template(&format!("gathering_{:016x}", schema_version()), |url| {
        let config = Config::from_url(url).unwrap();
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            migrate(&config).await?;
            seed(&config).await
        })
    });
    template.unwrap().database().unwrap()
}
