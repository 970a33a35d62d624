//! Both services from one configuration.

#[cfg(any(feature = "blocking", feature = "async"))]
use std::sync::Arc;

#[cfg(feature = "async")]
use crate::{AsyncDatabaseService, DeadpoolDatabase};
use crate::{Config, Result};
#[cfg(feature = "blocking")]
use crate::{DatabaseService, R2d2Database};

/// Both services of one [`Config`].
#[derive(Debug, Clone)]
pub struct Services {
    #[cfg(feature = "blocking")]
    blocking: Arc<R2d2Database>,
    #[cfg(feature = "async")]
    nonblocking: Arc<DeadpoolDatabase>,
}

/// Makes the services that are compiled in. Opens no connection: each pool does when it is first used.
///
/// ```no_run
/// # fn main() -> catamaran::Result<()> {
/// let db = catamaran::connect(catamaran::Config::from_env()?)?;
/// let (blocking, nonblocking) = (db.blocking(), db.nonblocking());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `Config` for settings that make no sense, `Tls` for certificates that can't be read.
pub fn connect(config: Config) -> Result<Services> {
    config.validate()?;
    #[cfg(any(feature = "blocking", feature = "async"))]
    let budget = config.shared_budget();
    Ok(Services {
        #[cfg(feature = "blocking")]
        blocking: Arc::new(R2d2Database::within(config.clone(), budget.clone())?),
        #[cfg(feature = "async")]
        nonblocking: Arc::new(DeadpoolDatabase::within(config, budget)?),
    })
}

impl Services {
    /// The blocking service.
    #[cfg(feature = "blocking")]
    pub fn blocking(&self) -> Arc<dyn DatabaseService> {
        self.blocking.clone()
    }

    /// The async service.
    #[cfg(feature = "async")]
    pub fn nonblocking(&self) -> Arc<dyn AsyncDatabaseService> {
        self.nonblocking.clone()
    }
}
