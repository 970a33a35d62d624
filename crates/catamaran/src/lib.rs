//! A blocking and an async PostgreSQL service under the same types.
//!
//! [`DatabaseService`] (r2d2 and postgres) and [`AsyncDatabaseService`] (deadpool and tokio-postgres) run the same SQL
//! with the same parameters and give the same rows and the same errors, so that a running service moves its handlers
//! from one to the other one at a time.
//!
//! [`type_edges`] says which values of a column a Rust type can't hold, and what to do about them.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(feature = "internals")]
#[doc(hidden)]
#[path = "internals.rs"]
pub mod __bench;
#[cfg(feature = "driver")]
mod aging;
mod batch;
#[cfg(feature = "driver")]
mod begun;
#[cfg(feature = "blocking")]
mod blocking;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
mod bridge;
#[cfg(any(feature = "async", feature = "blocking"))]
mod budget;
mod bulk;
mod call;
mod canceller;
#[cfg(feature = "driver")]
mod config;
#[cfg(feature = "driver")]
mod connect;
mod copy;
mod describe;
#[cfg(feature = "driver")]
mod driver_error;
mod error;
mod executor;
mod ext;
#[cfg(any(feature = "driver", feature = "mock"))]
mod fingerprint;
mod forward;
mod from_row;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub mod guard;
mod holders;
mod json;
mod kinds;
#[cfg(any(feature = "driver", feature = "mock"))]
mod lexer;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
mod located;
#[cfg(feature = "driver")]
mod many;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "async")]
mod nonblocking;
mod param;
#[cfg(feature = "driver")]
mod pooler;
pub mod prelude;
mod retry;
mod row;
#[cfg(feature = "driver")]
mod row_count;
mod service;
#[cfg(feature = "driver")]
mod stale;
#[cfg(feature = "driver")]
mod statement_cache;
mod status;
mod stream;
#[cfg(feature = "driver")]
mod tls;
#[cfg(any(feature = "driver", feature = "mock"))]
mod token;
#[cfg(feature = "driver")]
mod traces;
mod transaction;
#[doc = include_str!("../docs/types.md")]
pub mod type_edges {}
mod unnest;
mod value;

pub use async_trait::async_trait;
pub use batch::{Batch, BatchStatement, Outcome};
#[cfg(feature = "blocking")]
pub use blocking::R2d2Database;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub use bridge::{Lent, Offloaded, Panic, lend};
pub use bulk::BulkOptions;
pub use bytes::Bytes;
pub use canceller::Canceller;
pub use catamaran_derive::FromRow;
#[cfg(feature = "driver")]
pub use config::{Config, defaults};
#[cfg(feature = "driver")]
pub use connect::{Services, connect};
pub use copy::CopyRow;
pub use describe::Description;
pub use error::{Error, ErrorKind, Result, ServerError};
pub use executor::{AsyncExecutor, EachRow, Executor};
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub use ext::AsyncDatabaseServiceExt;
pub use ext::{AsyncAttempt, AsyncBulkExt, AsyncExecutorExt, Attempt, BulkExt, DatabaseServiceExt, ExecutorExt};
#[doc(hidden)]
pub use from_row::__private;
pub use from_row::FromRow;
pub use holders::{Cause, Holder, Shortage};
#[cfg(feature = "async")]
pub use nonblocking::DeadpoolDatabase;
pub use postgres_types::{self as types, FromSql, FromSqlOwned, Json, ToSql, Type};
pub use row::{Column, Row, RowBuilder, RowIndex, RowReader};
pub use service::{AsyncDatabaseService, AsyncSession, DatabaseService, Session};
pub use status::PoolStatus;
pub use stream::{AsyncIter, BytesIter, BytesStream, Iter, RowIter, RowStream};
#[cfg(feature = "driver")]
pub use tls::SslMode;
pub use transaction::{AsyncTransaction, Isolation, Transaction, TransactionOptions};
pub use unnest::Unnest;
pub use value::Value;
