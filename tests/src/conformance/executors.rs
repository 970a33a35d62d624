//! Who runs the cases.

use std::{sync::Arc, time::Duration};

use catamaran::{AsyncDatabaseService, Config, DatabaseService, DeadpoolDatabase, Offloaded, R2d2Database, Result};

use super::{case::Case, outcome::Reply, script};

/// What an executor is made from.
#[derive(Debug)]
pub struct Context<'a> {
    /// The database of the cases.
    pub url: &'a str,
    /// The case to be run.
    pub case: &'a Case,
    /// What the first executor gave.
    pub tape: &'a [Reply],
}

/// One of those that run the cases. The first is the one that the others are compared with, and that mocks repeat.
#[derive(Debug, Clone, Copy)]
pub struct Executor {
    /// Its name.
    pub name: &'static str,
    /// Whether it talks to a server.
    pub real: bool,
    /// How it is made.
    pub open: Open,
}

/// How an executor is made, by the traits that it has.
#[derive(Debug, Clone, Copy)]
pub enum Open {
    /// A blocking one.
    Blocking(fn(&Context<'_>) -> Result<Arc<dyn DatabaseService>>),
    /// An async one. It is made within the runtime that it runs in.
    Async(fn(&Context<'_>) -> Result<Arc<dyn AsyncDatabaseService>>),
    /// As above, and each of its executors is lent to blocking code for each statement.
    Lent(fn(&Context<'_>) -> Result<Arc<dyn AsyncDatabaseService>>),
}

/// All of them.
pub const ALL: &[Executor] = &[
    Executor {
        name: "r2d2",
        real: true,
        open: Open::Blocking(|context| Ok(Arc::new(R2d2Database::new(config(context.url)?)?))),
    },
    Executor {
        name: "deadpool",
        real: true,
        open: Open::Async(|context| Ok(Arc::new(DeadpoolDatabase::new(config(context.url)?)?))),
    },
    Executor {
        name: "offloaded",
        real: true,
        open: Open::Async(|context| Ok(Arc::new(Offloaded::new(Arc::new(R2d2Database::new(config(context.url)?)?))))),
    },
    Executor {
        name: "lent",
        real: true,
        open: Open::Lent(|context| Ok(Arc::new(DeadpoolDatabase::new(config(context.url)?)?))),
    },
    Executor {
        name: "mock",
        real: false,
        open: Open::Blocking(|context| Ok(Arc::new(script::blocking(&context.case.steps, context.tape)))),
    },
    Executor {
        name: "async mock",
        real: false,
        open: Open::Async(|context| Ok(Arc::new(script::nonblocking(&context.case.steps, context.tape)))),
    },
];

/// The same for both backends. Its size is that which a mock's status shows.
fn config(url: &str) -> Result<Config> {
    Ok(Config::from_url(url)?.max_size(10).checkout_timeout(Duration::from_secs(10)))
}
