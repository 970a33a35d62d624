//! The statements that a connection keeps.

use catamaran::__bench::Statements;

use crate::{Operation, history, server::Error};

/// As many as a service of some size has.
const KEPT: usize = 100;

pub(crate) fn operations() -> Result<Vec<Operation>, Error> {
    let statement = history::fetched()?.0;
    let text = |at: usize| {
        format!("SELECT id, role, content, model, metadata, created_at FROM messages WHERE agent = $1 LIMIT {at}")
    };
    let full = || {
        let mut kept = Statements::new(KEPT);
        (0..KEPT).for_each(|at| kept.insert(&text(at), statement.clone()));
        kept
    };
    let (mut kept, mut unasked, mut crowded) = (full(), full(), full());
    let (sought, missing) = (text(KEPT / 2), text(KEPT));
    let mut next = 0;
    let texts: Vec<String> = (0..2 * KEPT).map(text).collect();
    Ok(vec![
        Operation::new("statements/found", move || kept.find(&sought)),
        Operation::new("statements/missing", move || unasked.find(&missing)),
        Operation::new("statements/makes_room", move || {
            if let Some(text) = texts.get(next % texts.len()) {
                crowded.insert(text, statement.clone());
            }
            next += 1;
        }),
    ])
}
