//! What handlers are given.

use std::{fmt, sync::Arc};

use axum::extract::FromRef;
use catamaran::{AsyncDatabaseService, DatabaseService};
use catamaran_axum::BlockingService;

use crate::{Offline, Responder, absent::Absent};

/// The application's state: both services and what answers for agents.
#[derive(Clone)]
pub struct AppState {
    db: Arc<dyn AsyncDatabaseService>,
    blocking_db: BlockingService,
    responder: Arc<dyn Responder>,
}

impl AppState {
    /// A state with both services, whose agents answer offline.
    pub fn new(db: Arc<dyn AsyncDatabaseService>, blocking_db: Arc<dyn DatabaseService>) -> Self {
        Self { db, blocking_db: BlockingService::new(blocking_db), responder: Arc::new(Offline) }
    }

    /// A state with an async service only. Calls to the blocking one fail with `Config`.
    pub fn with(db: Arc<dyn AsyncDatabaseService>) -> Self {
        Self::new(db, Arc::new(Absent))
    }

    /// A state with a blocking service only. Calls to the async one fail with `Config`.
    pub fn with_blocking(db: Arc<dyn DatabaseService>) -> Self {
        Self::new(Arc::new(Absent), db)
    }

    /// Replaces what answers for agents.
    #[must_use]
    pub fn responder(mut self, responder: Arc<dyn Responder>) -> Self {
        self.responder = responder;
        self
    }
}

impl FromRef<AppState> for Arc<dyn AsyncDatabaseService> {
    fn from_ref(state: &AppState) -> Self {
        state.db.clone()
    }
}

impl FromRef<AppState> for BlockingService {
    fn from_ref(state: &AppState) -> Self {
        state.blocking_db.clone()
    }
}

impl FromRef<AppState> for Arc<dyn Responder> {
    fn from_ref(state: &AppState) -> Self {
        state.responder.clone()
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState")
            .field("db", &self.db.status())
            .field("blocking_db", &self.blocking_db)
            .finish_non_exhaustive()
    }
}
