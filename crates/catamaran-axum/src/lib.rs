//! axum extractors and error responses for [`catamaran`].
//!
//! A handler of either kind names the service that it uses in its signature:
//!
//! - [`Db`] gives it the async service.
//! - [`BlockingDb`] gives it the blocking one, in a plain `fn` that [`blocking`] makes a route of, or in an `async fn`
//!   that hands a closure to [`BlockingService::run`].
//!
//! [`GuardLayer`] notices a handler that blocks the runtime.
//!
//! Errors become responses through [`HttpError`], which says nothing of SQL, of values or of the server.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{Json, Router, extract::{FromRef, Path}, routing::get};
//! use catamaran::{AsyncDatabaseService, DatabaseService, Row};
//! use catamaran_axum::{BlockingDb, BlockingService, Db, Result, blocking};
//!
//! // A plain fn: it runs on a thread that may block.
//! fn agents(BlockingDb(db): BlockingDb) -> Result<Json<Vec<Row>>> {
//!     Ok(Json(db.fetch_all("SELECT id, name FROM agents", &[])?))
//! }
//!
//! // An async fn with a closure on such a thread, one connection for the whole of it.
//! async fn circles(db: BlockingDb) -> Result<Json<Vec<Row>>> {
//!     Ok(Json(db.run(|db| db.fetch_all("SELECT id, name FROM circles", &[])).await?))
//! }
//!
//! // Moved.
//! async fn agent(Db(db): Db, Path(id): Path<i64>) -> Result<Json<Row>> {
//!     Ok(Json(db.fetch_one("SELECT id, name FROM agents WHERE id = $1", &[&id]).await?))
//! }
//!
//! #[derive(Clone)]
//! struct AppState {
//!     db: Arc<dyn AsyncDatabaseService>,
//!     blocking_db: BlockingService,
//! }
//!
//! impl FromRef<AppState> for Arc<dyn AsyncDatabaseService> {
//!     fn from_ref(state: &AppState) -> Self {
//!         state.db.clone()
//!     }
//! }
//!
//! impl FromRef<AppState> for BlockingService {
//!     fn from_ref(state: &AppState) -> Self {
//!         state.blocking_db.clone()
//!     }
//! }
//!
//! fn app(db: Arc<dyn AsyncDatabaseService>, blocking_db: Arc<dyn DatabaseService>) -> Router {
//!     Router::new()
//!         .route("/agents", get(blocking(agents)))
//!         .route("/circles", get(circles))
//!         .route("/agents/{id}", get(agent))
//!         .with_state(AppState { db, blocking_db: BlockingService::new(blocking_db) })
//! }
//! ```
//!
//! A test makes the same `app` with a mock in place of either service.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod blocking_db;
mod blocking_service;
mod db;
mod guard_layer;
mod handler;
mod http_error;
mod meaning;

pub use blocking_db::BlockingDb;
pub use blocking_service::BlockingService;
pub use db::Db;
pub use guard_layer::{GuardLayer, GuardService};
pub use handler::{Blocking, blocking};
pub use http_error::{HttpError, Result};
