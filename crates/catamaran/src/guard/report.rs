//! What was noticed, once for each place in the code.
#![cfg_attr(not(feature = "blocking"), allow(dead_code, reason = "the blocking service alone asks for all of it"))]

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::policy::Exception;
use crate::{
    call::{Call, Site},
    fingerprint::fingerprint,
};

/// The most places that are told apart; more are counted as dropped.
const MOST: usize = 4096;

static NOTICED: Mutex<All> = Mutex::new(All { calls: BTreeMap::new(), stalls: BTreeMap::new(), dropped: 0 });

type Route = Option<Arc<str>>;

#[derive(Debug)]
struct All {
    calls: BTreeMap<(Route, Site), BlockingCall>,
    stalls: BTreeMap<(Route, Option<Site>), Stall>,
    dropped: u64,
}

/// Blocking calls from one place, on threads that drove futures of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingCall {
    /// The route of the guarded future; `None` if what was polled is not guarded.
    pub route: Option<Arc<str>>,
    /// Who called the service, a session, a transaction or a mock.
    pub site: Site,
    /// The method that was called last.
    pub operation: &'static str,
    /// The statement that was run last, without the values in its text.
    pub statement: Option<String>,
    /// How often.
    pub times: u64,
    /// How long they took together, those that were refused not at all.
    pub total: Duration,
    /// How long the longest took.
    pub longest: Duration,
    /// The exception that was for it and has ended: its last day and its reason.
    pub ended_exception: Option<(String, String)>,
}

/// Polls of one route that took long, whatever did it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// The route of the guarded future.
    pub route: Option<Arc<str>>,
    /// The last blocking call in those polls, which is where most of the time went if there was one.
    pub call: Option<Site>,
    /// How often.
    pub times: u64,
    /// How long the longest took.
    pub longest: Duration,
}

/// What was noticed since the process began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Blocking calls, by route and place.
    pub calls: Vec<BlockingCall>,
    /// Long polls, by route and the last blocking call in them.
    pub stalls: Vec<Stall>,
    /// What was noticed elsewhere, once there were too many places to tell apart.
    pub dropped: u64,
}

impl Report {
    /// Those of one route.
    #[must_use]
    pub fn of_route(mut self, route: &str) -> Self {
        self.calls.retain(|call| call.route.as_deref() == Some(route));
        self.stalls.retain(|stall| stall.route.as_deref() == Some(route));
        self
    }
}

/// What was noticed since the process began.
pub fn report() -> Report {
    let noticed = noticed();
    Report {
        calls: noticed.calls.values().cloned().collect(),
        stalls: noticed.stalls.values().cloned().collect(),
        dropped: noticed.dropped,
    }
}

/// A call that was noticed.
pub(super) struct Noticed<'a> {
    pub(super) route: Option<Arc<str>>,
    pub(super) call: Call,
    pub(super) statement: Option<&'a str>,
    pub(super) ended: Option<&'a Exception>,
}

impl fmt::Display for Noticed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.call.operation, self.call.site())?;
        match &self.route {
            Some(route) => write!(f, " blocks a thread that drives futures, among them {route}"),
            None => write!(f, " blocks a thread that drives futures"),
        }
    }
}

/// Adds a call, and says so if it is the first from its place.
pub(super) fn note_call(call: &Noticed<'_>, took: Duration) {
    let mut noticed = noticed();
    let (site, operation) = (call.call.site(), call.call.operation);
    let key = (call.route.clone(), site);
    if noticed.is_full() && !noticed.calls.contains_key(&key) {
        noticed.dropped += 1;
        return;
    }
    let statement = call.statement.map(fingerprint);
    let entry = noticed.calls.entry(key).or_insert_with(|| BlockingCall {
        route: call.route.clone(),
        site,
        operation,
        statement: None,
        times: 0,
        total: Duration::ZERO,
        longest: Duration::ZERO,
        ended_exception: None,
    });
    entry.operation = operation;
    entry.statement = statement;
    entry.times += 1;
    entry.total += took;
    entry.longest = entry.longest.max(took);
    entry.ended_exception = call.ended.map(|ended| (ended.until().to_owned(), ended.reason().to_owned()));
    let first = (entry.times == 1).then(|| entry.clone());
    drop(noticed);
    if let Some(BlockingCall { route, site, operation, statement, ended_exception, .. }) = first {
        tracing::warn!(
            route = route.as_deref(),
            at = %site,
            operation,
            statement,
            blocked_ms = took.as_millis(),
            exception_ended = ended_exception.map(|(until, _)| until),
            "a blocking call on a thread that drives futures"
        );
    }
}

/// Adds a poll that took long and is over.
pub(super) fn note_stall(route: Route, call: Option<Site>, took: Duration) {
    let mut noticed = noticed();
    let key = (route.clone(), call);
    if noticed.is_full() && !noticed.stalls.contains_key(&key) {
        noticed.dropped += 1;
        return;
    }
    let new = || Stall { route, call, times: 0, longest: Duration::ZERO };
    let entry = noticed.stalls.entry(key).or_insert_with(new);
    entry.times += 1;
    entry.longest = entry.longest.max(took);
}

/// Says that a poll is taking long, while it does.
pub(super) fn tell_stuck(route: Option<&str>, call: Option<Site>, for_now: Duration) {
    let call = call.map(|call| call.to_string());
    tracing::warn!(route, last_call = call, stuck_ms = for_now.as_millis(), "a poll does not come to its end");
}

impl All {
    fn is_full(&self) -> bool {
        self.calls.len() + self.stalls.len() >= MOST
    }
}

fn noticed() -> MutexGuard<'static, All> {
    NOTICED.lock().unwrap_or_else(PoisonError::into_inner)
}
