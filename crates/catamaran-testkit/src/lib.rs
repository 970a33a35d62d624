//! Throwaway PostgreSQL clusters and the tools to test a client against them.
//!
//! A [`Cluster`] is a real server with a data directory of its own, a free port
//! on `127.0.0.1` and a Unix socket. It can be stopped, killed and started
//! again, and nothing of it outlives its owner: dropping the cluster removes
//! its processes and its directory, and so does the end of the owning process,
//! however that comes about.
//!
//! ```no_run
//! use catamaran_testkit::Cluster;
//!
//! # fn main() -> Result<(), catamaran_testkit::Error> {
//! let cluster = Cluster::start()?;
//! let database = cluster.database()?;
//! database.execute("CREATE TABLE boats (id int PRIMARY KEY)")?;
//! let url = database.url(); // for the client under test
//! # let _ = url;
//! # Ok(())
//! # }
//! ```
//!
//! Tests that do not disturb the server itself share one through [`shared`] and
//! take a [`Database`] each, empty or copied from a [`Template`]. [`PgBouncer`]
//! is a connection pooler in front of one. [`Proxy`] stands between a client and a server to delay, stall or cut the connection.
//! [`drop_after_polls`] and [`at_every_poll`] cancel a future at each place
//! where it can be cancelled, and [`eventually`] waits for a condition.
//!
//! The API blocks and needs no async runtime. It may be called inside one:
//! SQL runs on threads of its own. Blocking a single-threaded runtime this way
//! suspends its other tasks for the duration of the call.
//!
//! Environment variables say which server to run and where:
//! [`BINARIES_VARIABLE`], [`MAJOR_VARIABLE`] and [`DIRECTORY_VARIABLE`].
//!
//! Servers of PostgreSQL 13 and later are supported, on Linux and macOS. They
//! run without durability, and by default trust every local connection: they
//! are for tests only.

#[cfg(not(unix))]
compile_error!("catamaran-testkit runs PostgreSQL servers on Unix only");

mod account;
mod admin;
mod binaries;
mod builder;
mod certificates;
mod cluster;
mod data_directory;
mod database;
mod error;
mod eventually;
mod flow;
mod janitor;
mod pgbouncer;
mod polls;
mod postmaster;
mod proxy;
mod pump;
mod relay;
mod server;
mod shared;
mod template;
mod traffic;

pub use account::DIRECTORY_VARIABLE;
pub use binaries::{BINARIES_VARIABLE, Binaries, MAJOR_VARIABLE};
pub use builder::{Auth, ClusterBuilder};
pub use certificates::{Certificates, KeyPairFiles};
pub use cluster::Cluster;
pub use database::Database;
pub use error::Error;
pub use eventually::eventually;
pub use pgbouncer::PgBouncer;
pub use polls::{DropAfterPolls, Polled, at_every_poll, drop_after_polls};
pub use proxy::Proxy;
pub use server::Server;
pub use shared::{CLUSTER_VARIABLE, shared};
pub use template::Template;
pub use traffic::Traffic;
