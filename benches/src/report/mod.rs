//! What is told of a run: on the console, as JSON, and as a page of the documentation.

pub mod console;
mod json;

use crate::{Result, args::Args, harness::Table};

pub fn write(args: &Args, tables: &[Table]) -> Result<()> {
    if let Some(file) = &args.json {
        json::write(file, tables)?;
    }
    Ok(())
}
