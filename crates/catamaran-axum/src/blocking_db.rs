//! The blocking service, as a handler's argument.

use std::{convert::Infallible, ops::Deref};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use crate::BlockingService;

/// The blocking service of the application's state, which has to give a [`BlockingService`] by [`FromRef`].
///
/// In a plain `fn`, see [`blocking`](crate::blocking()), it is called directly; in an `async fn`, through
/// [`run`](BlockingService::run).
///
/// # Blocking
///
/// Every method but `run` blocks its thread; none may be called on a thread that drives futures.
#[derive(Debug, Clone)]
pub struct BlockingDb(pub BlockingService);

impl Deref for BlockingDb {
    type Target = BlockingService;

    fn deref(&self) -> &BlockingService {
        &self.0
    }
}

impl<S> FromRequestParts<S> for BlockingDb
where
    BlockingService: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(FromRef::from_ref(state)))
    }
}
