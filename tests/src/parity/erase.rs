//! What `async` adds to a signature, taken away.

use std::cell::RefCell;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};

use super::deviation::Deviation;

/// Erases `async` and the deviations, and notes which of these it met.
pub(super) struct Eraser<'d> {
    deviations: &'d [Deviation],
    used: RefCell<Vec<bool>>,
}

impl<'d> Eraser<'d> {
    pub(super) fn new(deviations: &'d [Deviation]) -> Self {
        Self { deviations, used: RefCell::new(vec![false; deviations.len()]) }
    }

    /// The deviations that nothing needed.
    pub(super) fn unused(&self) -> Vec<Deviation> {
        let used = self.used.borrow();
        self.deviations.iter().zip(used.iter()).filter(|(_, used)| !**used).map(|(deviation, _)| *deviation).collect()
    }

    /// The name without `Async`, or what it deviates from.
    pub(super) fn name(&self, name: &str) -> String {
        let found = self.note(|deviation| match deviation {
            Deviation::Renamed { blocking, nonblocking, .. } if *nonblocking == name => Some((*blocking).to_owned()),
            _ => None,
        });
        let prefix = |name: &str| name.strip_prefix("Async").filter(|rest| !rest.is_empty()).map(str::to_owned);
        found.or_else(|| prefix(name)).unwrap_or_else(|| name.to_owned())
    }

    /// The tokens of something async, as they would be of its twin.
    pub(super) fn tokens(&self, tokens: TokenStream) -> TokenStream {
        let mut erased: Vec<TokenTree> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if self.is_bound(&ident.to_string()) => {
                    // The plus before it goes with it.
                    erased.pop();
                }
                TokenTree::Ident(ident) => {
                    erased.push(Ident::new(&self.name(&ident.to_string()), Span::call_site()).into());
                }
                TokenTree::Group(group) => {
                    erased.push(Group::new(group.delimiter(), self.tokens(group.stream())).into());
                }
                other => erased.push(other),
            }
        }
        erased.into_iter().collect()
    }

    /// Whether a method of an async trait may do without `async`.
    pub(super) fn may_answer_at_once(&self, name: &str) -> bool {
        let found = self.note(|deviation| match deviation {
            Deviation::AtOnce { method, .. } if *method == name => Some(()),
            _ => None,
        });
        found.is_some()
    }

    /// Whether a method of a blocking trait has no twin.
    pub(super) fn is_blocking_only(&self, name: &str) -> bool {
        let found = self.note(|deviation| match deviation {
            Deviation::BlockingOnly { method, .. } if *method == name => Some(()),
            _ => None,
        });
        found.is_some()
    }

    fn is_bound(&self, name: &str) -> bool {
        let found = self.note(|deviation| match deviation {
            Deviation::Bound { bound, .. } if *bound == name => Some(()),
            _ => None,
        });
        found.is_some()
    }

    fn note<T>(&self, find: impl Fn(&Deviation) -> Option<T>) -> Option<T> {
        let mut used = self.used.borrow_mut();
        let (index, found) = self.deviations.iter().enumerate().find_map(|(index, one)| Some((index, find(one)?)))?;
        used[index] = true;
        Some(found)
    }
}
