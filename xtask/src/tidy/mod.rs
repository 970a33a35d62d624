//! What the source must keep to, as checks of its text: fast, and with the line that breaks a rule.

mod boundaries;
mod exceptions;
mod finding;
mod ignored;
mod linked;
mod manifests;
mod plain;
mod scan;
mod size;
mod tree;

use crate::{
    error::{Error, Result},
    workspace::Workspace,
};
use finding::Finding;
use tree::Tree;

const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    boundaries::shared_nouns_do_nothing,
    boundaries::twins_are_strangers,
    boundaries::bridges_know_traits,
    ignored::reasons_are_told,
    manifests::http_stays_out,
    manifests::what_is_shared_is_inherited,
    plain::features_only_add,
    plain::nothing_panics,
    plain::nothing_is_unsafe,
    size::files_are_short,
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tree = Tree::read(workspace.root())?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.extend(linked::only_what_belongs(workspace)?);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(Error::new(format!("tidy: {count} places break a rule"))),
    }
}
