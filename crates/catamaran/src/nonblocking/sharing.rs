//! Connections that several statements use at once.
//!
//! A single statement outside a transaction needs no connection of its own. Those that are known to be cheap are sent
//! one behind the other on a connection that is a member here, and the server answers them in that order. A member is a
//! connection checked out of the pool; it leaves when somebody waits for a connection of their own, and goes back to
//! the pool with the last statement on it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, futures::Notified},
    task::{Id, try_id},
    time::timeout_at,
};

use super::{
    connection::Connection,
    cost::{Cost, Costs, Kind},
    lease::Lease,
};
use crate::{
    Config,
    aging::{Aging, FAR, Limits},
};

/// A connection on which nothing has ended for this many budgets is not joined: what runs there was not expected.
const LATE: u32 = 8;
/// A budget of nothing leaves time for a turn of the scheduler.
const SHORTEST_LATE: Duration = Duration::from_millis(1);

/// What the cheapest statement counts for.
const LEAST: Duration = Duration::from_micros(5);

pub(crate) struct Sharing {
    on: bool,
    budget: Duration,
    late: Duration,
    depth: usize,
    size: usize,
    /// For how long it may lie unused and be used without a test.
    rest: Duration,
    state: Mutex<State>,
    /// Told when a statement has ended, if someone waits for room.
    room: Notify,
}

struct State {
    members: Vec<Member>,
    costs: Costs,
    /// The fastest round trip seen, which is no work of the server's.
    trip: Duration,
    /// Someone takes another connection from the pool, to make it a member.
    opening: bool,
    /// Callers that wait for room on a member, and whether one of them stands in the pool's queue as well.
    waiting: usize,
    queued: bool,
    /// Callers that wait for a connection of their own.
    wanted: usize,
    /// The tasks that hold a connection with a transaction or a session, `None` for what is no task.
    holders: Vec<Option<Id>>,
    closed: bool,
}

/// A connection that is shared. Nobody joins one that is leaving or lent to a single statement.
struct Member {
    lease: Arc<Lease>,
    aging: Aging,
    /// When it has reached its age.
    expires: Instant,
    /// The statements on it, those of them that write, and what they are expected to cost together.
    depth: usize,
    writes: usize,
    backlog: Duration,
    /// When a statement last ended on it, or began while there was none.
    progress: Instant,
    /// From when on that is so long ago that nobody joins it.
    late: Instant,
    /// Until when it may be used without a test.
    fit: Instant,
    alone: bool,
    leaving: bool,
}

