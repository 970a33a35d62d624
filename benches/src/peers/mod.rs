//! The contestants: a file for each, with the same functions in the same order, which do the same.

pub mod deadpool;
pub mod ours;
pub mod raw;
