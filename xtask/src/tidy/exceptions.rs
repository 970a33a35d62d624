//! Places that may break a rule, each with a reason. One that is no longer needed breaks the rule itself.

use std::cell::Cell;

use super::finding::Finding;

/// A file or folder, and why the rule does not hold there.
pub(crate) type Exception = (&'static str, &'static str);

pub(crate) struct Exceptions(Vec<(Exception, Cell<bool>)>);

impl Exceptions {
    pub(crate) fn new(entries: &[Exception]) -> Self {
        Self(entries.iter().map(|entry| (*entry, Cell::new(false))).collect())
    }

    /// Whether a file is excepted. To be asked only of files that break the rule.
    pub(crate) fn has(&self, path: &str) -> bool {
        let entry = self.0.iter().find(|((place, _), _)| path == *place || path.starts_with(&format!("{place}/")));
        if let Some((_, used)) = entry {
            used.set(true);
        }
        entry.is_some()
    }

    /// The entries that nothing asked for.
    pub(crate) fn unused(self) -> impl Iterator<Item = Finding> {
        let unused = self.0.into_iter().filter(|(_, used)| !used.get());
        unused.map(|((place, reason), _)| Finding::in_file(place, format!("needs no exception any more: {reason}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_is_found() {
        let exceptions = Exceptions::new(&[("a", "folders"), ("b.rs", "files"), ("c.rs", "nothing")]);
        assert!(exceptions.has("a/x.rs") && exceptions.has("b.rs") && !exceptions.has("ab/x.rs"));
        let unused: Vec<_> = exceptions.unused().map(|finding| finding.to_string()).collect();
        assert_eq!(unused, ["c.rs: needs no exception any more: nothing"]);
    }
}
