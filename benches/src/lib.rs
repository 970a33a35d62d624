//! Catamaran beside its peers, in one run: the drivers alone, both pools as people use them, and other libraries.
//!
//! Run with `cargo xtask bench`. This package is where the peers' dependencies live, so that the library and its tests
//! depend on none of them; it is therefore no default member of the workspace.
#![allow(missing_docs, missing_debug_implementations, reason = "nothing but this package's programs uses it")]

pub mod args;
pub mod bench;
pub mod cases;
pub mod error;
pub mod harness;
pub mod peers;
pub mod probe;
pub mod report;
pub mod rows;
pub mod site;
pub mod sql;

pub use error::{Error, Result};
