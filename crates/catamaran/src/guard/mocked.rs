//! Calls of mocks.

use std::time::Duration;

use super::{
    report::{self, Noticed},
    thread::{Poll, Standing, note_call, standing},
};
use crate::call::Call;

/// Notes a call of a mock, which blocks nothing itself, as one of a service with the default rules.
#[track_caller]
pub(crate) fn mocked(operation: &'static str, statement: Option<&str>) {
    let call = Call::here(operation);
    if let Standing::Polls(Poll { route, is_allowed: false, .. }) = standing() {
        note_call(call.site());
        report::note_call(&Noticed { route, call, statement, ended: None }, Duration::ZERO);
    }
}
