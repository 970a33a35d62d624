//! The connections that are shared, and which of them a statement joins.

use std::{sync::Arc, time::Duration};

use tokio::task::{Id, try_id};

use super::{
    clock::{Clock, Nanos, nanos},
    connection::SERVICE,
    cost::{Costs, Kind},
    lease::Lease,
    sharing::Sharing,
};
use crate::{
    aging::Aging,
    call::Call,
    guard::current_route,
    holders::{Holder, Work as _},
};

pub(super) struct State {
    pub(super) members: Vec<Member>,
    pub(super) costs: Costs,
    /// The fastest round trip seen, which is no work of the server's.
    pub(super) trip: Nanos,
    /// Someone takes another connection from the pool, to make it a member.
    pub(super) opening: bool,
    /// Callers that wait for room on a member, and whether one of them stands in the pool's queue as well.
    pub(super) waiting: usize,
    pub(super) queued: bool,
    /// Callers that wait for a connection of their own.
    pub(super) wanted: usize,
    /// The tasks that hold a connection with a transaction or a session, `None` for what is no task.
    pub(super) holders: Vec<Option<Id>>,
    pub(super) closed: bool,
}

/// A connection that is shared. Nobody joins one that is leaving or lent to a single statement.
pub(super) struct Member {
    pub(super) lease: Arc<Lease>,
    pub(super) aging: Aging,
    /// When it has reached its age.
    pub(super) expires: Nanos,
    /// The statements on it, those of them that write, and what they are expected to cost together.
    pub(super) depth: usize,
    pub(super) writes: usize,
    pub(super) backlog: Nanos,
    /// When a statement last ended on it, or began while there was none.
    pub(super) progress: Nanos,
    /// From when on that is so long ago that nobody joins it.
    pub(super) late: Nanos,
    /// Until when it may be used without a test.
    pub(super) fit: Nanos,
    pub(super) alone: bool,
    pub(super) leaving: bool,
    /// The last of those on it.
    pub(super) caller: Caller,
}

/// Who makes a single statement.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(super) call: Call,
    pub(super) route: Option<Arc<str>>,
}

impl Caller {
    /// Without its route where others may share the connection: with that, many a route would be noted and none asked for.
    pub(crate) fn new(call: Call, alone: bool) -> Self {
        Self { call, route: if alone { current_route() } else { None } }
    }
}

impl State {
    pub(super) fn holds(&self) -> bool {
        !self.holders.is_empty() && self.holders.contains(&try_id())
    }

    pub(super) fn note_trip(&mut self, lease: &Lease) {
        self.trip = self.trip.min(nanos(lease.connection().trip()));
    }

    /// For how long nothing may end on a connection before it is late. What is under way takes a trip at least.
    pub(super) fn late(&self, sharing: &Sharing) -> Nanos {
        sharing.late.saturating_add(if self.trip == Nanos::MAX { 0 } else { self.trip })
    }

    /// A member that nobody uses and that may be used without a test. Others go back to the pool, which tests them.
    pub(super) fn idle(&mut self, now: Nanos, gone: &mut Vec<Member>) -> Option<usize> {
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
    #[inline]
    pub(super) fn room(
        &mut self,
        now: Nanos,
        expected: Nanos,
        kind: Kind,
        sharing: &Sharing,
        gone: &mut Vec<Member>,
    ) -> Option<usize> {
        if kind == Kind::Read {
            let mut at = 0;
            while let Some(member) = self.members.get(at) {
                if member.depth == 0 {
                    if member.is_fit(now) {
                        return Some(at);
                    }
                    gone.push(self.members.remove(at));
                    continue;
                }
                if member.writes == 0
                    && member.depth < sharing.fill
                    && member.backlog + expected <= sharing.budget
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
    pub(super) fn least(&self, now: Nanos, kind: Kind, sharing: &Sharing) -> Option<usize> {
        let members = self.members.iter().enumerate().filter(|(_, member)| member.may_join(now, sharing));
        let cost = |member: &Member| (kind == Kind::Read && member.writes > 0, member.backlog, member.depth);
        members.min_by_key(|(_, member)| cost(member)).map(|(at, _)| at)
    }

    /// How many more statements could join members.
    pub(super) fn free(&self, now: Nanos, sharing: &Sharing) -> usize {
        let members = self.members.iter().filter(|member| member.may_join(now, sharing));
        members.map(|member| sharing.depth - member.depth).sum()
    }

    pub(super) fn may_open(&self, again: bool, sharing: &Sharing) -> bool {
        let none = self.members.iter().all(|member| member.leaving);
        !self.opening && (none || (!again && self.members.len() < sharing.size))
    }

    /// Lets one member go for someone who waits: the one that is free first, unless it is late.
    pub(super) fn give_up_one(&mut self, now: Nanos) -> Option<Member> {
        let cost = |member: &Member| (member.is_late(now), member.alone, member.backlog, member.depth);
        let staying = self.members.iter().enumerate().filter(|(_, member)| !member.leaving);
        let at = staying.min_by_key(|(_, member)| cost(member)).map(|(at, _)| at)?;
        self.members[at].leaving = true;
        (self.members[at].depth == 0).then(|| self.members.remove(at))
    }

    pub(super) fn leaving(&self) -> usize {
        self.members.iter().filter(|member| member.leaving).count()
    }
}

impl Member {
    pub(super) fn progressed(&mut self, now: Nanos, late: Nanos) {
        self.progress = now;
        self.late = now.saturating_add(late);
    }

    pub(super) fn is_late(&self, now: Nanos) -> bool {
        self.depth > 0 && now > self.late
    }

    pub(super) fn may_join(&self, now: Nanos, sharing: &Sharing) -> bool {
        !self.leaving
            && !self.alone
            && self.depth < sharing.depth
            && !self.is_late(now)
            && !self.lease.connection().is_closed()
    }

    /// Who uses it, as others see it; nobody if it is idle.
    pub(super) fn holder(&self, now: Nanos) -> Option<Holder> {
        let Caller { call, route } = &self.caller;
        (self.depth > 0).then(|| Holder {
            service: SERVICE,
            route: route.clone(),
            operation: call.operation,
            site: call.site(),
            statement: self.lease.connection().statement(),
            held: Duration::from_nanos(now.saturating_sub(self.progress)),
            sharers: self.depth,
        })
    }

    /// For a member that nobody uses: it may be used as it is.
    pub(super) fn is_fit(&self, now: Nanos) -> bool {
        now < self.fit && !self.lease.connection().is_closed()
    }
}

pub(super) fn give_back(members: Vec<Member>, clock: &Clock) {
    for member in members {
        let mut aging = member.aging;
        aging.touch(clock.instant(member.progress));
        if let Some(lease) = Arc::into_inner(member.lease) {
            lease.give_back_idle(aging);
        }
    }
}
