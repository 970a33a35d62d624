//! A service that moves its routes from the blocking to the async database service, one at a time.
//!
//! Run with `cargo run -p gathering --bin demo`, which needs no database, or see `gathering --help`.
//!
//! Each file has the routes of one area: those that were moved, which take [`Db`](catamaran_axum::Db), beside those that
//! were not, which take [`BlockingDb`](catamaran_axum::BlockingDb). The SQL, the parameters and the helpers in
//! [`lookups`] are the same for both, so that moving a route changes its extractor, what is around it and `.await`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod absent;
mod agents;
mod args;
mod chat;
mod circles;
mod errors;
mod health;
mod input;
pub mod lookups;
mod machine;
mod migrator;
mod models;
mod providers;
mod responder;
mod schema;
mod server;
mod state;
mod tasks;

use axum::{Router, middleware};
use catamaran_axum::GuardLayer;

pub use args::Args;
pub use responder::{Answer, Offline, Responder};
pub use schema::{migrate, schema_version, seed};
pub use server::serve;
pub use state::AppState;

/// All routes, guarded: one that blocks the runtime is reported.
pub fn app(state: AppState) -> Router {
    Router::new()
        .merge(providers::routes())
        .merge(models::routes())
        .merge(agents::routes())
        .merge(chat::routes())
        .merge(circles::routes())
        .merge(tasks::routes())
        .merge(health::routes())
        .layer(middleware::map_response(errors::as_json))
        .layer(GuardLayer::new())
        .with_state(state)
}
