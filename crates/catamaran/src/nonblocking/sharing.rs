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

use tokio::{sync::Notify, task::try_id};

use super::{
    clock::{Clock, Nanos, nanos},
    cost::{Cost, Costs, Kind},
    lease::Lease,
    members::{Caller, Member, State, give_back},
    seat::{Held, Opening, Place, Seat, Waiting, Wanted},
};
use crate::{
    Config, Holder,
    aging::{FAR, Limits},
    budget::{Budget, Side},
    call::Call,
    holders::Shared,
};

/// A connection on which nothing has ended for this many budgets is not joined: what runs there was not expected.
const LATE: Nanos = 8;
/// A budget of nothing leaves time for a turn of the scheduler.
const SHORTEST_LATE: Nanos = 1_000_000;
/// A connection is filled to this part of the permitted depth before the next one is used.
const FILL: u32 = 4;
/// What the cheapest statement counts for.
const LEAST: Nanos = 5_000;

pub(crate) struct Sharing {
    pub(super) on: bool,
    pub(super) clock: Clock,
    pub(super) budget: Nanos,
    pub(super) late: Nanos,
    pub(super) depth: usize,
    /// How deep a connection is filled before the next one is used.
    pub(super) fill: usize,
    pub(super) size: usize,
    /// For how long it may lie unused and be used without a test.
    pub(super) rest: Nanos,
    pub(super) state: Mutex<State>,
    /// What statements cost where nothing is shared: nobody asks.
    unknown: Arc<Cost>,
    /// What the other pool may take connections from.
    common: Option<Arc<Budget>>,
    /// Told when a statement has ended, if someone waits for room.
    pub(super) room: Notify,
}

impl Sharing {
    pub(crate) fn new(config: &Config, common: Option<Arc<Budget>>) -> Self {
        let limits = Limits::of(config);
        let budget = nanos(config.get_sharing_budget());
        let state = State {
            members: Vec::new(),
            costs: Costs::new(),
            trip: Nanos::MAX,
            opening: false,
            waiting: 0,
            queued: false,
            wanted: 0,
            holders: Vec::new(),
            closed: false,
        };
        Self {
            on: config.get_sharing(),
            clock: Clock::new(),
            budget,
            late: budget.saturating_mul(LATE).max(SHORTEST_LATE),
            depth: config.get_sharing_depth() as usize,
            fill: config.get_sharing_depth().div_ceil(FILL) as usize,
            size: config.get_max_size() as usize,
            rest: nanos(limits.idle_timeout.min(limits.test_after_idle).min(FAR)),
            state: Mutex::new(state),
            unknown: Arc::new(Cost::unknown()),
            common,
            room: Notify::new(),
        }
    }

