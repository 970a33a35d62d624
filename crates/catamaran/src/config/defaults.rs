//! The default of every setting, once, as constants and as a table.

use std::{fmt, time::Duration};

/// Connections in the pool, at most.
pub const MAX_SIZE: u32 = 10;
/// The longest wait for a connection from the pool.
pub const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time for TCP connect, TLS and login together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may lie unused before it is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How old a connection may become before it is replaced.
pub const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// The part of the lifetime of which a random share is taken off for each connection.
pub const LIFETIME_JITTER: f64 = 0.1;
/// A connection that lay unused for longer is tested at checkout.
pub const TEST_AFTER_IDLE: Duration = Duration::from_secs(1);
/// How long that test may take before the connection counts as broken.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Prepared statements kept per connection.
pub const STATEMENT_CACHE_SIZE: usize = 256;
/// Whether single statements of the async service share connections.
pub const SHARING: bool = true;
/// How much expected work may lie before a statement that joins others.
pub const SHARING_BUDGET: Duration = Duration::from_micros(500);
/// How many statements may be on a shared connection at once.
pub const SHARING_DEPTH: u32 = 64;
/// How many connections of a budget each service has for itself.
pub const BUDGET_RESERVE: u32 = 1;
/// After which time it is reported that a connection is held.
pub const LEAK_AFTER: Duration = Duration::from_secs(60);
/// Whether a second checkout of one caller fails where it would wait for the first.
pub const NESTED_CHECKOUT_FAILS: bool = true;
/// When the server cancels a statement.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Whether TCP keepalive probes are sent.
pub const KEEPALIVES: bool = true;
/// How long a connection is silent before the first probe.
pub const KEEPALIVES_IDLE: Duration = Duration::from_secs(30);
/// The time between two probes.
pub const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(10);
/// Unanswered probes before the connection counts as broken.
pub const KEEPALIVES_RETRIES: u32 = 3;
/// How long sent data may stay unacknowledged (Linux).
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// One row of [`TABLE`]: a setting of [`Config`](crate::Config), its default and what it does.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Setting {
    /// The name of the setter and of the field in a configuration file.
    pub name: &'static str,
    /// What holds when nothing is set.
    pub default: Value,
    /// What the setting does, in a few words.
    pub meaning: &'static str,
}

/// The default of a [`Setting`]; `Display` renders it with its unit.
///
/// ```
/// use catamaran::defaults::Value;
/// use std::time::Duration;
///
/// assert_eq!(Value::Time(Duration::from_millis(1500)).to_string(), "1.5 s");
/// assert_eq!(Value::Share(0.1).to_string(), "10 %");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Count(u64),
    /// A duration.
    Time(Duration),
    /// A part of a whole, from 0 to 1.
    Share(f64),
    /// On or off.
    Switch(bool),
    /// A word.
    Word(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) => match time.as_secs() {
                secs if time.subsec_nanos() == 0 && secs >= 120 && secs % 60 == 0 => write!(f, "{} min", secs / 60),
                0 if !time.is_zero() => write!(f, "{} ms", time.as_secs_f64() * 1000.0),
                _ => write!(f, "{} s", time.as_secs_f64()),
            },
            Self::Share(share) => write!(f, "{} %", share * 100.0),
            Self::Switch(true) => f.write_str("on"),
            Self::Switch(false) => f.write_str("off"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// All settings with a default of this crate's own, in the order of the documentation.
///
/// ```
/// for setting in catamaran::defaults::TABLE {
///     println!("| `{}` | {} | {} |", setting.name, setting.default, setting.meaning);
/// }
/// ```
pub const TABLE: &[Setting] = &[
    row("max_size", Value::Count(MAX_SIZE as u64), "connections in the pool, at most"),
    row("checkout_timeout", Value::Time(CHECKOUT_TIMEOUT), "longest wait for a connection from the pool"),
    row("connect_timeout", Value::Time(CONNECT_TIMEOUT), "longest time for TCP connect, TLS and login together"),
    row("idle_timeout", Value::Time(IDLE_TIMEOUT), "an unused connection is closed after this time; 0 = never"),
    row("max_lifetime", Value::Time(MAX_LIFETIME), "a connection is replaced at this age; 0 = never"),
    row("lifetime_jitter", Value::Share(LIFETIME_JITTER), "up to this share of `max_lifetime` is taken off at random"),
    row("test_after_idle", Value::Time(TEST_AFTER_IDLE), "a connection unused for longer is tested at checkout"),
    row("test_timeout", Value::Time(TEST_TIMEOUT), "longest time for that test"),
    row(
        "statement_cache_size",
        Value::Count(STATEMENT_CACHE_SIZE as u64),
        "prepared statements kept per connection; 0 = none",
    ),
    row("sharing", Value::Switch(SHARING), "single statements of the async service share connections"),
    row("sharing_budget", Value::Time(SHARING_BUDGET), "expected work before a statement that joins others, at most"),
    row("sharing_depth", Value::Count(SHARING_DEPTH as u64), "statements on a shared connection, at most"),
    row("budget", Value::Word("none"), "connections of both services together, at most"),
    row(
        "budget_reserve",
        Value::Count(BUDGET_RESERVE as u64),
        "connections of the budget that each service has for itself",
    ),
    row("leak_after", Value::Time(LEAK_AFTER), "a connection held for longer is reported; 0 = never"),
    row(
        "nested_checkout_fails",
        Value::Switch(NESTED_CHECKOUT_FAILS),
        "a second connection of one caller fails at once where all are kept",
    ),
    row("statement_timeout", Value::Time(STATEMENT_TIMEOUT), "the server cancels a longer statement; 0 = not sent"),
    row("keepalives", Value::Switch(KEEPALIVES), "TCP keepalive probes"),
    row("keepalives_idle", Value::Time(KEEPALIVES_IDLE), "silence before the first probe"),
    row("keepalives_interval", Value::Time(KEEPALIVES_INTERVAL), "time between two probes"),
    row(
        "keepalives_retries",
        Value::Count(KEEPALIVES_RETRIES as u64),
        "unanswered probes until the connection is lost",
    ),
    row(
        "tcp_user_timeout",
        Value::Time(TCP_USER_TIMEOUT),
        "longest time that sent data may stay unacknowledged (Linux); 0 = the system's",
    ),
    row("application_name", Value::Word("none"), "shown in `pg_stat_activity`"),
    row("sslmode", Value::Word("prefer"), "how TLS is used"),
];

const fn row(name: &'static str, default: Value, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}
