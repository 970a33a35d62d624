//! A database with a table `t` of numbers, of which it is asked what was kept.

use catamaran::Config;
use catamaran_testkit::{Database, shared};

/// With the number as its parameter.
pub const INSERT: &str = "INSERT INTO t VALUES ($1)";

/// A new one, with the table empty.
pub fn database() -> Database {
    let database = shared().expect("a cluster").database().expect("a database");
    database.execute("CREATE TABLE t (id int8)").expect("a table");
    database
}

/// A pool of one connection.
pub fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).expect("a URL").max_size(1)
}

/// What everybody sees, asked on a connection of its own. Empties the table.
pub fn kept(database: &Database) -> Vec<i64> {
    let texts = database.texts("WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone ORDER BY 1");
    texts.expect("rows").into_iter().flatten().map(|id| id.parse().expect("a number")).collect()
}