/// Where a statement goes.
pub(crate) enum Place<'a> {
    Seat(Seat<'a>),
    /// On a connection of its own.
    Own(Arc<Cost>),
    /// On one more connection, if the pool has one; whoever has no other choice waits for it.
    Open(Opening<'a>),
    /// On whatever connection has room next, or on one that comes back to the pool, for the first of those that wait.
    Wait(Box<Waiting<'a>>, Option<Opening<'a>>),
}

impl Sharing {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = Limits::of(config);
        let state = State {
            members: Vec::new(),
            costs: Costs::new(),
            trip: Duration::MAX,
            opening: false,
            waiting: 0,
            queued: false,
            wanted: 0,
            holders: Vec::new(),
            closed: false,
        };
        Self {
            on: config.get_sharing(),
            budget: config.get_sharing_budget(),
            late: (config.get_sharing_budget() * LATE).max(SHORTEST_LATE),
            depth: config.get_sharing_depth() as usize,
            size: config.get_max_size() as usize,
            rest: limits.idle_timeout.min(limits.test_after_idle).min(FAR),
            state: Mutex::new(state),
            room: Notify::new(),
        }
    }

    /// Finds a place for a statement; `again` after having waited for one, or for a connection that did not come.
    pub(crate) fn place(&self, sql: &str, again: bool) -> Place<'_> {
        let now = Instant::now();
        let mut gone = Vec::new();
        let mut state = self.state();
        let cost = state.costs.of(sql);
        if !self.on {
            return Place::Own(cost);
        }
        if cost.kind == Kind::Own {
            return Place::Own(cost);
        }
        let expected = if state.holds() { None } else { cost.cheap(self.budget) };
        let place = match expected {
            None => match state.idle(now, &mut gone) {
                Some(at) => Place::Seat(self.sit(&mut state, at, now, cost, None)),
                None => Place::Own(cost),
            },
            Some(expected) if state.waiting > 0 && !again => self.wait(&mut state, cost, expected),
            Some(expected) => match state.room(now, expected, cost.kind, self, &mut gone) {
                Some(at) => Place::Seat(self.sit(&mut state, at, now, cost, Some(expected))),
                None if state.may_open(again, self) => Place::Open(Opening::new(self, &mut state, cost, expected)),
                None => match state.least(now, cost.kind, self) {
                    Some(at) => Place::Seat(self.sit(&mut state, at, now, cost, Some(expected))),
                    None => self.wait(&mut state, cost, expected),
                },
            },
        };
        let next = again && state.waiting > 0 && state.members.iter().any(|member| member.may_join(now, self));
        drop(state);
        if next {
            // One is woken for each statement that ends, and there may be room for more.
            self.room.notify_one();
        }
        give_back(gone);
        place
    }

    fn wait<'a>(&'a self, state: &mut State, cost: Arc<Cost>, expected: Duration) -> Place<'a> {
        let elsewhere = !state.opening && state.members.len() < self.size;
        let opening = elsewhere.then(|| Opening::new(self, state, cost, expected));
        state.queued |= elsewhere;
        Place::Wait(Box::new(Waiting::new(self, state, elsewhere)), opening)
    }

    fn sit(&self, state: &mut State, at: usize, now: Instant, cost: Arc<Cost>, expected: Option<Duration>) -> Seat<'_> {
        let late = state.late(self);
        let member = &mut state.members[at];
        let behind = member.depth > 0;
        if !behind {
            member.progressed(now, late);
        }
        let weight = expected.map_or(Duration::ZERO, |expected| expected.max(LEAST));
        member.depth += 1;
        if behind {
            member.lease.connection().set_crowded(true);
        }
        member.writes += usize::from(cost.kind == Kind::Write);
        member.backlog += weight;
        member.alone = expected.is_none();
        Seat { sharing: self, lease: member.lease.clone(), cost, weight, behind, began: now, bytes: None }
    }

    /// A place on a connection that is no member.
    pub(crate) fn alone(&self, lease: Lease, cost: Arc<Cost>) -> Seat<'_> {
        self.state().note_trip(&lease);
        Seat {
            sharing: self,
            lease: Arc::new(lease),
            cost,
            weight: Duration::ZERO,
            behind: false,
            began: Instant::now(),
            bytes: None,
        }
    }

    /// Makes a connection a member, and gives the first place on it, however soon it would have to be tested again.
    fn adopt(&self, lease: Lease, cost: Arc<Cost>, expected: Duration) -> Option<Seat<'_>> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let mut aging = lease.aging()?;
        let now = Instant::now();
        // The pool has looked at it only now.
        aging.touch(now);
        let expires = aging.expires();
        state.note_trip(&lease);
        let late = now + state.late(self);
        state.members.push(Member {
            aging,
            lease: Arc::new(lease),
            depth: 0,
            writes: 0,
            backlog: Duration::ZERO,
            progress: now,
            late,
            expires,
            fit: (now + self.rest).min(expires),
            alone: false,
            leaving: false,
        });
        let at = state.members.len() - 1;
        let seat = self.sit(&mut state, at, now, cost, Some(expected));
        drop(state);
        self.room.notify_waiters();
        Some(seat)
    }

    /// A member that nobody uses, for someone who wants it alone, unless others wait for one.
    pub(crate) fn take_idle(&self) -> Option<Lease> {
        let mut gone = Vec::new();
        let mut state = self.state();
        let at = if state.wanted > 0 { None } else { state.idle(Instant::now(), &mut gone) };
        let taken = at.map(|at| state.members.remove(at));
        drop(state);
        give_back(gone);
        taken.and_then(|member| Arc::into_inner(member.lease))
    }

    /// Notes that someone waits for a connection of their own.
    pub(crate) fn want(&self) -> Wanted<'_> {
        self.state().wanted += 1;
        Wanted(self)
    }

    /// Notes that the current task holds a connection.
    ///
    /// Its other statements share none: they might come to stand behind one that waits for the transaction's locks.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        let task = try_id();
        self.state().holders.push(task);
        Held { sharing: self.clone(), task }
    }

    /// Closes connections on which nothing has ended for so long that no statement can be the reason, but only a caller
    /// who does not take his reply.
    pub(crate) fn cut(&self, after: Duration) {
        let now = Instant::now();
        let state = self.state();
        let stuck = |member: &&Member| member.depth > 0 && now.saturating_duration_since(member.progress) > after;
        state.members.iter().filter(stuck).for_each(|member| member.lease.connection().cut());
    }

    /// Gives back what nobody uses, so that the pool can see how long that has been so.
    pub(crate) fn give_back_idle(&self) {
        let mut state = self.state();
        let (idle, busy) = state.members.drain(..).partition(|member| member.depth == 0);
        state.members = busy;
        drop(state);
        give_back(idle);
    }

    /// The members that nobody uses.
    pub(crate) fn idle(&self) -> usize {
        self.state().members.iter().filter(|member| member.depth == 0).count()
    }

    /// Callers that wait for room on a member, and for nothing else.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.state();
        state.waiting - usize::from(state.queued)
    }

    /// Lets everything go, and wakes who waits, to find the pool closed.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let (idle, mut busy): (Vec<_>, Vec<_>) = state.members.drain(..).partition(|member| member.depth == 0);
        busy.iter_mut().for_each(|member| member.leaving = true);
        state.members = busy;
        drop(state);
        drop(idle);
        self.room.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self) -> bool {
        !self.holders.is_empty() && self.holders.contains(&try_id())
    }

    fn note_trip(&mut self, lease: &Lease) {
        self.trip = self.trip.min(lease.connection().trip());
    }

    /// For how long nothing may end on a connection before it is late. What is under way takes a trip at least.
    fn late(&self, sharing: &Sharing) -> Duration {
        sharing.late + if self.trip == Duration::MAX { Duration::ZERO } else { self.trip }
    }

    /// A member that nobody uses and that may be used without a test. Others go back to the pool, which tests them.
    fn idle(&mut self, now: Instant, gone: &mut Vec<Member>) -> Option<usize> {
        let mut at = self.members.len();
        while at > 0 {
            at -= 1;
            let member = &self.members[at];
            if member.depth > 0 {
                continue;
            }
            if member.is_fit(now) {
                return Some(at);
            }
            gone.push(self.members.remove(at));
        }
        None
    }

    /// The first member on which the backlog stays within the budget: a read keeps few connections busy, so that the
    /// others are free for who needs one alone. A write takes an idle one, since those that run together are committed
    /// together.
    fn room(
        &mut self,
        now: Instant,
        expected: Duration,
        kind: Kind,
        sharing: &Sharing,
        gone: &mut Vec<Member>,
    ) -> Option<usize> {
        if kind == Kind::Read {
            let mut at = 0;
            while let Some(member) = self.members.get(at) {
                if member.depth == 0 && !member.is_fit(now) {
                    gone.push(self.members.remove(at));
                    continue;
                }
                if member.writes == 0
                    && (member.depth == 0 || member.backlog + expected <= sharing.budget)
                    && member.may_join(now, sharing)
                {
                    return Some(at);
                }
                at += 1;
            }
            return None;
        }
        self.idle(now, gone)
    }

    /// The member with the least backlog; for a read one without writes, if there is any.
    fn least(&self, now: Instant, kind: Kind, sharing: &Sharing) -> Option<usize> {
        let members = self.members.iter().enumerate().filter(|(_, member)| member.may_join(now, sharing));
        let cost = |member: &Member| (kind == Kind::Read && member.writes > 0, member.backlog, member.depth);
        members.min_by_key(|(_, member)| cost(member)).map(|(at, _)| at)
    }

    fn may_open(&self, again: bool, sharing: &Sharing) -> bool {
        let none = self.members.iter().all(|member| member.leaving);
        !self.opening && (none || (!again && self.members.len() < sharing.size))
    }

    /// Lets one member go for someone who waits: the one that is free first, unless it is late.
    fn give_up_one(&mut self, now: Instant) -> Option<Member> {
        let cost = |member: &Member| (member.is_late(now), member.alone, member.backlog, member.depth);
        let staying = self.members.iter().enumerate().filter(|(_, member)| !member.leaving);
        let at = staying.min_by_key(|(_, member)| cost(member)).map(|(at, _)| at)?;
        self.members[at].leaving = true;
        (self.members[at].depth == 0).then(|| self.members.remove(at))
    }

    fn leaving(&self) -> usize {
        self.members.iter().filter(|member| member.leaving).count()
    }
}

