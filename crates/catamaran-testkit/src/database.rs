//! A database of one test.

use std::net::SocketAddr;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Server, admin};

/// A database with a unique name, dropped together with this value.
///
/// Dropping it ends the connections to it first. If the server cannot be
/// reached then, the database stays behind in the server.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    pub(crate) fn create(server: &Server, template: &str) -> Result<Self, Error> {
        let name = unique_name();
        let statement = format!("CREATE DATABASE {} TEMPLATE {}", admin::quote(&name), admin::quote(template));
        admin::with_maintenance(server, |client| {
            client.batch_execute(&statement).map_err(Error::sql(format!("copying database {template}")))
        })?;
        Ok(Self { server: server.clone(), name })
    }

    /// The name, which needs no quoting in SQL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that holds the database.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The URL over TCP, or over the socket if the server has no TCP.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// The URL over the Unix socket, `None` if the server has none.
    pub fn url_socket(&self) -> Option<String> {
        self.server.url_socket(&self.name)
    }

    /// The URL through another address, such as that of a
    /// [`Proxy`](crate::Proxy).
    pub fn url_via(&self, address: SocketAddr) -> String {
        self.server.url_via(address, &self.name)
    }

    /// Runs SQL statements, separated by semicolons, as the superuser.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or a statement fails.
    pub fn execute(&self, statements: &str) -> Result<(), Error> {
        self.server.execute(&self.name, statements)
    }

    /// Runs a query and returns the text of the first column of each row.
    ///
    /// A `NULL` is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or the query fails.
    pub fn texts(&self, query: &str) -> Result<Vec<Option<String>>, Error> {
        self.server.texts(&self.name, query)
    }

    /// The process ids of the connections to this database, ascending.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached.
    pub fn backend_pids(&self) -> Result<Vec<i32>, Error> {
        self.server.backend_pids(&self.name)
    }

    /// Ends every connection to this database; see
    /// [`Server::terminate_backends`].
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached.
    pub fn terminate_backends(&self) -> Result<usize, Error> {
        self.server.terminate_backends(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", admin::quote(&self.name));
        // A test that stopped its server cannot have its database dropped, and
        // there is nobody to tell.
        let _ = admin::with_maintenance(&self.server, |client| {
            client.batch_execute(&statement).map_err(Error::sql("dropping a database"))
        });
    }
}

/// Returns a name that no other test process uses on the same server.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Process ids repeat over time and between containers.
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("test_{}_{count}_{time:x}", process::id())
}