    /// Finds a place for a statement; `again` after having waited for one, or for a connection that did not come.
    pub(crate) fn place(&self, call: Call, sql: &str, again: bool) -> Place<'_> {
        if !self.on {
            return Place::Own(self.unknown.clone());
        }
        let now = self.clock.now();
        let mut gone = Vec::new();
        let mut state = self.state();
        let cost = state.costs.of(sql);
        if cost.kind == Kind::Own {
            return Place::Own(cost);
        }
        let expected = if state.holds() { None } else { cost.cheap(self.budget) };
        let place = match expected {
            None => match state.idle(now, &mut gone) {
                Some(at) => Place::Seat(self.sit(&mut state, at, now, call, cost, None)),
                None => Place::Own(cost),
            },
            Some(expected) if !again && state.waiting > 0 && state.free(now, self) <= state.waiting => {
                self.wait(&mut state, call, cost, expected)
            }
            Some(expected) => match state.room(now, expected, cost.kind, self, &mut gone) {
                Some(at) => Place::Seat(self.sit(&mut state, at, now, call, cost, Some(expected))),
                None if state.may_open(again, self) => {
                    Place::Open(Opening::new(self, &mut state, call, cost, expected))
                }
                None => match state.least(now, cost.kind, self) {
                    Some(at) => Place::Seat(self.sit(&mut state, at, now, call, cost, Some(expected))),
                    None => self.wait(&mut state, call, cost, expected),
                },
            },
        };
        drop(state);
        if !gone.is_empty() {
            give_back(gone, &self.clock);
        }
        place
    }

    fn wait<'a>(&'a self, state: &mut State, call: Call, cost: Arc<Cost>, expected: Nanos) -> Place<'a> {
        let elsewhere = !state.opening && state.members.len() < self.size;
        let opening = elsewhere.then(|| Opening::new(self, state, call, cost, expected));
        state.queued |= elsewhere;
        Place::Wait(Box::new(Waiting::new(self, state, elsewhere)), opening)
    }

    fn sit(
        &self,
        state: &mut State,
        at: usize,
        now: Nanos,
        call: Call,
        cost: Arc<Cost>,
        expected: Option<Nanos>,
    ) -> Seat<'_> {
        let late = state.late(self);
        let member = &mut state.members[at];
        let behind = member.depth > 0;
        if !behind {
            member.progressed(now, late);
        }
        let weight = expected.map_or(0, |expected| expected.max(LEAST));
        member.depth += 1;
        if behind {
            member.lease.connection().set_crowded(true);
        }
        member.writes += usize::from(cost.kind == Kind::Write);
        member.backlog += weight;
        member.alone = expected.is_none();
        member.caller = Caller::new(call, expected.is_none());
        Seat { sharing: self, lease: member.lease.clone(), cost, weight, behind, began: now, bytes: None }
    }

    /// A place on a connection that is no member.
    pub(crate) fn alone(&self, lease: Lease, cost: Arc<Cost>) -> Seat<'_> {
        if self.on {
            self.state().note_trip(&lease);
        }
        Seat {
            sharing: self,
            lease: Arc::new(lease),
            cost,
            weight: 0,
            behind: false,
            began: if self.on { self.clock.now() } else { 0 },
            bytes: None,
        }
    }

    /// Makes a connection a member, and gives the first place on it, however soon it would have to be tested again.
    pub(super) fn adopt(&self, lease: Lease, call: Call, cost: Arc<Cost>, expected: Nanos) -> Option<Seat<'_>> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let mut aging = lease.aging()?;
        let now = Instant::now();
        // The pool has looked at it only now.
        aging.touch(now);
        let (now, expires) = (self.clock.of(now), self.clock.of(aging.expires()));
        state.note_trip(&lease);
        let late = now + state.late(self);
        state.members.push(Member {
            aging,
            lease: Arc::new(lease),
            depth: 0,
            writes: 0,
            backlog: 0,
            progress: now,
            late,
            expires,
            fit: (now + self.rest).min(expires),
            alone: false,
            leaving: false,
            caller: Caller::new(call, false),
        });
        let at = state.members.len() - 1;
        let seat = self.sit(&mut state, at, now, call, cost, Some(expected));
        drop(state);
        self.room.notify_waiters();
        Some(seat)
    }

    /// A member that nobody uses, for someone who wants it alone, unless others wait for one.
    pub(crate) fn take_idle(&self) -> Option<Lease> {
        self.take_idle_if(|state| state.wanted == 0)
    }

    /// The same for one of those who wait, whose turn it is.
    pub(crate) fn take_idle_for_first(&self) -> Option<Lease> {
        self.take_idle_if(|_| true)
    }

    fn take_idle_if(&self, may: impl FnOnce(&State) -> bool) -> Option<Lease> {
        let mut gone = Vec::new();
        let mut state = self.state();
        let at = if may(&state) { state.idle(self.clock.now(), &mut gone) } else { None };
        let taken = at.map(|at| state.members.remove(at));
        drop(state);
        give_back(gone, &self.clock);
        taken.and_then(|member| Arc::into_inner(member.lease))
    }

    /// Whether the other pool of the budget has waited for a connection.
    pub(super) fn is_wanted_elsewhere(&self) -> bool {
        self.common.as_ref().is_some_and(|budget| budget.is_wanted(Side::Nonblocking))
    }

    /// Notes that someone waits for a connection of their own.
    pub(crate) fn want(&self) -> Wanted<'_> {
        self.state().wanted += 1;
        Wanted::new(self)
    }

    /// Notes that the current task holds a connection.
    ///
    /// Its other statements share none: they might come to stand behind one that waits for the transaction's locks.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Held> {
        if !self.on {
            return None;
        }
        let task = try_id();
        self.state().holders.push(task);
        Some(Held { sharing: self.clone(), task })
    }

    /// Closes connections on which nothing has ended for so long that no statement can be the reason, but only a caller
    /// who does not take his reply.
    pub(crate) fn cut(&self, after: Duration) {
        let (now, after) = (self.clock.now(), nanos(after));
        let state = self.state();
        let stuck = |member: &&Member| member.depth > 0 && now.saturating_sub(member.progress) > after;
        state.members.iter().filter(stuck).for_each(|member| member.lease.connection().cut());
    }

    /// Gives back what nobody uses, so that the pool can see how long that has been so.
    pub(crate) fn give_back_idle(&self) {
        let mut state = self.state();
        let (idle, busy) = state.members.drain(..).partition(|member| member.depth == 0);
        state.members = busy;
        drop(state);
        give_back(idle, &self.clock);
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared for Sharing {
    fn holders(&self) -> Vec<Holder> {
        let now = self.clock.now();
        self.state().members.iter().filter_map(|member| member.holder(now)).collect()
    }
}