impl Member {
    fn progressed(&mut self, now: Instant, late: Duration) {
        self.progress = now;
        self.late = now + late;
    }

    fn is_late(&self, now: Instant) -> bool {
        self.depth > 0 && now > self.late
    }

    fn may_join(&self, now: Instant, sharing: &Sharing) -> bool {
        !self.leaving
            && !self.alone
            && self.depth < sharing.depth
            && !self.is_late(now)
            && !self.lease.connection().is_closed()
    }

    /// For a member that nobody uses: it may be used as it is.
    fn is_fit(&self, now: Instant) -> bool {
        now < self.fit && !self.lease.connection().is_closed()
    }
}

fn give_back(members: Vec<Member>) {
    for member in members {
        let mut aging = member.aging;
        aging.touch(member.progress);
        if let Some(lease) = Arc::into_inner(member.lease) {
            lease.give_back_idle(aging);
        }
    }
}

/// A statement's place on a connection. Dropped before the statement has ended, nobody joins that connection any more,
/// and it is cleaned when the last statement on it has ended.
pub(crate) struct Seat<'a> {
    sharing: &'a Sharing,
    lease: Arc<Lease>,
    cost: Arc<Cost>,
    weight: Duration,
    /// There was another statement in front of it.
    behind: bool,
    began: Instant,
    /// How many bytes came, once the statement has ended well.
    bytes: Option<usize>,
}

