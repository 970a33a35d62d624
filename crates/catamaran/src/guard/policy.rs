//! What happens when a blocking call is noticed on a thread that drives futures.
#![cfg_attr(not(feature = "blocking"), allow(dead_code, reason = "the blocking service alone asks for all of it"))]

use std::{
    panic::Location,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use crate::{Error, ErrorKind, Result};

/// What happens when a blocking call is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Policy {
    /// It runs, and nothing is said.
    Off,
    /// It is reported, and runs: where others can take over the thread's tasks, or else on a thread of its own while
    /// this one waits.
    #[default]
    Warn,
    /// It is reported, and fails with [`OnRuntime`](crate::ErrorKind::OnRuntime) before it has a connection.
    Error,
    /// It is reported, and panics before it has a connection: for tests.
    Panic,
}

/// The policies of one service: one for most calls, and exceptions that end.
///
/// ```
/// use catamaran::guard::{Exception, Policy, Rules};
///
/// let rules = Rules::new(Policy::Error).except(
///     Exception::new(Policy::Warn, "2027-03-31", "moved with the reports, in March")?.route("GET /reports/{id}"),
/// );
/// # Ok::<(), catamaran::Error>(())
/// ```
///
/// In a configuration file:
///
/// ```toml
/// [database.guard]
/// policy = "error"
/// exceptions = [
///     { policy = "warn", until = "2027-03-31", reason = "moved in March", route = "GET /reports/{id}" },
/// ]
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    policy: Policy,
    exceptions: Vec<Exception>,
}

/// Another policy for some calls, until a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Exception {
    policy: Policy,
    route: Option<String>,
    site: Option<String>,
    /// The last day, in days since 1970.
    until: i64,
    until_text: String,
    reason: String,
}

/// An exception in a configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    policy: Policy,
    until: String,
    reason: String,
    route: Option<String>,
    site: Option<String>,
}

impl TryFrom<Fields> for Exception {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Self> {
        let Fields { policy, until, reason, route, site } = fields;
        Ok(Self { route, site, ..Self::new(policy, &until, &reason)? })
    }
}

impl Rules {
    /// One policy for all calls. Default: [`Policy::Warn`].
    pub fn new(policy: Policy) -> Self {
        Self { policy, exceptions: Vec::new() }
    }

    /// Adds an exception. The first that fits a call counts.
    #[must_use]
    pub fn except(mut self, exception: Exception) -> Self {
        self.exceptions.push(exception);
        self
    }

    /// The policy for a call, and the exception that would fit but has ended.
    pub(super) fn of(&self, route: Option<&str>, site: &Location<'_>) -> (Policy, Option<&Exception>) {
        let mut fitting = self.exceptions.iter().filter(|exception| exception.fits(route, site)).peekable();
        if fitting.peek().is_none() {
            return (self.policy, None);
        }
        let today = days(SystemTime::now());
        let mut ended = None;
        for exception in fitting {
            if exception.until >= today {
                return (exception.policy, None);
            }
            ended.get_or_insert(exception);
        }
        (self.policy, ended)
    }
}

impl Exception {
    /// A policy with its last day, `YYYY-MM-DD` in UTC, and the reason. Without a route and a call site it is for all
    /// calls. Once the day is over it counts as none, and what it was for is reported with it.
    ///
    /// # Errors
    ///
    /// `Config` if that is no day, or the reason is empty.
    pub fn new(policy: Policy, until: &str, reason: &str) -> Result<Self> {
        let day = day(until).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("an exception ends on a day as 2027-03-31, and not {until:?}"))
        })?;
        if reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Config, "an exception needs a reason"));
        }
        let (until_text, reason) = (until.to_owned(), reason.to_owned());
        Ok(Self { policy, route: None, site: None, until: day, until_text, reason })
    }

    /// Only for calls of this route, as reports name it: `GET /agents/{id}`.
    #[must_use]
    pub fn route(mut self, route: &str) -> Self {
        self.route = Some(route.to_owned());
        self
    }

    /// Only for calls in this file, or on this line of it, as reports name it: `src/chat.rs`, `src/chat.rs:41`. The
    /// file's path may be given without its beginning.
    #[must_use]
    pub fn site(mut self, site: &str) -> Self {
        self.site = Some(site.to_owned());
        self
    }

    /// Why there is an exception.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The last day.
    pub fn until(&self) -> &str {
        &self.until_text
    }

    fn fits(&self, route: Option<&str>, site: &Location<'_>) -> bool {
        let same_route = self.route.as_deref().is_none_or(|own| Some(own) == route);
        same_route && self.site.as_deref().is_none_or(|own| is_at(own, site))
    }
}

