//! Which values make sense.

use super::{Config, config_error, driver};
use crate::{Result, tls::SslMode};
use std::{fmt, ops::RangeInclusive, time::Duration};
use tokio_postgres::config::SslNegotiation;

/// What the server permits as `max_connections`.
const MAX_SIZE: u32 = 262_143;
/// What the server and the kernel hold as milliseconds in 32 bits with a sign.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
/// More would only hide that the server can't keep up.
const LARGEST_DEPTH: u32 = 4096;
/// What Linux permits for keepalives.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(32_767);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

impl Config {
    /// Checks that every setting is in its range and that the settings fit together.
    ///
    /// The constructors from text check on their own, and so does a service when it is made, so that this is for
    /// finding a mistake early. `max_size` is from 1 to 262143. Times are from 1 ms to 2147483.647 s (24 days), those of
    /// keepalives from 1 s to 32767 s. Zero is permitted for `idle_timeout`, `max_lifetime`, `test_after_idle`,
    /// `leak_after`, `statement_timeout` and `tcp_user_timeout`. `sharing_budget` is up to 1 s, `sharing_depth` from 1 to
    /// 4096. `test_timeout` is at most `checkout_timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) that names the setting, its value and the permitted range.
    ///
    /// ```
    /// let error = catamaran::Config::new().max_size(0).validate().unwrap_err();
    /// assert_eq!(error.to_string(), "max_size is 0, permitted is from 1 to 262143");
    /// ```
    pub fn validate(&self) -> Result<()> {
        within("max_size", self.max_size, 1..=MAX_SIZE)?;
        within("checkout_timeout", Time(self.checkout_timeout), Time(MILLISECOND)..=Time(LONGEST))?;
        within("connect_timeout", Time(self.connect_timeout), Time(MILLISECOND)..=Time(LONGEST))?;
        or_zero("idle_timeout", self.idle_timeout)?;
        or_zero("max_lifetime", self.max_lifetime)?;
        within("lifetime_jitter", self.lifetime_jitter, 0.0..=1.0)?;
        or_zero("test_after_idle", self.test_after_idle)?;
        within("test_timeout", Time(self.test_timeout), Time(MILLISECOND)..=Time(self.checkout_timeout))?;
        within("sharing_budget", Time(self.sharing_budget), Time(Duration::ZERO)..=Time(SECOND))?;
        within("sharing_depth", self.sharing_depth, 1..=LARGEST_DEPTH)?;
        or_zero("leak_after", self.leak_after)?;
        or_zero("statement_timeout", self.statement_timeout)?;
        or_zero("tcp_user_timeout", self.tcp_user_timeout)?;
        if self.keepalives {
            let range = || Time(SECOND)..=Time(LONGEST_KEEPALIVE);
            within("keepalives_idle", Time(self.keepalives_idle), range())?;
            within("keepalives_interval", Time(self.keepalives_interval), range())?;
            within("keepalives_retries", self.keepalives_retries, 1..=127)?;
        }
        if let Some(budget) = self.budget {
            within("budget", budget, 1..=MAX_SIZE)?;
            if budget < self.budget_reserve.saturating_mul(2) {
                let (reserve, message) = (self.budget_reserve, "both services need their reserve");
                return Err(config_error(format!("budget is {budget} and budget_reserve {reserve}: {message}")));
            }
        }
        self.validate_endpoint()?;
        self.validate_tls()
    }

    fn validate_endpoint(&self) -> Result<()> {
        let (hosts, addresses, ports) =
            (self.driver.get_hosts().len(), self.driver.get_hostaddrs().len(), self.driver.get_ports().len());
        if hosts > 0 && addresses > 0 && hosts != addresses {
            return Err(config_error(format!(
                "hostaddr lists {addresses} addresses, permitted is one for each of {hosts} hosts"
            )));
        }
        let servers = hosts.max(addresses).max(1);
        if ports > 1 && ports != servers {
            return Err(config_error(format!(
                "port lists {ports} ports, permitted is one, or one for each of {servers} hosts"
            )));
        }
        Ok(())
    }

    fn validate_tls(&self) -> Result<()> {
        let mode = self.get_ssl_mode();
        if self.uses_system_roots() && mode != SslMode::VerifyFull {
            return Err(config_error(format!("sslmode is {mode}, permitted with sslrootcert=system is verify-full")));
        }
        if self.ssl_cert.is_some() != self.ssl_key.is_some() {
            return Err(config_error("sslcert and sslkey are needed both or not at all"));
        }
        let strict = matches!(mode, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull);
        if self.driver.get_ssl_negotiation() == SslNegotiation::Direct && !strict && !self.is_local() {
            return Err(config_error(format!(
                "sslmode is {mode}, permitted with sslnegotiation=direct is require, verify-ca or verify-full"
            )));
        }
        // The driver has one TLS mode for all hosts, and a socket has no TLS.
        let hosts = driver::effective_hosts(&self.driver);
        if strict && hosts.iter().any(driver::is_socket) && !self.is_local() {
            return Err(config_error(format!(
                "sslmode is {mode}, permitted is a list of sockets or a list of hosts, not both"
            )));
        }
        Ok(())
    }
}

fn within<T: PartialOrd + fmt::Display>(name: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(config_error(format!("{name} is {value}, permitted is from {} to {}", range.start(), range.end())))
}

fn or_zero(name: &str, value: Duration) -> Result<()> {
    if value.is_zero() || (MILLISECOND..=LONGEST).contains(&value) {
        return Ok(());
    }
    let (value, from, to) = (Time(value), Time(MILLISECOND), Time(LONGEST));
    Err(config_error(format!("{name} is {value}, permitted is 0 or from {from} to {to}")))
}

#[derive(PartialEq, PartialOrd)]
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}
