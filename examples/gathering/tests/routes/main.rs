//! All routes over a real database, without a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/site.rs"]
mod site;

mod agents;
mod chat;
mod circles;
mod health;
mod models;
mod providers;
mod schema;
mod tasks;
