//! How a caller gets a connection.

use std::time::Instant;

use super::{
    connection::SERVICE,
    database::{Database, discard},
    lease::Lease,
    line::Line,
    manager::Pooled,
    queue::{Permit, Refused},
};
use crate::{
    DatabaseService as _, Error, ErrorKind, Result,
    budget::Side,
    call::Call,
    holders::{Origin, Wait},
};

impl Database {
    /// A connection for one caller.
    pub(super) fn checkout(&self) -> Result<Lease> {
        let (call, origin) = (Call::here("checkout"), Origin::here());
        let wait = Wait::new(Instant::now(), self.checkout_timeout);
        self.upkeep.start(&self.holders);
        let permit = self.enter(call, &origin, &wait)?;
        let mut line = None;
        if let Some(budget) = self.manager.budget().filter(|budget| budget.has_line(Side::Blocking)) {
            self.check(call, &origin)?;
            line = Some(self.wait(Line::new(budget, wait.came), &wait)?);
        }
        loop {
            // With a permit, this waits only while a connection is being made.
            let pooled = self.pool.get().map_err(|error| {
                Error::with_source(ErrorKind::Connect, format!("no connection after {:?}", self.connect_timeout), error)
            })?;
            match (&*pooled, self.manager.budget()) {
                (Pooled::Live { connection, aging, .. }, budget)
                    if self.manager.recycle(connection, aging, wait.came) =>
                {
                    let connection = connection.clone();
                    let hold = connection.held_by(&self.holders, call, origin);
                    return Ok(Lease::new(connection, pooled, permit, budget.cloned(), hold));
                }
                (Pooled::Failed { error, at }, _) if *at >= wait.came => return Err(error.clone()),
                (Pooled::OverBudget, Some(budget)) => {
                    drop(pooled);
                    // Once more before waiting: what came free in between was told to nobody.
                    line = Some(match line {
                        Some(line) => self.wait(line, &wait)?,
                        None => {
                            self.check(call, &origin)?;
                            Line::new(budget, wait.came)
                        }
                    });
                    continue;
                }
                _ => {}
            }
            discard(pooled);
        }
    }

    /// Waits for the right to a connection.
    fn enter(&self, call: Call, origin: &Origin, wait: &Wait) -> Result<Permit> {
        if let Some(permit) = self.queue.try_enter() {
            return Ok(permit);
        }
        self.check(call, origin)?;
        self.queue.enter(wait.came, wait.end()).map_err(|refused| match refused {
            Refused::Closed => Error::closed(),
            Refused::TimedOut => self.timed_out(wait),
        })
    }

    /// Waits in the line of the budget.
    fn wait(&self, line: Line, wait: &Wait) -> Result<Line> {
        if line.wait(wait.end()) { Ok(line) } else { Err(self.timed_out(wait)) }
    }

    /// Fails if the caller would wait for itself.
    fn check(&self, call: Call, origin: &Origin) -> Result<()> {
        self.holders.check(SERVICE, self.most, call, origin)
    }

    fn timed_out(&self, wait: &Wait) -> Error {
        wait.error(self.status(), self.manager.connects(), &self.holders)
    }
}
