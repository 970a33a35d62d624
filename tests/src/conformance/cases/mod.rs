//! The cases, by topic.

mod batch;
mod bulk;
mod constraints;
mod copy;
mod decode;
mod describe;
mod json;
mod many;
mod methods;
mod params;
mod rows;
mod schema;
mod server_errors;
mod service;
mod sessions;
mod streams;
mod transactions;
mod typed;
mod types;

use super::case::Case;

/// All cases.
///
/// # Panics
///
/// If two have the same name.
pub fn all() -> Vec<Case> {
    let topics = [
        methods::cases(),
        service::cases(),
        rows::cases(),
        types::cases(),
        json::cases(),
        decode::cases(),
        params::cases(),
        server_errors::cases(),
        constraints::cases(),
        transactions::cases(),
        sessions::cases(),
        batch::cases(),
        streams::cases(),
        copy::cases(),
        describe::cases(),
        schema::cases(),
        typed::cases(),
        many::cases(),
        bulk::cases(),
    ];
    let cases = topics.concat();
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two cases have the same name");
    cases
}
