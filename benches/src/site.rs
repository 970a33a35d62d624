//! The servers that contestants meet on.

use std::cell::OnceCell;

use catamaran_testkit::{Cluster, ClusterBuilder, Database};

use crate::{Result, sql};

/// Enough for all contestants of a case at once, and for pgbench.
const CONNECTIONS: u32 = 500;

/// Where temporary files outlive a restart, and are therefore on a disk.
const DISK: &str = "/var/tmp";

/// Servers, started when they are first needed.
#[derive(Debug, Default)]
pub struct Site {
    reading: OnceCell<Place>,
    writing: OnceCell<Place>,
    writing_soon: OnceCell<Place>,
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
        place(&self.reading, Cluster::builder())
    }

    /// A server on a disk, which has each commit written there before it answers.
    pub fn writing(&self) -> Result<&Place> {
        place(&self.writing, durable().setting("synchronous_commit", "on"))
    }

    /// The same, but that it answers before.
    pub fn writing_soon(&self) -> Result<&Place> {
        place(&self.writing_soon, durable().setting("synchronous_commit", "off"))
    }
}

fn durable() -> ClusterBuilder {
    // Memory would make waiting for the disk cost nothing. Checkpoints would fall on one contestant and not the next.
    let builder = Cluster::builder().directory(DISK).setting("fsync", "on").setting("full_page_writes", "on");
    builder.setting("max_wal_size", "16GB")
}

/// Starts a server at its first use.
fn place(cell: &OnceCell<Place>, builder: ClusterBuilder) -> Result<&Place> {
    if let Some(place) = cell.get() {
        return Ok(place);
    }
    let builder = builder.max_connections(CONNECTIONS).setting("shared_buffers", "256MB");
    let cluster = builder.setting("autovacuum", "off").setting("jit", "off").start()?;
    let database = cluster.database()?;
    for statement in statements(sql::SCHEMA) {
        database.execute(statement)?;
    }
    Ok(cell.get_or_init(|| Place { database, cluster }))
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
