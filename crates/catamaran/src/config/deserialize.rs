//! `Deserialize` for [`Config`], from any format.

use super::{
    Config,
    params::{self, Origin, Param},
    text,
};
#[cfg(feature = "blocking")]
use crate::guard::Rules;
use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};
use std::{fmt, time::Duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Config")]
struct Fields {
    url: Option<Secret>,
    host: Option<String>,
    hostaddr: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<Secret>,
    dbname: Option<String>,
    options: Option<String>,
    application_name: Option<String>,
    target_session_attrs: Option<String>,
    channel_binding: Option<String>,
    load_balance_hosts: Option<String>,
    sslmode: Option<String>,
    sslnegotiation: Option<String>,
    sslrootcert: Option<String>,
    sslcert: Option<String>,
    sslkey: Option<String>,
    max_size: Option<u32>,
    checkout_timeout: Option<Seconds>,
    connect_timeout: Option<Seconds>,
    idle_timeout: Option<Seconds>,
    max_lifetime: Option<Seconds>,
    lifetime_jitter: Option<f64>,
    test_after_idle: Option<Seconds>,
    test_timeout: Option<Seconds>,
    statement_cache_size: Option<usize>,
    sharing: Option<bool>,
    sharing_budget: Option<Seconds>,
    sharing_depth: Option<u32>,
    leak_after: Option<Seconds>,
    nested_checkout_fails: Option<bool>,
    budget: Option<u32>,
    budget_reserve: Option<u32>,
    #[cfg(feature = "blocking")]
    guard: Option<Rules>,
    statement_timeout: Option<Seconds>,
    keepalives: Option<bool>,
    keepalives_idle: Option<Seconds>,
    keepalives_interval: Option<Seconds>,
    keepalives_retries: Option<u32>,
    tcp_user_timeout: Option<Seconds>,
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        fields.into_config().map_err(|error| de::Error::custom(error.message()))
    }
}

macro_rules! set {
    ($config:ident, $fields:ident: $($plain:ident)*; $($time:ident)*) => {
        $(if let Some(value) = $fields.$plain { $config.$plain = value; })*
        $(if let Some(Seconds(value)) = $fields.$time { $config.$time = value; })*
    };
}

impl Fields {
    fn into_config(self) -> crate::Result<Config> {
        let mut params = match &self.url {
            Some(Secret(url)) => text::parse(url)?,
            None => Vec::new(),
        };
        let options = [
            ("host", self.host),
            ("hostaddr", self.hostaddr),
            ("port", self.port.map(|port| port.to_string())),
            ("user", self.user),
            ("password", self.password.map(|Secret(password)| password)),
            ("dbname", self.dbname),
            ("options", self.options),
            ("application_name", self.application_name),
            ("target_session_attrs", self.target_session_attrs),
            ("channel_binding", self.channel_binding),
            ("load_balance_hosts", self.load_balance_hosts),
            ("sslmode", self.sslmode),
            ("sslnegotiation", self.sslnegotiation),
            ("sslrootcert", self.sslrootcert),
            ("sslcert", self.sslcert),
            ("sslkey", self.sslkey),
        ];
        for (key, value) in options {
            let Some(value) = value else { continue };
            if params.iter().any(|param| param.key == key && !param.value.is_empty()) {
                return Err(super::config_error(format!("{key} is set in `url` and beside it")));
            }
            params.push(Param::new(key, value, Origin::Field));
        }
        let mut config = params::build(params)?;
        config.budget = self.budget;
        #[cfg(feature = "blocking")]
        if let Some(rules) = self.guard {
            config.guard = rules;
        }
        set! {
            config, self:
            max_size lifetime_jitter statement_cache_size sharing sharing_depth budget_reserve
            nested_checkout_fails keepalives keepalives_retries;
            checkout_timeout connect_timeout idle_timeout max_lifetime test_after_idle test_timeout sharing_budget
            leak_after statement_timeout keepalives_idle keepalives_interval tcp_user_timeout
        }
        config.validate()?;
        Ok(config)
    }
}

/// A duration as a number of seconds.
struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| de::Error::invalid_value(Unexpected::Float(seconds), &"a number of seconds, 0 or more"))
    }
}

/// Text that serde does not quote when it expected text and found something else.
struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a string, serde_json quotes a number that it finds instead, before any visitor is called.
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl SecretVisitor {
    fn other<E: de::Error>() -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("something else"), &SecretVisitor))
    }
}

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Secret, E> {
        Ok(Secret(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Secret, E> {
        Ok(Secret(value))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Self::other()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Self::other()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Secret, E> {
        Self::other()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Self::other()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Secret, E> {
        Self::other()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        Self::other()
    }
}
