//! What the tests of shared connections have in common.

use std::{net::ToSocketAddrs, sync::Arc, time::Duration};

use catamaran::{AsyncDatabaseService, AsyncExecutor as _, Config, DeadpoolDatabase, Result, ToSql};
use catamaran_testkit::{Database, Proxy, eventually, shared};

use crate::wire::Wire;

/// The async service, as tasks share it.
pub type Service = Arc<dyn AsyncDatabaseService>;

/// Longer than anything takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

/// A budget beside which a busy machine's hiccups are small: what takes up to four of them is cheap, and a connection is
/// late after eight.
pub const BUDGET: Duration = Duration::from_millis(50);

/// A read that is cheap, with a parameter of its own.
pub const SELECT: &str = "SELECT $1::int8";

/// A read that takes as many seconds as its second parameter says.
pub const SLEEP: &str = "SELECT $1::int8 FROM pg_sleep($2)";

/// A database of its own on the shared server.
pub fn database() -> Database {
    shared().expect("a server").database().expect("a database")
}

/// A service with these settings.
pub fn service(config: Config) -> Service {
    Arc::new(DeadpoolDatabase::new(config).expect("a service"))
}

/// Settings with the wide [`BUDGET`], straight to the database.
pub fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).expect("a configuration").sharing_budget(BUDGET).checkout_timeout(LONG)
}

/// A wire in front of a proxy in front of the database, and settings that go through both.
pub fn wired(database: &Database) -> (Wire, Proxy, Config) {
    let proxy = Proxy::start(database.server()).expect("a proxy");
    let wire = Wire::start(proxy.address());
    let config = Config::from_url(&database.url_via(wire.address())).expect("a configuration");
    (wire, proxy, config.sharing_budget(BUDGET).checkout_timeout(LONG))
}

/// A wire straight in front of the server, and settings that go through it.
pub fn wire_only(database: &Database) -> (Wire, Config) {
    let server = (database.server().host().expect("TCP"), database.server().port());
    let address = server.to_socket_addrs().expect("an address").next().expect("an address");
    let wire = Wire::start(address);
    let config = Config::from_url(&database.url_via(wire.address())).expect("a configuration");
    (wire, config.sharing_budget(BUDGET).checkout_timeout(LONG))
}

/// Runs a statement often enough for its cost to be known.
pub async fn learn(db: &Service, sql: &str, params: &[&(dyn ToSql + Sync)]) {
    for _ in 0..10 {
        db.fetch_all(sql, params).await.expect("it runs");
    }
}

/// [`SELECT`] of a value, which comes back.
///
/// # Errors
///
/// Those of the service.
pub async fn ask(db: &Service, value: i64) -> Result<i64> {
    db.fetch_one(SELECT, &[&value]).await?.get(0)
}

/// [`SLEEP`] of a value, which comes back.
///
/// # Errors
///
/// Those of the service.
pub async fn sleepy(db: &Service, value: i64, time: Duration) -> Result<i64> {
    db.fetch_one(SLEEP, &[&value, &time.as_secs_f64()]).await?.get(0)
}

/// Runs something blocking beside a runtime's tasks.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it ends")
}

/// Waits until so many statements of a database wait for this.
pub async fn asleep(database: &Arc<Database>, event: &'static str, count: usize) {
    let database = database.clone();
    let sql = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = '{event}' AND datname = current_database()"
    );
    let found = beside(move || {
        eventually(LONG, || database.texts(&sql).expect("the server answers")[0] == Some(count.to_string()))
    })
    .await;
    assert!(found, "no {count} statements wait for {event}");
}
