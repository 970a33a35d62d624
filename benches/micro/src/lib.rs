//! Operations that are the library's own alone, without a server: measured in instructions and in time.

mod dispatch;
mod guard;
mod history;
mod json;
mod operation;
mod rows;
mod server;
mod statements;

pub use operation::Operation;
pub use server::Error;

/// All of them.
///
/// # Errors
///
/// If what they work on could not be made.
pub fn operations() -> Result<Vec<Operation>, Error> {
    let mut all = rows::operations()?;
    all.extend(json::operations()?);
    all.extend(statements::operations()?);
    all.extend(dispatch::operations());
    all.extend(guard::operations());
    Ok(all)
}
