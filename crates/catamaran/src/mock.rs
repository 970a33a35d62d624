//! Mocks of both services, of their sessions and of their transactions. Feature `mock`; links no driver.
//!
//! The mocks are made by [`mockall`]: `expect_…` on a mock says which call is expected, `with` which SQL and which
//! parameters, `returning` what it answers, `times` how often. What was expected and not called panics when the mock is
//! dropped; what was called and not expected panics at once, with the SQL and the parameters in the message.
//!
//! A handler's test is short, and needs no database:
//!
//! ```
//! use std::sync::Arc;
//! use catamaran::{AsyncDatabaseService, Result, mock::{MockAsyncDatabaseService, params, reply, sql}, row};
//!
//! async fn last_words(db: &dyn AsyncDatabaseService, agent: i64) -> Result<Vec<String>> {
//!     let rows = db.fetch_all("SELECT content FROM chat_history WHERE agent_id = $1", &[&agent]).await?;
//!     rows.iter().map(|row| row.get("content")).collect()
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let mut db = MockAsyncDatabaseService::new();
//! db.expect_fetch_all()
//!     .with(sql("FROM chat_history"), params![7i64])
//!     .returning(|_, _| reply(vec![row! { "content" => "hi" }]));
//! let db: Arc<dyn AsyncDatabaseService> = Arc::new(db);
//! assert_eq!(last_words(&*db, 7).await?, ["hi"]);
//! # Ok::<(), catamaran::Error>(())
//! # }).unwrap();
//! ```
//!
//! # What a closure is given, and what it returns
//!
//! Parameters arrive as [`Params`], a copy with the type that is natural for each Rust type. In the table `T` is
//! what the closure returns: `Result<T>` for a blocking mock, [`Reply<T>`] for an async one (see [`reply`],
//! [`reply_after`], [`fails`]).
//!
//! | `expect_…` | closure | `T` |
//! |---|---|---|
//! | `execute` | `\|sql, params\|` | `u64` |
//! | `fetch_all` | `\|sql, params\|` | `Vec<Row>` |
//! | `fetch_one` | `\|sql, params\|` | `Row` |
//! | `fetch_optional` | `\|sql, params\|` | `Option<Row>` |
//! | `batch_execute` | `\|sql\|` | `()` |
//! | `fetch_iter`, `fetch_stream` | `\|sql, params\|` | [`Items<Row>`](Items): `vec![…].into()` |
//! | `copy_in` | `\|sql, bytes\|`, all chunks in one | `u64` |
//! | `copy_out` | `\|sql\|` | [`Items<Bytes>`](Items) |
//! | `describe` | `\|sql\|` | [`Description`](crate::Description) |
//! | `begin` | `\|options\|` | [`MockTransaction`] or [`MockAsyncTransaction`] |
//! | `session` | `\|\|` | [`MockSession`] or [`MockAsyncSession`] |
//! | `savepoint` | `\|\|` | [`MockTransaction`] or [`MockAsyncTransaction`] |
//! | `commit`, `rollback`, `ping` | `\|\|` | `()` |
//! | `close` | `\|deadline\|` | `()` |
//!
//! `execute_many` and `run_batch` are calls of `execute` and `fetch_all`, one for each set or statement, and are expected
//! as these.
//!
//! A mock answers what it is told, and draws no conclusions: what a service refuses by itself, such as the `commit` of a
//! transaction in which a statement has failed (`TransactionAborted`), a call beside an open stream (`Busy`), or a text
//! with another number of parameters, is `Ok` unless the closure says otherwise.
//!
//! `status` needs no expectation: a mock is [`PoolStatus::empty(10)`](crate::PoolStatus::empty) at every moment.
//!
//! # Which call is meant
//!
//! [`sql`] and [`sql_is`] match the statement, [`params!`] all parameters, [`param`] one of them; [`always`] anything.
//! They combine with `and`, `or` and `not` of [`PredicateBooleanExt`]. [`Sequence`] orders calls.
//!
//! # Slow databases
//!
//! An async mock answers with a future, so [`reply_after`] makes each call slow by itself and many at once no slower.
//! A blocking mock's closure runs under `mockall`'s lock: when it sleeps, calls from several threads queue up.

mod blocking;
mod items;
mod nonblocking;
mod params;
mod predicate;
mod reply;
#[cfg(test)]
mod tests;

pub use mockall::{
    PredicateBooleanExt, Sequence,
    predicate::{always, eq},
};

pub use self::{
    blocking::{MockDatabaseService, MockSession, MockTransaction},
    items::Items,
    nonblocking::{MockAsyncDatabaseService, MockAsyncSession, MockAsyncTransaction},
    params::Params,
    predicate::{ParamMatches, SqlMatches, param, sql, sql_is},
    reply::{Reply, fails, reply, reply_after},
};
#[doc(inline)]
pub use crate::__params as params;
use crate::PoolStatus;

/// What `status` of a mock says: a pool of a likely size that nobody has used.
fn status() -> PoolStatus {
    PoolStatus::empty(10)
}
