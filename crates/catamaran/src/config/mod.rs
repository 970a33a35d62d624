//! One configuration for both services.

mod budget;
pub mod defaults;

mod deserialize;
mod driver;
mod env;
mod params;
mod settings;
mod text;
mod validate;

#[cfg(test)]
mod tests;

use crate::{Error, ErrorKind, Result, tls::SslMode};
use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// Where the server is, how to log in, how TLS is used and how the pool behaves, for both services.
///
/// It comes from a connection string ([`from_url`](Self::from_url)), from the environment
/// ([`from_env`](Self::from_env)) or, by `serde`, from a configuration file; what is left open is set by methods that
/// take and give the configuration by value. [`defaults`] lists what holds otherwise.
///
/// ```
/// # fn main() -> catamaran::Result<()> {
/// use catamaran::Config;
/// use std::time::Duration;
///
/// let config = Config::from_url("postgres://billing:secret@db.example.com/billing?sslmode=verify-full")?
///     .max_size(20)
///     .checkout_timeout(Duration::from_secs(2))
///     .application_name("billing");
/// config.validate()?;
/// assert_eq!(config.get_max_size(), 20);
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok(()) }
/// ```
///
/// # Host, user and database
///
/// As in libpq, nothing is required. Without a host it is the Unix socket in `/var/run/postgresql` where that directory
/// exists, and `localhost` where it does not. Without a port it is 5432, without a user the name of the operating
/// system's user, without a database the name of the user. Password files and service files are not read.
///
/// # From a file
///
/// `Deserialize` takes either `url` or the fields `host`, `hostaddr`, `port`, `user`, `password`, `dbname`, `options`,
/// `application_name`, `target_session_attrs`, `channel_binding`, `load_balance_hosts`, `sslmode`, `sslnegotiation`,
/// `sslrootcert`, `sslcert` and `sslkey`; a field beside `url` may set what the URL leaves open. All settings in
/// [`defaults::TABLE`] go beside either. Durations are numbers of seconds, with fractions. Unknown fields are refused.
///
/// ```
/// let config: catamaran::Config = serde_json::from_str(
///     r#"{ "url": "postgres://billing@db.example.com/billing", "password": "secret", "checkout_timeout": 2.5 }"#,
/// )
/// .unwrap();
/// assert_eq!(config.get_checkout_timeout().as_millis(), 2500);
/// ```
#[derive(Clone, PartialEq)]
pub struct Config {
    /// Only what the settings below don't cover: endpoint, login and session parameters.
    driver: tokio_postgres::Config,
    ssl_mode: Option<SslMode>,
    ssl_root_cert: Option<PathBuf>,
    ssl_cert: Option<PathBuf>,
    ssl_key: Option<PathBuf>,
    max_size: u32,
    checkout_timeout: Duration,
    connect_timeout: Duration,
    idle_timeout: Duration,
    max_lifetime: Duration,
    lifetime_jitter: f64,
    test_after_idle: Duration,
    test_timeout: Duration,
    statement_cache_size: usize,
    sharing: bool,
    sharing_budget: Duration,
    sharing_depth: u32,
    statement_timeout: Duration,
    keepalives: bool,
    keepalives_idle: Duration,
    keepalives_interval: Duration,
    keepalives_retries: u32,
    tcp_user_timeout: Duration,
    leak_after: Duration,
    nested_checkout_fails: bool,
    budget: Option<u32>,
    budget_reserve: u32,
    #[cfg(feature = "blocking")]
    guard: crate::guard::Rules,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            driver: tokio_postgres::Config::new(),
            ssl_mode: None,
            ssl_root_cert: None,
            ssl_cert: None,
            ssl_key: None,
            max_size: defaults::MAX_SIZE,
            checkout_timeout: defaults::CHECKOUT_TIMEOUT,
            connect_timeout: defaults::CONNECT_TIMEOUT,
            idle_timeout: defaults::IDLE_TIMEOUT,
            max_lifetime: defaults::MAX_LIFETIME,
            lifetime_jitter: defaults::LIFETIME_JITTER,
            test_after_idle: defaults::TEST_AFTER_IDLE,
            test_timeout: defaults::TEST_TIMEOUT,
            statement_cache_size: defaults::STATEMENT_CACHE_SIZE,
            sharing: defaults::SHARING,
            sharing_budget: defaults::SHARING_BUDGET,
            sharing_depth: defaults::SHARING_DEPTH,
            statement_timeout: defaults::STATEMENT_TIMEOUT,
            keepalives: defaults::KEEPALIVES,
            keepalives_idle: defaults::KEEPALIVES_IDLE,
            keepalives_interval: defaults::KEEPALIVES_INTERVAL,
            keepalives_retries: defaults::KEEPALIVES_RETRIES,
            tcp_user_timeout: defaults::TCP_USER_TIMEOUT,
            leak_after: defaults::LEAK_AFTER,
            nested_checkout_fails: defaults::NESTED_CHECKOUT_FAILS,
            budget: None,
            budget_reserve: defaults::BUDGET_RESERVE,
            #[cfg(feature = "blocking")]
            guard: crate::guard::Rules::default(),
        }
    }
}

