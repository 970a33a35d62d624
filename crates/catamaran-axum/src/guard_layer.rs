//! The guard around every request, and around the body of its response.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    Error,
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request},
    response::Response,
};
use catamaran::guard::{self, Scope};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
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
/// What streams a response's body after the handler has returned is part of it.
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
    type Future = Guarded<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let path = request.extensions().get::<MatchedPath>();
        // A path that no route has may be anything that a client thinks of.
        let route = format!("{} {}", request.method(), path.map_or("(no route)", MatchedPath::as_str));
        let route = Arc::<str>::from(route);
        Guarded { scope: guard::scope(route.clone(), self.0.call(request)), route }
    }
}

pin_project! {
    /// The response of a [`GuardService`].
    pub struct Guarded<F> {
        #[pin]
        scope: Scope<F>,
        route: Arc<str>,
    }
}

impl<F, E> Future for Guarded<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.scope.poll(cx))?;
        let whole = response.body().size_hint().exact().is_some();
        // What is there as a whole is not made while it is sent.
        Poll::Ready(Ok(if whole { response } else { response.map(|body| GuardedBody::wrap(body, this.route)) }))
    }
}

impl<F> std::fmt::Debug for Guarded<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").field("route", &self.route).finish_non_exhaustive()
    }
}

/// A body that is guarded while it is made.
struct GuardedBody {
    body: Body,
    route: Arc<str>,
}

impl GuardedBody {
    fn wrap(body: Body, route: &Arc<str>) -> Body {
        Body::new(Self { body, route: route.clone() })
    }
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Self { body, route } = &mut *self;
        guard::enter(route, || Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
