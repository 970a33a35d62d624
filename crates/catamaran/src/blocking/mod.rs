//! The blocking backend: r2d2 and postgres. Its twin is `nonblocking`, file by file.

mod by_hand;
mod checkout;
mod connection;
mod copy;
mod database;
mod keep;
mod lease;
mod line;
mod manager;
mod many;
mod queue;
mod service;
mod stream;
mod teardown;
mod transaction;
mod upkeep;

pub use service::R2d2Database;