impl Config {
    /// A configuration in which everything is at its default; the same as [`Config::default`].
    ///
    /// ```
    /// let config = catamaran::Config::new().host("db.example.com").user("billing").dbname("billing");
    /// assert_eq!(config.get_hosts(), ["db.example.com"]);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a connection string: a `postgres://` or `postgresql://` URL, or libpq's `key=value` pairs.
    ///
    /// The options are libpq's as far as the driver knows them: `host`, `hostaddr`, `port`, `user`, `password`,
    /// `dbname`, `options`, `application_name`, `connect_timeout`, `tcp_user_timeout`, `keepalives`, `keepalives_idle`,
    /// `keepalives_interval`, `keepalives_count`, `target_session_attrs`, `channel_binding`, `load_balance_hosts`,
    /// `sslmode`, `sslnegotiation`, `sslrootcert`, `sslcert` and `sslkey`. Times are whole seconds, and so is
    /// `tcp_user_timeout`, which libpq alone counts in milliseconds. `connect_timeout=0`, in libpq no limit, stands for
    /// the default. The environment is not looked at.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the string does not parse, an option is unknown or a value makes no sense. The message
    /// says which, and never shows the user name and password of the URL.
    ///
    /// ```
    /// # fn main() -> catamaran::Result<()> {
    /// use catamaran::Config;
    ///
    /// let url = Config::from_url("postgres://me:secret@db.example.com:5433/app?connect_timeout=3")?;
    /// let dsn = Config::from_url("host=db.example.com port=5433 user=me password=secret dbname=app connect_timeout=3")?;
    /// assert_eq!(url, dsn);
    ///
    /// let error = Config::from_url("postgres://me:secret@db.example.com:x/app").unwrap_err();
    /// assert_eq!(error.to_string(), "invalid connection string: invalid port `x`, expected a number up to 65535");
    /// # Ok(()) }
    /// ```
    pub fn from_url(text: &str) -> Result<Self> {
        let config = params::build(text::parse(text)?)?;
        config.validate()?;
        Ok(config)
    }

    /// Reads `DATABASE_URL` and, for what it leaves open, libpq's `PG…` variables from the environment.
    ///
    /// The variables are `PGHOST`, `PGHOSTADDR`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGAPPNAME`,
    /// `PGOPTIONS`, `PGSSLMODE`, `PGSSLNEGOTIATION`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY`, `PGCHANNELBINDING`,
    /// `PGCONNECT_TIMEOUT` (whole seconds), `PGTARGETSESSIONATTRS` and `PGLOADBALANCEHOSTS`. An empty variable counts
    /// as not set. If the URL names a host, neither `PGHOST` nor `PGHOSTADDR` is looked at. With no variable at all
    /// it is the local server, as for `psql`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a variable is not Unicode or its value makes no sense.
    ///
    /// ```no_run
    /// # fn main() -> catamaran::Result<()> {
    /// let config = catamaran::Config::from_env()?.max_size(20);
    /// # Ok(()) }
    /// ```
    pub fn from_env() -> Result<Self> {
        env::from_process()
    }

    /// Does what [`from_env`](Self::from_env) does with the variables that a function gives.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a value makes no sense.
    ///
    /// ```
    /// # fn main() -> catamaran::Result<()> {
    /// let config = catamaran::Config::from_env_with(|name| match name {
    ///     "DATABASE_URL" => Some("postgres://db.example.com/app".to_owned()),
    ///     "PGUSER" => Some("billing".to_owned()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(config.get_user(), Some("billing"));
    /// # Ok(()) }
    /// ```
    pub fn from_env_with(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        env::from_lookup(lookup)
    }
}

/// The same as [`Config::from_url`].
impl FromStr for Config {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_url(text)
    }
}

/// Everything but the password, of which it says only whether there is one.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("hosts", &self.get_hosts())
            .field("hostaddrs", &self.driver.get_hostaddrs())
            .field("ports", &self.get_ports())
            .field("user", &self.get_user())
            .field("password", &self.driver.get_password().map(|_| format_args!("_")))
            .field("dbname", &self.get_dbname())
            .field("options", &self.get_options())
            .field("application_name", &self.get_application_name())
            .field("target_session_attrs", &self.driver.get_target_session_attrs())
            .field("channel_binding", &self.driver.get_channel_binding())
            .field("load_balance_hosts", &self.driver.get_load_balance_hosts())
            .field("sslmode", &self.get_ssl_mode())
            .field("sslnegotiation", &self.driver.get_ssl_negotiation())
            .field("sslrootcert", &self.ssl_root_cert)
            .field("sslcert", &self.ssl_cert)
            .field("sslkey", &self.ssl_key)
            .field("max_size", &self.max_size)
            .field("checkout_timeout", &self.checkout_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("lifetime_jitter", &self.lifetime_jitter)
            .field("test_after_idle", &self.test_after_idle)
            .field("test_timeout", &self.test_timeout)
            .field("statement_cache_size", &self.statement_cache_size)
            .field("sharing", &self.sharing)
            .field("sharing_budget", &self.sharing_budget)
            .field("sharing_depth", &self.sharing_depth)
            .field("statement_timeout", &self.statement_timeout)
            .field("keepalives", &self.keepalives)
            .field("keepalives_idle", &self.keepalives_idle)
            .field("keepalives_interval", &self.keepalives_interval)
            .field("keepalives_retries", &self.keepalives_retries)
            .field("tcp_user_timeout", &self.tcp_user_timeout)
            .field("leak_after", &self.leak_after)
            .field("nested_checkout_fails", &self.nested_checkout_fails)
            .field("budget", &self.budget)
            .field("budget_reserve", &self.budget_reserve)
            .finish()
    }
}

fn config_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}
