//! The contestants: a file for each, with the same functions in the same order, which do the same.

#[cfg(feature = "peers")]
pub mod bb8;
pub mod deadpool;
#[cfg(feature = "peers")]
pub mod diesel;
#[cfg(feature = "peers")]
pub mod diesel_async;
mod everyone;
pub mod ours;
pub mod ours_blocking;
pub mod pgbench;
pub mod r2d2_as_documented;
pub mod r2d2_tuned;
pub mod raw;
pub mod raw_blocking;
#[cfg(feature = "peers")]
pub mod sea_orm;
#[cfg(feature = "peers")]
pub mod sqlx;
#[cfg(feature = "peers")]
pub mod tables;
