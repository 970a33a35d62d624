//! Options by name, from whichever source, into a [`Config`].

use super::{Config, config_error, driver};
use crate::{Error, Result};

/// One option with its value.
pub(super) struct Param {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
    /// Neither the value nor an unknown key can be a piece of a password that was not escaped.
    pub(super) quotable: bool,
}

/// Where an option was found, for error messages.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Text,
    Variable(&'static str),
    Field,
}

impl Param {
    pub(super) fn new(key: impl Into<String>, value: impl Into<String>, origin: Origin) -> Self {
        Self { key: key.into(), value: value.into(), origin, quotable: true }
    }

    fn error(&self, problem: &str) -> Error {
        config_error(match self.origin {
            Origin::Text => format!("invalid connection string: {problem}"),
            Origin::Variable(name) => format!("invalid environment variable {name}: {problem}"),
            Origin::Field => format!("invalid configuration: {problem}"),
        })
    }

    fn invalid(&self, expected: &str) -> Error {
        let key = &self.key;
        match self.quotable && key != "password" {
            true => self.error(&format!("invalid {key} `{}`, expected {expected}", self.value)),
            false => self.error(&format!("invalid {key}, expected {expected}")),
        }
    }

    fn unknown(&self) -> Error {
        match self.quotable {
            true => self.error(&format!("unknown option `{}`", self.key)),
            false => self.error("unknown option, or a password with characters that need escaping"),
        }
    }
}

/// As in libpq the last of several values of one option counts, and an empty one is none.
pub(super) fn build(params: Vec<Param>) -> Result<Config> {
    let mut config = Config::default();
    let mut text = String::new();
    for (index, param) in params.iter().enumerate() {
        if !param.key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return Err(param.unknown());
        }
        if params[index + 1..].iter().any(|later| later.key == param.key) || param.value.is_empty() {
            continue;
        }
        if param.value.contains('\0') {
            return Err(param.error(&format!("{} has a zero byte", param.key)));
        }
        let value = param.value.as_str();
        match param.key.as_str() {
            "sslmode" => config.ssl_mode = Some(value.parse().map_err(|_| param.invalid(expected("sslmode")))?),
            "sslrootcert" => config.ssl_root_cert = Some(value.into()),
            "sslcert" => config.ssl_cert = Some(value.into()),
            "sslkey" => config.ssl_key = Some(value.into()),
            "host" => push(&mut text, "host", &without_empty_hosts(value)),
            // libpq's name for what the driver calls retries.
            "keepalives_count" => {
                config.keepalives_retries = value.parse().map_err(|_| param.invalid(expected("keepalives_retries")))?;
            }
            key => {
                let mut own = String::new();
                push(&mut own, key, value);
                let parsed = own.parse::<tokio_postgres::Config>().map_err(|_| match expected(key) {
                    "" => param.unknown(),
                    expected => param.invalid(expected),
                })?;
                take_over(&mut config, key, &parsed);
                text.push_str(&own);
            }
        }
    }
    config.driver = text.parse().map_err(|_| config_error("invalid configuration"))?;
    let driver = &config.driver;
    config.driver = driver::with_endpoint(driver, driver.get_hosts(), driver.get_hostaddrs(), driver.get_ports());
    Ok(config)
}

/// What the driver has read and this crate keeps as a setting of its own.
fn take_over(config: &mut Config, key: &str, parsed: &tokio_postgres::Config) {
    match key {
        "connect_timeout" => {
            config.connect_timeout = parsed.get_connect_timeout().copied().unwrap_or(config.connect_timeout);
        }
        "tcp_user_timeout" => config.tcp_user_timeout = parsed.get_tcp_user_timeout().copied().unwrap_or_default(),
        "keepalives" => config.keepalives = parsed.get_keepalives(),
        "keepalives_idle" => config.keepalives_idle = parsed.get_keepalives_idle(),
        "keepalives_interval" => {
            config.keepalives_interval = parsed.get_keepalives_interval().unwrap_or(config.keepalives_interval);
        }
        "keepalives_retries" => {
            config.keepalives_retries = parsed.get_keepalives_retries().unwrap_or(config.keepalives_retries);
        }
        _ => {}
    }
}

fn expected(key: &str) -> &'static str {
    match key {
        "port" => "a number up to 65535",
        "hostaddr" => "an IP address",
        "connect_timeout" | "tcp_user_timeout" | "keepalives_idle" | "keepalives_interval" => {
            "a whole number of seconds"
        }
        "keepalives" => "0 or 1",
        "keepalives_retries" => "a number",
        "target_session_attrs" => "any, read-write or read-only",
        "channel_binding" => "disable, prefer or require",
        "load_balance_hosts" => "disable or random",
        "sslnegotiation" => "postgres or direct",
        "sslmode" => "disable, allow, prefer, require, verify-ca or verify-full",
        _ => "",
    }
}

fn without_empty_hosts(hosts: &str) -> String {
    let hosts: Vec<_> =
        hosts.split(',').map(|host| if host.is_empty() { driver::default_host() } else { host }).collect();
    hosts.join(",")
}

/// Quoted as the driver's parser wants it.
fn push(text: &mut String, key: &str, value: &str) {
    text.push_str(key);
    text.push_str("='");
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push_str("' ");
}