/// Whether a call site is in a file, or on a line of it.
fn is_at(own: &str, site: &Location<'_>) -> bool {
    let (file, line) = match own.rsplit_once(':').map(|(file, line)| (file, line.parse::<u32>())) {
        Some((file, Ok(line))) => (file, Some(line)),
        _ => (own, None),
    };
    let in_file = site.file().strip_suffix(file).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\']));
    in_file && line.is_none_or(|line| line == site.line())
}

/// `YYYY-MM-DD` as days since 1970.
fn day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let mut part = |length: usize| {
        let part =
            parts.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i64>().ok()
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one: http://howardhinnant.github.io/date_algorithms.html
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468)
}

fn days(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs() / 86_400).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2026-11-25", Some(20_782)),
            ("2027-02-29", None),
            ("2100-02-29", None),
            ("2026-13-01", None),
            ("2026-00-10", None),
            ("2026-04-31", None),
            ("2026-4-3", None),
            ("26-04-03", None),
            ("2026-04-03T00", None),
            ("+026-04-03", None),
            ("", None),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
    }

    #[test]
    fn bad_exceptions_are_refused() {
        for (until, reason) in [("tomorrow", "x"), ("2027-01-01", " ")] {
            assert_eq!(Exception::new(Policy::Off, until, reason).unwrap_err().kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn rules_are_read() {
        let read = |text: &str| serde_json::from_str::<Rules>(text).map_err(|error| error.to_string());
        let exception = Exception::new(Policy::Warn, "2027-03-31", "in March").unwrap().route("GET /r").site("r.rs:7");
        let rules = Rules::new(Policy::Error).except(exception);
        let text = r#"{ "policy": "error", "exceptions": [
            { "policy": "warn", "until": "2027-03-31", "reason": "in March", "route": "GET /r", "site": "r.rs:7" }
        ] }"#;
        assert_eq!(read(text), Ok(rules));
        assert_eq!(read("{}"), Ok(Rules::default()));
        for (text, part) in [
            (r#"{ "policy": "fatal" }"#, "unknown variant"),
            (r#"{ "exemptions": [] }"#, "unknown field"),
            (r#"{ "exceptions": [{ "policy": "off", "until": "soon", "reason": "x" }] }"#, "and not \"soon\""),
            (r#"{ "exceptions": [{ "policy": "off", "until": "2027-01-01" }] }"#, "missing field `reason`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_first_exception_that_fits_and_has_not_ended_counts() {
        let here = Location::caller();
        let line = format!("guard/policy.rs:{}", here.line());
        let of = |until, policy| Exception::new(policy, until, "a test").unwrap();
        let rules = Rules::new(Policy::Error)
            .except(of("2020-01-01", Policy::Off))
            .except(of("9999-12-31", Policy::Panic).route("GET /a"))
            .except(of("9999-12-31", Policy::Warn).site(&line))
            .except(of("9999-12-31", Policy::Off).site("olicy.rs"));
        assert_eq!(rules.of(Some("GET /a"), here), (Policy::Panic, None));
        assert_eq!(rules.of(Some("GET /b"), here), (Policy::Warn, None));
        let elsewhere = Location::caller();
        let (policy, ended) = rules.of(None, elsewhere);
        assert_eq!((policy, ended.map(Exception::until)), (Policy::Error, Some("2020-01-01")));
        assert_eq!(Rules::default().of(None, here), (Policy::Warn, None));
    }
}
