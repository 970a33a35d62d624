//! A plain `fn` as a route.

use std::{any::type_name, fmt, pin::Pin};

use axum::{
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    handler::Handler,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{BlockingService, HttpError};

/// A plain `fn` that runs on a blocking thread. Made by [`blocking`].
#[derive(Clone, Copy)]
pub struct Blocking<F>(F);

/// Makes a route of a plain `fn`, of up to twelve extractors, of which the last may take the request's body.
///
/// The extractors run as they do for an `async fn`. Then the request waits, without a thread, for one of the permits of
/// the state's [`BlockingService`], and the `fn` runs on a blocking thread. What it returns is made a response there.
/// If it panics, the response is a 500. A request that is given up while it waits leaves the queue; later, the `fn` runs
/// to its end.
///
/// ```
/// use axum::{Json, Router, extract::Path, routing::get};
/// use catamaran::Row;
/// use catamaran_axum::{BlockingDb, BlockingService, Result, blocking};
///
/// fn history(BlockingDb(db): BlockingDb, Path(id): Path<i64>) -> Result<Json<Vec<Row>>> {
///     Ok(Json(db.fetch_all("SELECT role, content FROM chat_history WHERE agent_id = $1", &[&id])?))
/// }
///
/// let routes: Router<BlockingService> = Router::new().route("/agents/{id}/history", get(blocking(history)));
/// ```
pub fn blocking<F>(handler: F) -> Blocking<F> {
    Blocking(handler)
}

/// Runs what is left of a handler once its arguments are there.
async fn respond(
    service: BlockingService,
    name: &'static str,
    call: impl FnOnce() -> Response + Send + 'static,
) -> Response {
    match service.offloaded().admit(call).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            // What the panic said may hold values; the panic hook has it.
            tracing::error!(handler = name, "a blocking handler panicked");
            HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, HttpError::INTERNAL).into_response()
        }
        Err(refused) => HttpError::from(refused).into_response(),
    }
}

impl<F, R, S> Handler<((),), S> for Blocking<F>
where
    F: FnOnce() -> R + Clone + Send + Sync + 'static,
    R: IntoResponse,
    BlockingService: FromRef<S>,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, _: Request, state: S) -> Self::Future {
        let service = BlockingService::from_ref(&state);
        Box::pin(respond(service, type_name::<F>(), move || (self.0)().into_response()))
    }
}

macro_rules! handler {
    ([$($arg:ident),*], $last:ident) => {
        #[allow(non_snake_case, reason = "an argument is named after its type")]
        impl<F, R, S, M, $($arg,)* $last> Handler<(M, $($arg,)* $last,), S> for Blocking<F>
        where
            F: FnOnce($($arg,)* $last) -> R + Clone + Send + Sync + 'static,
            R: IntoResponse,
            S: Send + Sync + 'static,
            BlockingService: FromRef<S>,
            $($arg: FromRequestParts<S> + Send + 'static,)*
            $last: FromRequest<S, M> + Send + 'static,
        {
            type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

            fn call(self, request: Request, state: S) -> Self::Future {
                Box::pin(async move {
                    #[allow(unused_mut, reason = "there may be one argument only")]
                    let (mut parts, body) = request.into_parts();
                    $(let $arg = match $arg::from_request_parts(&mut parts, &state).await {
                        Ok(value) => value,
                        Err(rejection) => return rejection.into_response(),
                    };)*
                    let $last = match $last::from_request(Request::from_parts(parts, body), &state).await {
                        Ok(value) => value,
                        Err(rejection) => return rejection.into_response(),
                    };
                    let service = BlockingService::from_ref(&state);
                    respond(service, type_name::<F>(), move || (self.0)($($arg,)* $last).into_response()).await
                })
            }
        }
    };
}

handler!([], A);
handler!([A], B);
handler!([A, B], C);
handler!([A, B, C], D);
handler!([A, B, C, D], E);
handler!([A, B, C, D, E], G);
handler!([A, B, C, D, E, G], H);
handler!([A, B, C, D, E, G, H], I);
handler!([A, B, C, D, E, G, H, I], J);
handler!([A, B, C, D, E, G, H, I, J], K);
handler!([A, B, C, D, E, G, H, I, J, K], L);
handler!([A, B, C, D, E, G, H, I, J, K, L], N);

impl<F> fmt::Debug for Blocking<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blocking").field(&type_name::<F>()).finish()
    }
}