impl Seat<'_> {
    pub(crate) fn connection(&self) -> &Connection {
        self.lease.connection()
    }

    /// Notes that the statement has ended well, and how many bytes it brought.
    pub(crate) fn ended(&mut self, bytes: usize) {
        self.bytes = Some(bytes);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.sharing.state();
        let (trip, late) = (state.trip, state.late(self.sharing));
        let at = state.members.iter().position(|member| Arc::ptr_eq(&member.lease, &self.lease));
        // Without the trip, and without what was in front of it.
        let mut took = now.saturating_duration_since(self.began).saturating_sub(trip);
        let mut gone = None;
        if let Some(at) = at {
            let wanted = state.wanted > 0 && state.wanted > state.leaving();
            let member = &mut state.members[at];
            member.depth -= 1;
            if member.depth <= 1 {
                self.lease.connection().set_crowded(false);
            }
            member.writes -= usize::from(self.cost.kind == Kind::Write);
            member.backlog =
                if member.depth == 0 { Duration::ZERO } else { member.backlog.saturating_sub(self.weight) };
            member.alone = false;
            if self.behind {
                took = took.min(now.saturating_duration_since(member.progress));
            }
            member.progressed(now, late);
            member.fit = (now + self.sharing.rest).min(member.expires);
            let connection = self.lease.connection();
            member.leaving |= wanted || now >= member.expires || !connection.is_clean() || connection.is_closed();
            if member.leaving && member.depth == 0 {
                gone = Some(state.members.remove(at));
            }
        }
        let someone_waits = state.waiting > 0;
        drop(state);
        if someone_waits {
            self.sharing.room.notify_one();
        }
        if let Some(bytes) = self.bytes {
            self.cost.learn(took, bytes);
        }
        drop(gone);
    }
}

/// The right to take one more connection from the pool.
pub(crate) struct Opening<'a> {
    sharing: &'a Sharing,
    /// There is no other place: it has to wait for one.
    pub(crate) must: bool,
    cost: Arc<Cost>,
    expected: Duration,
}

impl<'a> Opening<'a> {
    fn new(sharing: &'a Sharing, state: &mut State, cost: Arc<Cost>, expected: Duration) -> Self {
        state.opening = true;
        Self { sharing, must: state.members.iter().all(|member| member.leaving), cost, expected }
    }

    /// The first place on that connection; `None` where there are none any more.
    pub(crate) fn adopt(self, lease: Lease) -> Option<Seat<'a>> {
        self.sharing.adopt(lease, self.cost.clone(), self.expected)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut state = self.sharing.state();
        state.opening = false;
        let someone_waits = state.waiting > 0;
        drop(state);
        if someone_waits {
            // Without a connection they look for another who opens one. Were it told to nobody, whoever waits next would
            // not wait, and tell himself again.
            self.sharing.room.notify_one();
        }
    }
}

/// Waits for room on a member.
pub(crate) struct Waiting<'a> {
    counted: Counted<'a>,
    /// Made before the lock is let go, so that nothing is missed.
    room: Notified<'a>,
}

impl<'a> Waiting<'a> {
    fn new(sharing: &'a Sharing, state: &mut State, queued: bool) -> Self {
        state.waiting += 1;
        Self { counted: Counted { sharing, queued }, room: sharing.room.notified() }
    }

    /// Comes back when there may be room, and at `end`.
    pub(crate) async fn until(self: Box<Self>, end: Instant) {
        let Self { room, counted: _counted } = *self;
        let _ = timeout_at(end.into(), room).await;
    }
}

struct Counted<'a> {
    sharing: &'a Sharing,
    queued: bool,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut state = self.sharing.state();
        state.waiting -= 1;
        if self.queued {
            state.queued = false;
        }
    }
}

/// A task holds a connection.
pub(crate) struct Held {
    sharing: Arc<Sharing>,
    task: Option<Id>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.sharing.state();
        if let Some(at) = state.holders.iter().position(|task| *task == self.task) {
            state.holders.swap_remove(at);
        }
    }
}

/// Someone waits for a connection of their own.
pub(crate) struct Wanted<'a>(&'a Sharing);

impl Wanted<'_> {
    /// Has a member leave for it; `again` if those that leave already don't come back.
    pub(crate) fn give_up_one(&self, again: bool) {
        let mut state = self.0.state();
        let gone = if again || state.wanted > state.leaving() { state.give_up_one(Instant::now()) } else { None };
        drop(state);
        drop(gone);
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.state().wanted -= 1;
    }
}
