//! Places on connections, and what waits for one. Each is given up when it is dropped.

use std::{sync::Arc, time::Instant};

use tokio::{sync::futures::Notified, task::Id, time::timeout_at};

use super::{
    clock::Nanos,
    connection::Connection,
    cost::{Cost, Kind},
    lease::Lease,
    members::State,
    sharing::Sharing,
};
use crate::call::Call;

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

/// A statement's place on a connection. Dropped before the statement has ended, nobody joins that connection any more,
/// and it is cleaned when the last statement on it has ended.
pub(crate) struct Seat<'a> {
    pub(super) sharing: &'a Sharing,
    pub(super) lease: Arc<Lease>,
    pub(super) cost: Arc<Cost>,
    pub(super) weight: Nanos,
    /// There was another statement in front of it.
    pub(super) behind: bool,
    pub(super) began: Nanos,
    /// How many bytes came, once the statement has ended well.
    pub(super) bytes: Option<usize>,
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
        if !self.sharing.on {
            return;
        }
        let now = self.sharing.clock.now();
        let mut state = self.sharing.state();
        let (trip, late) = (state.trip, state.late(self.sharing));
        let at = state.members.iter().position(|member| Arc::ptr_eq(&member.lease, &self.lease));
        // Without the trip, and without what was in front of it.
        let mut took = now.saturating_sub(self.began).saturating_sub(trip);
        let mut gone = None;
        if let Some(at) = at {
            let wanted = (state.wanted > 0 && state.wanted > state.leaving())
                || (self.sharing.is_wanted_elsewhere() && state.leaving() == 0);
            let member = &mut state.members[at];
            member.depth -= 1;
            if member.depth <= 1 {
                self.lease.connection().set_crowded(false);
            }
            member.writes -= usize::from(self.cost.kind == Kind::Write);
            member.backlog = if member.depth == 0 { 0 } else { member.backlog.saturating_sub(self.weight) };
            member.alone = false;
            if self.behind {
                took = took.min(now.saturating_sub(member.progress));
            }
            member.progressed(now, late);
            member.fit = (now + self.sharing.rest).min(member.expires);
            let connection = self.lease.connection();
            member.leaving |= wanted || now >= member.expires || !connection.is_clean() || connection.is_closed();
            if member.leaving && member.depth == 0 {
                gone = Some(state.members.remove(at));
            }
        }
        // One place is free again, or many if nobody could join because the member was late.
        let free = if state.waiting > 0 { state.free(now, self.sharing).clamp(1, state.waiting) } else { 0 };
        drop(state);
        (0..free).for_each(|_| self.sharing.room.notify_one());
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
    call: Call,
    cost: Arc<Cost>,
    expected: Nanos,
}

impl<'a> Opening<'a> {
    pub(super) fn new(sharing: &'a Sharing, state: &mut State, call: Call, cost: Arc<Cost>, expected: Nanos) -> Self {
        state.opening = true;
        Self { sharing, must: state.members.iter().all(|member| member.leaving), call, cost, expected }
    }

    /// The first place on that connection; `None` where there are none any more.
    pub(crate) fn adopt(self, lease: Lease) -> Option<Seat<'a>> {
        self.sharing.adopt(lease, self.call, self.cost.clone(), self.expected)
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
    pub(super) fn new(sharing: &'a Sharing, state: &mut State, queued: bool) -> Self {
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
    pub(super) sharing: Arc<Sharing>,
    pub(super) task: Option<Id>,
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

impl<'a> Wanted<'a> {
    pub(super) fn new(sharing: &'a Sharing) -> Self {
        Self(sharing)
    }

    /// Has a member leave for it; `again` if those that leave already don't come back.
    pub(crate) fn give_up_one(&self, again: bool) {
        let mut state = self.0.state();
        let gone = if again || state.wanted > state.leaving() { state.give_up_one(self.0.clock.now()) } else { None };
        drop(state);
        drop(gone);
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.state().wanted -= 1;
    }
}
