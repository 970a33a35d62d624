//! The async backend: deadpool and tokio-postgres. Its twin is `blocking`, file by file.

mod by_hand;
mod checkout;
mod clock;
mod connection;
mod copy;
mod cost;
mod database;
mod driver;
mod frame;
mod keep;
mod lease;
mod line;
mod manager;
mod many;
mod members;
mod owed;
mod param;
mod request;
mod running;
mod seat;
mod send;
mod sharing;
mod stream;
mod transaction;
mod upkeep;

pub use database::DeadpoolDatabase;
