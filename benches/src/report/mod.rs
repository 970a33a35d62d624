//! What is told of a run: on the console, as JSON, and as a page of the documentation.

pub mod console;
mod goals;
mod json;
mod markdown;
mod svg;

use std::path::Path;

use crate::{Result, args::Args, harness::Table};

pub fn write(args: &Args, tables: &[Table]) -> Result<()> {
    console::goals(&goals::outcomes(tables))?;
    if let Some(file) = &args.json {
        json::write(file, tables)?;
    }
    if args.is_full() || args.docs {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        markdown::write(package.parent().unwrap_or(package), tables, args.is_full())?;
    }
    Ok(())
}
