//! Whether the blocking traits and the async ones are the same but for `async`.
//!
//! Both are parsed. What `async` adds is erased: the keyword itself, `impl Future<Output = T>` around a result, and the
//! prefix `Async` of names. Then names, order, parameters, bounds, return types and included documentation must be
//! equal, save for the [`Deviation`]s, each of which has a reason, and must still be needed.

mod deviation;
mod erase;
mod source;

use std::collections::BTreeSet;

pub use self::{
    deviation::{DEVIATIONS, Deviation},
    source::{Method, Trait},
};
use self::{erase::Eraser, source::traits};

/// What differs between the twins in these sources, and what no conformance case covers.
///
/// `covered` has the methods of the blocking traits that some case uses, as `Trait::method`.
///
/// # Panics
///
/// If a source is no Rust.
pub fn differences(sources: &[String], deviations: &[Deviation], covered: &BTreeSet<String>) -> Vec<String> {
    let eraser = Eraser::new(deviations);
    let all: Vec<_> = sources.iter().flat_map(|source| traits(source, &eraser)).collect();
    let (nonblocking, mut blocking): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.is_async);
    for one in &mut blocking {
        one.methods.retain(|method| !eraser.is_blocking_only(&method.name));
    }
    let mut differences = Vec::new();
    for twin in &nonblocking {
        if !blocking.iter().any(|one| one.name == twin.name) {
            differences.push(format!("Async{} has no blocking twin", twin.name));
        }
    }
    for one in &blocking {
        match nonblocking.iter().find(|twin| twin.name == one.name) {
            Some(twin) => compare(one, twin, &eraser, &mut differences),
            None => differences.push(format!("{} has no async twin", one.name)),
        }
        for method in &one.methods {
            let name = format!("{}::{}", one.name, method.name);
            if !covered.contains(&name) {
                differences.push(format!("{name} has no conformance case"));
            }
        }
    }
    for unused in eraser.unused() {
        differences.push(format!("the deviation {unused:?} is not needed any more"));
    }
    differences
}

fn compare(one: &Trait, twin: &Trait, eraser: &Eraser<'_>, differences: &mut Vec<String>) {
    if one.supertraits != twin.supertraits {
        differences.push(format!("{}: blocking {}, async {}", one.name, one.supertraits, twin.supertraits));
    }
    let names = |of: &Trait| of.methods.iter().map(|method| method.name.clone()).collect::<Vec<_>>();
    if names(one) != names(twin) {
        differences.push(format!("{}: blocking {:?}, async {:?}", one.name, names(one), names(twin)));
    }
    for method in &one.methods {
        let Some(other) = twin.methods.iter().find(|other| other.name == method.name) else { continue };
        if method.signature != other.signature {
            let (here, there) = (&method.signature, &other.signature);
            differences.push(format!("{}::{}: blocking `{here}`, async `{there}`", one.name, method.name));
        }
        if !other.is_awaited && !eraser.may_answer_at_once(&method.name) {
            differences.push(format!("Async{}::{} is not async", one.name, method.name));
        }
        if method.docs != other.docs {
            let (here, there) = (&method.docs, &other.docs);
            differences.push(format!("{}::{}: documented by {here:?}, async {there:?}", one.name, method.name));
        }
    }
}
