//! How a caller gets a connection, or a place on one.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use deadpool::managed::{Object, PoolError, TimeoutType, Timeouts};
use futures_util::future::{Either, select};
use tokio::{
    task::yield_now,
    time::{sleep, timeout_at},
};

use super::{
    connection::SERVICE,
    database::DeadpoolDatabase,
    lease::Lease,
    line::Line,
    manager::{Manager, Refused},
    seat::{Opening, Place, Seat, Waiting},
    upkeep::Kept,
};
use crate::{
    AsyncDatabaseService as _, Error, ErrorKind, Result,
    budget::{Budget, Side},
    call::Call,
    holders::{Origin, Wait},
};

/// How long a caller waits for the shared connection that drains for it before another does so too.
const PATIENCE: Duration = Duration::from_millis(20);

/// What the pool gives.
type Got = std::result::Result<Object<Manager>, PoolError<Refused>>;

impl DeadpoolDatabase {
    /// A connection for one caller alone.
    pub(super) async fn checkout(&self, call: Call) -> Result<Lease> {
        let origin = Origin::current().await;
        let lease = match (self.pool.manager().budget(), self.sharing.on) {
            (Some(budget), _) => match self.checkout_at_once(Some(budget)).await? {
                Some(lease) => lease,
                None => Box::pin(self.checkout_within(budget, self.wait(call, &origin)?)).await?,
            },
            (None, true) => match self.checkout_at_once(None).await? {
                Some(lease) => lease,
                None => Box::pin(self.checkout_shared(self.wait(call, &origin)?)).await?,
            },
            (None, false) => self.checkout_apart(call, &origin).await?,
        };
        Ok(lease.held_by(&self.holders, call, origin))
    }

    /// Begins to wait for a connection, unless that would be a wait for the caller itself.
    fn wait(&self, call: Call, origin: &Origin) -> Result<Wait> {
        self.holders.check(SERVICE, self.most, call, origin)?;
        Ok(Wait::new(Instant::now(), self.checkout_timeout))
    }

    /// One that nobody uses, or that there may be more of, unless others have waited for it.
    async fn checkout_at_once(&self, budget: Option<&Arc<Budget>>) -> Result<Option<Lease>> {
        if budget.is_some_and(|budget| budget.has_line(Side::Nonblocking)) {
            return Ok(None);
        }
        match self.sharing.take_idle() {
            Some(lease) => Ok(Some(lease)),
            None => self.checkout_now().await,
        }
    }

    /// One out of the pool, where none are shared.
    async fn checkout_apart(&self, call: Call, origin: &Origin) -> Result<Lease> {
        self.keep_up();
        let mut getting = pin!(self.pool.get());
        let at_once = poll_fn(|cx| Poll::Ready(getting.as_mut().poll(cx)));
        if let Poll::Ready(result) = at_once.await {
            return self.leased(result);
        }
        let mut wait = self.wait(call, origin)?;
        let result = getting.await;
        wait.woke(wait.end());
        self.waited(result, &wait)
    }

    /// One that comes back, or that a member gives up.
    async fn checkout_shared(&self, mut wait: Wait) -> Result<Lease> {
        let wanted = self.sharing.want();
        let mut getting = pin!(self.pool.get());
        let mut again = false;
        loop {
            wanted.give_up_one(again);
            again = true;
            let until = Instant::now() + PATIENCE;
            let result = timeout_at(until.into(), getting.as_mut()).await;
            wait.woke(until);
            if let Ok(result) = result {
                return self.waited(result, &wait);
            }
        }
    }

    /// The same where another pool may have the connections. Callers wait in the line of the budget alone: what comes
    /// back, here or there, is told to the first of it.
    async fn checkout_within(&self, budget: &Arc<Budget>, mut wait: Wait) -> Result<Lease> {
        let mut waits = budget.has_line(Side::Nonblocking);
        let (wanted, line) = (self.sharing.want(), Line::new(budget, wait.came));
        let mut again = false;
        loop {
            if waits {
                let until = wait.end().min(Instant::now() + PATIENCE);
                if !line.until(until).await {
                    wait.woke(until);
                    if wait.is_over() {
                        return Err(self.timed_out(&wait));
                    }
                }
            }
            // Once more before waiting: what came free in between was told to nobody.
            waits = true;
            if let Some(lease) = self.sharing.take_idle_for_first() {
                return Ok(lease);
            }
            if let Some(lease) = self.checkout_now().await? {
                return Ok(lease);
            }
            wanted.give_up_one(again);
            again = true;
        }
    }

