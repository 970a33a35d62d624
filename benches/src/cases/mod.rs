//! What is compared: a file for each case.

mod point_select;

use crate::{Result, bench::Bench, harness::Table};

/// A comparison of its own.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Bench) -> Result<Vec<Table>>,
}

pub const ALL: &[Case] = &[Case {
    name: "point_select",
    about: "one row of 8 columns by primary key into a struct, over a Unix socket",
    run: point_select::run,
}];
