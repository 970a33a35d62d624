//! The servers that contestants meet on.

use std::cell::OnceCell;

use catamaran_testkit::{Cluster, Database};

use crate::{Result, sql};

/// Enough for all contestants of a case at once, and for pgbench.
const CONNECTIONS: u32 = 500;

/// Servers, started when they are first needed.
#[derive(Debug, Default)]
pub struct Site {
    reading: OnceCell<Place>,
}

#[derive(Debug)]
pub struct Place {
    // Dropped first: it needs the server.
    pub database: Database,
    pub cluster: Cluster,
}

impl Site {
    /// A server in memory, where nothing but reading is measured.
    pub fn reading(&self) -> Result<&Place> {
        if let Some(place) = self.reading.get() {
            return Ok(place);
        }
        let cluster = Cluster::builder()
            .max_connections(CONNECTIONS)
            .setting("shared_buffers", "256MB")
            .setting("autovacuum", "off")
            .setting("jit", "off")
            .start()?;
        let database = cluster.database()?;
        for statement in statements(sql::SCHEMA) {
            database.execute(statement)?;
        }
        Ok(self.reading.get_or_init(|| Place { database, cluster }))
    }
}

impl Place {
    /// The URL over the Unix socket.
    pub fn socket(&self) -> Result<String> {
        self.database.url_socket().ok_or_else(|| "the server has no socket".into())
    }

    pub fn tcp(&self) -> String {
        self.database.url()
    }
}

/// One at a time, since VACUUM can't be among others. None of them has a semicolon inside.
fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split(";\n").filter(|statement| !statement.trim().is_empty())
}
