//! The async service, as a handler's argument.

use std::{convert::Infallible, fmt, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use catamaran::AsyncDatabaseService;

/// The async service of the application's state, which has to give an `Arc<dyn AsyncDatabaseService>` by [`FromRef`].
///
/// ```
/// use axum::{Json, extract::Path};
/// use catamaran::Row;
/// use catamaran_axum::{Db, Result};
///
/// async fn agent(Db(db): Db, Path(id): Path<i64>) -> Result<Json<Row>> {
///     Ok(Json(db.fetch_one("SELECT id, name FROM agents WHERE id = $1", &[&id]).await?))
/// }
/// ```
#[derive(Clone)]
pub struct Db(pub Arc<dyn AsyncDatabaseService>);

impl Deref for Db {
    type Target = Arc<dyn AsyncDatabaseService>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S> FromRequestParts<S> for Db
where
    Arc<dyn AsyncDatabaseService>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(FromRef::from_ref(state)))
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.0.status()).finish()
    }
}