    /// A connection that nobody uses, or a new one if there may be one more.
    async fn checkout_now(&self) -> Result<Option<Lease>> {
        self.keep_up();
        let now = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
        match self.pool.timeout_get(&now).await {
            Err(PoolError::Timeout(TimeoutType::Wait) | PoolError::Backend(Refused::OverBudget)) => Ok(None),
            result => self.leased(result).map(Some),
        }
    }

    fn keep_up(&self) {
        self.upkeep.start(|| Kept {
            pool: self.pool.weak(),
            sharing: Arc::downgrade(&self.sharing),
            holders: Arc::downgrade(&self.holders),
            limits: *self.pool.manager().limits(),
            statement_timeout: self.statement_timeout,
        });
    }

    fn waited(&self, result: Got, wait: &Wait) -> Result<Lease> {
        match result {
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(self.timed_out(wait)),
            result => self.leased(result),
        }
    }

    fn leased(&self, result: Got) -> Result<Lease> {
        match result {
            Ok(object) => Ok(Lease::new(object, self.pool.manager().budget())),
            Err(PoolError::Backend(Refused::Failed(error))) => Err(error),
            Err(PoolError::Closed) => Err(Error::closed()),
            Err(_) => Err(Error::new(ErrorKind::PoolTimeout, "the pool gave no connection")),
        }
    }

    fn timed_out(&self, wait: &Wait) -> Error {
        wait.error(self.status(), self.pool.manager().connects(), &self.holders)
    }

    /// A place for a single statement where there is none at once.
    pub(super) async fn seat_later<'a>(&'a self, call: Call, sql: &str, mut place: Place<'a>) -> Result<Seat<'a>> {
        let mut wait = Wait::new(Instant::now(), self.checkout_timeout);
        let mut again = false;
        loop {
            let seat = match place {
                Place::Seat(seat) => return Ok(seat),
                _ if wait.is_over() => return Err(self.timed_out(&wait)),
                Place::Own(cost) => return Ok(self.sharing.alone(self.checkout(call).await?, cost)),
                Place::Open(opening) if opening.must => opening.adopt(self.checkout(call).await?.released()),
                // Whoever has another choice takes it when no connection is to be had.
                Place::Open(opening) => match self.checkout_now().await {
                    Ok(Some(lease)) => opening.adopt(lease),
                    _ => None,
                },
                Place::Wait(waiting, None) => {
                    waiting.until(wait.end()).await;
                    None
                }
                Place::Wait(waiting, Some(opening)) => self.first_free(waiting, opening, wait.end()).await,
            };
            if let Some(seat) = seat {
                return Ok(seat);
            }
            wait.woke(wait.end());
            if again {
                // Whoever else was told that there is room has his turn: what he does not take is told to the next one that
                // waits, which may be this one, at once and again and again.
                yield_now().await;
            }
            again = true;
            place = self.sharing.place(call, sql, true);
        }
    }

    /// A place on one more connection, or `None` when there may be room on another.
    async fn first_free<'a>(&self, waiting: Box<Waiting<'a>>, opening: Opening<'a>, end: Instant) -> Option<Seat<'a>> {
        // Connecting is not given up for room elsewhere, or it would begin again and again.
        let lease = match self.checkout_now().await {
            Ok(None) => match select(pin!(waiting.until(end)), pin!(self.pool.get())).await {
                Either::Left(_) => return None,
                Either::Right((result, _)) => self.leased(result).ok(),
            },
            result => result.ok().flatten(),
        };
        match lease {
            Some(lease) => opening.adopt(lease),
            None => {
                // Not at once again: what could not be opened will not be for a while.
                sleep(PATIENCE.min(end.saturating_duration_since(Instant::now()))).await;
                None
            }
        }
    }
}
