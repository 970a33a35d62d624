//! The async services that there are, for tests of what all of them promise.

use std::sync::Arc;

use catamaran::{AsyncDatabaseService, Config, DeadpoolDatabase, Offloaded, R2d2Database};

/// The async one with and without sharing, and the blocking one offloaded, with their names.
pub fn services(config: &Config) -> [(&'static str, Arc<dyn AsyncDatabaseService>); 3] {
    let deadpool = |config: Config| Arc::new(DeadpoolDatabase::new(config).unwrap());
    let blocking = Arc::new(R2d2Database::new(config.clone()).unwrap());
    [
        ("sharing", deadpool(config.clone())),
        ("apart", deadpool(config.clone().sharing(false))),
        ("offloaded", Arc::new(Offloaded::with_wait(blocking, config.get_checkout_timeout()))),
    ]
}
