//! One server for many tests.

use std::env;
use std::sync::OnceLock;

use crate::{Cluster, Error, Server};

/// The environment variable that names a server for the tests to share.
///
/// Its value is the URL of a superuser, as [`Cluster::export`] returns it.
pub const CLUSTER_VARIABLE: &str = "CATAMARAN_TEST_CLUSTER";

/// A server and, if this process started it, the cluster that runs it.
enum Shared {
    Own(Box<Cluster>),
    Other(Server),
}

/// Returns the server that the tests of this process share.
///
/// That is the server in [`CLUSTER_VARIABLE`] if the variable is set, and
/// otherwise a cluster with default settings, started by the first call and
/// removed shortly after the process ends. A runner with a process for each
/// test sets the variable so as not to start a cluster for each.
///
/// # Errors
///
/// Those of [`Cluster::start`] or [`Server::from_url`], the same ones on every
/// call.
pub fn shared() -> Result<&'static Server, &'static Error> {
    static SHARED: OnceLock<Result<Shared, Error>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match env::var(CLUSTER_VARIABLE) {
        Ok(url) if !url.is_empty() => Server::from_url(&url).map(Shared::Other),
        _ => Cluster::start().map(|cluster| Shared::Own(Box::new(cluster))),
    });
    match shared {
        Ok(Shared::Own(cluster)) => Ok(cluster.server()),
        Ok(Shared::Other(server)) => Ok(server),
        Err(error) => Err(error),
    }
}
