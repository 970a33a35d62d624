//! `DATABASE_URL` and libpq's environment variables.

use super::{
    Config, config_error,
    params::{self, Origin, Param},
    text,
};
use crate::Result;
use std::{collections::HashMap, env};

const URL: &str = "DATABASE_URL";

/// <https://www.postgresql.org/docs/current/libpq-envars.html>
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGDATABASE", "dbname"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
];

pub(super) fn from_process() -> Result<Config> {
    let mut found = HashMap::new();
    for name in VARIABLES.iter().map(|(name, _)| *name).chain([URL]) {
        match env::var(name) {
            Ok(value) => _ = found.insert(name, value),
            Err(env::VarError::NotPresent) => {}
            Err(env::VarError::NotUnicode(_)) => {
                return Err(config_error(format!("environment variable {name} is not Unicode")));
            }
        }
    }
    from_lookup(|name| found.get(name).cloned())
}

pub(super) fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Config> {
    let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let mut params = match lookup(URL) {
        Some(url) => text::parse(&url)?,
        None => Vec::new(),
    };
    let given: Vec<String> = params.iter().map(|param| param.key.clone()).collect();
    let is_given = |key: &str| given.iter().any(|given| given == key);
    for (name, key) in VARIABLES {
        // An address from the environment would lead away from the host that the URL names, and the other way round.
        let taken = match *key {
            "host" | "hostaddr" => is_given("host") || is_given("hostaddr"),
            key => is_given(key),
        };
        if let Some(value) = lookup(name).filter(|_| !taken) {
            params.push(Param::new(*key, value, Origin::Variable(name)));
        }
    }
    let config = params::build(params)?;
    config.validate()?;
    Ok(config)
}
