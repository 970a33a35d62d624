//! The async backend: deadpool and tokio-postgres. Its twin is `blocking`, file by file.

mod connection;
mod database;
mod lease;
mod manager;
mod many;
mod measured;
mod request;
mod stream;
mod transaction;

pub use database::DeadpoolDatabase;
