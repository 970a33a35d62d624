//! The guard around every request.

use std::task::{Context, Poll};

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    response::Response,
};
use catamaran::guard::{self, Scope};
use tower::{Layer, Service};

/// Guards every request of a router: a blocking call in a handler that should not block is reported with the route, as
/// `GET /agents/{id}`, and so is a handler that does not come to its next `await`. See [`catamaran::guard`].
///
/// ```
/// use axum::{Router, routing::get};
/// use catamaran_axum::GuardLayer;
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(GuardLayer::new());
/// ```
///
/// What streams a response's body after the handler has returned is not part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct GuardLayer(());

/// What [`GuardLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct GuardService<S>(S);

impl GuardLayer {
    /// A layer for [`Router::layer`](axum::Router::layer), which is behind the routing, so that the route is known.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, service: S) -> GuardService<S> {
        guard::installed();
        GuardService(service)
    }
}

impl<S> Service<Request> for GuardService<S>
where
    S: Service<Request, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Scope<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let path = request.extensions().get::<MatchedPath>();
        // A path that no route has may be anything that a client thinks of.
        let route = format!("{} {}", request.method(), path.map_or("(no route)", MatchedPath::as_str));
        guard::scope(route, self.0.call(request))
    }
}
