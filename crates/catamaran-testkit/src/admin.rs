//! Connections as the superuser, for the test kit's own statements.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::{Error, Server};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long terminated connections may take to go away.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls `work` with a connection to `database`.
pub(crate) fn with<T, F>(server: &Server, database: &str, work: F) -> Result<T, Error>
where
    T: Send,
    F: FnOnce(&mut Client) -> Result<T, Error> + Send,
{
    // The driver starts a runtime of its own, which panics on a thread that is
    // already inside one, as that of an async test is.
    on_own_thread(|| work(&mut connect(server, database)?))?
}

/// Calls `work` with a connection to the database for administration.
pub(crate) fn with_maintenance<T, F>(server: &Server, work: F) -> Result<T, Error>
where
    T: Send,
    F: FnOnce(&mut Client) -> Result<T, Error> + Send,
{
    with(server, &server.maintenance, work)
}

/// Calls `work` on a thread that is inside no runtime, passing on a panic.
pub(crate) fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work).map_err(Error::io("starting a thread"))?;
        Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn connect(server: &Server, database: &str) -> Result<Client, Error> {
    let mut config = postgres::Config::new();
    config
        .user(&server.user)
        .dbname(database)
        .port(server.port)
        .application_name("catamaran-testkit")
        .connect_timeout(CONNECT_TIMEOUT);
    match (&server.socket_dir, &server.host) {
        (Some(directory), _) => config.host_path(directory),
        (None, host) => config.host(host.as_deref().unwrap_or("localhost")),
    };
    if let Some(password) = &server.password {
        config.password(password);
    }
    config.connect(NoTls).map_err(Error::sql(format!("connecting to database {database}")))
}

/// Runs a query and returns the first column of each row.
pub(crate) fn texts(client: &mut Client, query: &str) -> Result<Vec<Option<String>>, Error> {
    let messages = client.simple_query(query).map_err(Error::sql("running a query"))?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.try_get(0).map(|text| text.map(str::to_owned))),
        _ => None,
    });
    rows.collect::<Result<_, _>>().map_err(Error::sql("reading a query's result"))
}

/// Lists the connections to a database.
pub(crate) fn backend_pids(client: &mut Client, database: &str) -> Result<Vec<i32>, Error> {
    let query = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() ORDER BY pid";
    let rows = client.query(query, &[&database]).map_err(Error::sql("listing connections"))?;
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(Error::sql("listing connections"))
}

/// Ends the connections to a database and waits until they are gone.
pub(crate) fn terminate_backends(client: &mut Client, database: &str) -> Result<usize, Error> {
    let doomed = backend_pids(client, database)?;
    for pid in &doomed {
        client.execute("SELECT pg_terminate_backend($1)", &[pid]).map_err(Error::sql("terminating a connection"))?;
    }
    let deadline = Instant::now() + TERMINATE_TIMEOUT;
    // A client may already have connected anew; only the old ones must go.
    while backend_pids(client, database)?.iter().any(|pid| doomed.contains(pid)) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    Ok(doomed.len())
}

/// Quotes an identifier.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
