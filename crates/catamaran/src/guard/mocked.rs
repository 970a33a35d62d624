//! Calls of mocks.

use std::{panic::Location, time::Duration};

use super::{
    report::{self, Call, Site},
    thread::{Poll, Standing, note_call, standing},
};

/// Notes a call of a mock, which blocks nothing itself, as one of a service with the default rules.
#[track_caller]
pub(crate) fn mocked(operation: &'static str, statement: Option<&str>) {
    let location = Location::caller();
    if let Standing::Polls(Poll { route, is_allowed: false, .. }) = standing() {
        let site = Site::of(location);
        note_call(site);
        report::note_call(&Call { route, site, operation, statement, ended: None }, Duration::ZERO);
    }
}
