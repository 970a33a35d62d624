//! What the code of a service calls methods of, in one import.
//!
//! ```
//! use catamaran::prelude::*;
//!
//! fn names(db: &dyn Executor) -> catamaran::Result<Vec<(i64, String)>> {
//!     db.fetch_all_as("SELECT id, name FROM providers ORDER BY id", &[])
//! }
//! ```
//!
//! The traits that one names in signatures come with their names; the extension traits only bring their methods.

#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub use crate::AsyncDatabaseServiceExt as _;
pub use crate::{
    AsyncBulkExt as _, AsyncDatabaseService, AsyncExecutor, AsyncExecutorExt as _, AsyncSession, AsyncTransaction,
    BulkExt as _, DatabaseService, DatabaseServiceExt as _, Executor, ExecutorExt as _, FromRow, Session, Transaction,
    row,
};
