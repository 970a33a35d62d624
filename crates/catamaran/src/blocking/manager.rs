//! Makes connections for the pool, and decides at checkout whether one is still good.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Instant,
};

use postgres::Client;
use r2d2::ManageConnection;
use r2d2_postgres::PostgresConnectionManager;

use super::connection::{Condition, Connection};
use crate::{
    Config, Error, ErrorKind, Result,
    aging::{Aging, Limits, Verdict},
    budget::{Budget, Permit, Side},
    holders::Connects,
    pooler::{Marker, QUESTION, opening},
    tls::{Connector, Tls},
};

/// What the pool keeps: a connection and its age, or why there is none.
///
/// r2d2 would try again in the background until its caller's time is up; a failure that travels through the pool like
/// a connection reaches the caller at once.
pub(crate) enum Pooled {
    Live {
        connection: Arc<Connection>,
        aging: Aging,
        broken: bool,
    },
    /// The budget has no permit for one more.
    OverBudget,
    Failed {
        error: Error,
        at: Instant,
    },
}

/// Shared by the pool, which does not let its manager be seen, the service and threads that connect.
#[derive(Clone)]
pub(crate) struct Manager(Arc<Shared>);

struct Shared {
    config: Config,
    limits: Limits,
    tls: Tls,
    budget: Option<Arc<Budget>>,
    connects: Connects,
    /// Threads that connect, or that have been waiting for too long and were left behind.
    connecting: AtomicUsize,
    closed: AtomicBool,
    /// When a connection was last found dead, and whether one was at all, which can be asked without the lock.
    suspect: Mutex<Option<Instant>>,
    suspects: AtomicBool,
}

impl Manager {
    pub(crate) fn new(config: Config, budget: Option<Arc<Budget>>) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            limits: Limits::of(&config),
            tls: Tls::new(&config)?,
            config,
            budget,
            connects: Connects::default(),
            connecting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            suspect: Mutex::new(None),
            suspects: AtomicBool::new(false),
        })))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn budget(&self) -> Option<&Arc<Budget>> {
        self.0.budget.as_ref()
    }

    pub(crate) fn connects(&self) -> &Connects {
        &self.0.connects
    }

    /// From now on every connection that comes back is closed.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, SeqCst);
    }

    /// Whether a connection that was idle can be used `now`.
    pub(crate) fn recycle(&self, connection: &Connection, aging: &Aging, now: Instant) -> bool {
        match aging.verdict(now, &self.0.limits, self.suspected()) {
            // What has happened to it since it came back would show only in use.
            Verdict::Use => true,
            Verdict::Close => false,
            Verdict::Test => connection.with(|open| open.test(self.0.config.get_test_timeout())).is_ok(),
        }
    }

    fn suspected(&self) -> Option<Instant> {
        if !self.0.suspects.load(SeqCst) {
            return None;
        }
        *self.0.suspect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspect(&self) {
        *self.0.suspect.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.suspects.store(true, SeqCst);
    }

    /// Connects on a thread of its own: the driver has no limit for the login, and a thread can be left behind.
    fn connect_in_time(&self, permit: Option<Permit>) -> Result<Connection> {
        let (limit, shared) = (self.0.config.get_connect_timeout(), self.0.clone());
        if shared.connecting.load(SeqCst) >= 2 * shared.config.get_max_size() as usize {
            return Err(Error::new(
                ErrorKind::Connect,
                "the server does not answer; earlier attempts are still waiting",
            ));
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        shared.connecting.fetch_add(1, SeqCst);
        let connect = move || {
            let result = shared.connect(permit);
            shared.connecting.fetch_sub(1, SeqCst);
            // Nobody receives it if the time is up: the connection is closed then.
            let _ = sender.send(result);
        };
        if let Err(error) = thread::Builder::new().name("catamaran-connect".into()).spawn(connect) {
            self.0.connecting.fetch_sub(1, SeqCst);
            return Err(Error::with_source(ErrorKind::Connect, "no thread could be started to connect", error));
        }
        receiver.recv_timeout(limit).unwrap_or_else(|_| Err(Error::connect_timeout(limit)))
    }
}

impl Shared {
    fn connect(&self, permit: Option<Permit>) -> Result<Connection> {
        let mut attempts = self.tls.attempts().iter().enumerate();
        loop {
            let Some((index, attempt)) = attempts.next() else {
                return Err(Error::new(ErrorKind::Config, "no way to connect is configured"));
            };
            let mut driver = self.config.driver();
            driver.ssl_mode(attempt.mode);
            match self.connect_as(driver, &attempt.connector) {
                Err(error) if self.tls.may_try_next(index, &error) => continue,
                Err(error) => return Err(error),
                Ok(client) => {
                    let keep = self.config.get_statement_cache_size();
                    return Ok(Connection::new(client, attempt.connector.clone(), keep, permit));
                }
            }
        }
    }

    fn connect_as(&self, mut driver: tokio_postgres::Config, connector: &Connector) -> Result<Client> {
        let marker = Marker::add_to(&mut driver);
        let mut client = PostgresConnectionManager::new(driver.into(), connector.clone()).connect().map_err(opening)?;
        // The server itself must be at the other end.
        marker.check(client.simple_query(QUESTION))?;
        Ok(client)
    }
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled> {
        let permit = match &self.0.budget {
            Some(budget) => match budget.take(Side::Blocking) {
                Some(permit) => Some(permit),
                None => return Ok(Pooled::OverBudget),
            },
            None => None,
        };
        let connecting = self.0.connects.begin();
        Ok(match connecting.ended(self.connect_in_time(permit)) {
            Ok(connection) => {
                let aging = Aging::new(Instant::now(), self.0.config.draw_lifetime());
                Pooled::Live { connection: Arc::new(connection), aging, broken: false }
            }
            Err(error) => Pooled::Failed { error, at: Instant::now() },
        })
    }

    /// Not asked: the pool is built not to test by itself, see [`Manager::recycle`].
    fn is_valid(&self, _: &mut Pooled) -> Result<()> {
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        match pooled {
            Pooled::Failed { .. } | Pooled::OverBudget => true,
            Pooled::Live { connection, aging, broken } => {
                if *broken && connection.condition() == Condition::Closed {
                    self.suspect();
                }
                *broken || self.0.closed.load(SeqCst) || aging.has_expired()
            }
        }
    }
}
