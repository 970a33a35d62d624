//! Makes connections for the pool, and decides at checkout whether one is still good.

use std::{sync::Arc, time::Instant};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokio::time::timeout;

use super::{
    connection::Connection,
    driver::{Crowded, drive},
};
use crate::{
    Config, Error, ErrorKind, Result,
    aging::{Aging, Limits, Verdict},
    budget::{Budget, Permit, Side},
    holders::Connects,
    pooler::{Marker, QUESTION, opening},
    tls::{Connector, Tls},
};

/// What the pool keeps: a connection and its age.
pub(crate) struct Pooled {
    pub(crate) connection: Arc<Connection>,
    pub(crate) aging: Aging,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The budget has no permit for one more.
    OverBudget,
    Failed(Error),
}

pub(crate) struct Manager {
    config: Config,
    limits: Limits,
    tls: Tls,
    budget: Option<Arc<Budget>>,
    connects: Connects,
}

impl Manager {
    pub(crate) fn new(config: Config, budget: Option<Arc<Budget>>) -> Result<Self> {
        Ok(Self { limits: Limits::of(&config), tls: Tls::new(&config)?, config, budget, connects: Connects::default() })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    pub(crate) fn connects(&self) -> &Connects {
        &self.connects
    }

    async fn connect(&self, mut permit: Option<Permit>) -> Result<Pooled> {
        let mut attempts = self.tls.attempts().iter().enumerate();
        loop {
            let Some((index, attempt)) = attempts.next() else {
                return Err(Error::new(ErrorKind::Config, "no way to connect is configured"));
            };
            let mut driver = self.config.driver();
            driver.ssl_mode(attempt.mode);
            match self.connect_as(driver, attempt.connector.clone(), &mut permit).await {
                Err(error) if self.tls.may_try_next(index, &error) => continue,
                result => return result,
            }
        }
    }

    async fn connect_as(
        &self,
        mut driver: tokio_postgres::Config,
        connector: Connector,
        permit: &mut Option<Permit>,
    ) -> Result<Pooled> {
        let marker = Marker::add_to(&mut driver);
        let (client, driver) = driver.connect(connector.clone()).await.map_err(opening)?;
        let crowded = Crowded::default();
        let driver = drive(driver, crowded.clone(), permit.take());
        let aging = Aging::new(Instant::now(), self.config.draw_lifetime());
        let connection = Connection::new(client, driver, crowded, connector, self.config.get_statement_cache_size());
        // The server itself must be at the other end.
        marker.check(connection.client.simple_query(QUESTION).await)?;
        let connection = if self.config.get_sharing() { connection.timed().await? } else { connection };
        Ok(Pooled { connection: Arc::new(connection), aging })
    }
}

impl managed::Manager for Manager {
    type Type = Pooled;
    type Error = Refused;

    async fn create(&self) -> Result<Pooled, Refused> {
        let permit = match &self.budget {
            Some(budget) => Some(budget.take(Side::Nonblocking).ok_or(Refused::OverBudget)?),
            None => None,
        };
        let limit = self.config.get_connect_timeout();
        // Large and rare: in a box, it makes no checkout large that needs none.
        let connecting = self.connects.begin();
        let connected = timeout(limit, Box::pin(self.connect(permit))).await;
        let connected = connected.unwrap_or_else(|_| Err(Error::connect_timeout(limit)));
        connecting.ended(connected).map_err(Refused::Failed)
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<Refused> {
        let Pooled { connection, aging } = pooled;
        if connection.is_closed() || !connection.is_clean() {
            return Err(RecycleError::message("the connection is closed"));
        }
        match aging.verdict(Instant::now(), &self.limits, None) {
            Verdict::Use => Ok(()),
            Verdict::Close => Err(RecycleError::message("the connection has reached its age")),
            Verdict::Test => match timeout(self.config.get_test_timeout(), Box::pin(connection.ping())).await {
                Ok(result) => result.map_err(|error| RecycleError::Backend(Refused::Failed(error))),
                Err(_) => Err(RecycleError::message("the connection does not answer")),
            },
        }
    }
}
