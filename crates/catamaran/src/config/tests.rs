use super::{Config, defaults};
use crate::{ErrorKind, SslMode};
use std::{net::IpAddr, path::Path, time::Duration};
use tokio_postgres::config::{ChannelBinding, Host, SslMode as DriverMode, TargetSessionAttrs};

fn config(text: &str) -> Config {
    Config::from_url(text).unwrap()
}

fn message(text: &str) -> String {
    let error = Config::from_url(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

fn from_env(variables: &[(&str, &str)]) -> crate::Result<Config> {
    Config::from_env_with(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

fn json(text: &str) -> Result<Config, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
#[cfg(feature = "blocking")]
fn the_guard_is_read() {
    use crate::guard::{Policy, Rules};
    let read = |text: &str| json(text).map(|config| config.get_guard().clone()).map_err(|error| error.to_string());
    assert_eq!(read(r#"{ "guard": { "policy": "panic" } }"#), Ok(Rules::new(Policy::Panic)));
    assert_eq!(read("{}"), Ok(Rules::default()));
    assert!(read(r#"{ "guard": { "policy": 1 } }"#).is_err());
}

#[test]
fn a_url_with_everything() {
    let config = config(
        "postgresql://m%40e:p%2Fw@h1:1,[::1]:2,h3/my%20db?application_name=a@b&sslmode=verify-ca&sslrootcert=/ca.pem\
         &sslcert=c.pem&sslkey=k.pem&connect_timeout=3&target_session_attrs=read-write&channel_binding=require\
         &keepalives=0&keepalives_count=7&options=-c%20geqo%3Doff",
    );
    assert_eq!(config.get_hosts(), ["h1", "::1", "h3"]);
    assert_eq!(config.get_ports(), [1, 2, 5432]);
    assert_eq!((config.get_user(), config.get_dbname()), (Some("m@e"), Some("my db")));
    assert_eq!(config.driver.get_password(), Some(&b"p/w"[..]));
    assert_eq!(config.get_application_name(), Some("a@b"));
    assert_eq!(config.get_ssl_mode(), SslMode::VerifyCa);
    assert_eq!(config.get_ssl_root_cert(), Some(Path::new("/ca.pem")));
    assert_eq!(config.get_ssl_cert(), Some(Path::new("c.pem")));
    assert_eq!(config.get_ssl_key(), Some(Path::new("k.pem")));
    assert_eq!(config.get_connect_timeout(), Duration::from_secs(3));
    assert!(!config.get_keepalives());
    assert_eq!(config.get_keepalives_retries(), 7);
    let driver = config.driver();
    assert_eq!(driver.get_options(), Some("-c statement_timeout=60000 -c geqo=off"));
    assert_eq!(driver.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!(driver.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(driver.get_ssl_mode(), DriverMode::Require);
    assert!(!driver.get_keepalives());
}

#[test]
fn pairs_are_read_as_libpq_does() {
    let config = config(r"host = 'db' user=o\'neil  password='a b\\c\'d' sslmode=disable dbname='' port=6432 options=");
    assert_eq!(config.get_hosts(), ["db"]);
    assert_eq!((config.get_user(), config.get_dbname(), config.get_options()), (Some("o'neil"), None, None));
    assert_eq!(config.driver.get_password(), Some(&br"a b\c'd"[..]));
    assert_eq!(config.get_ports(), [6432]);
    assert_eq!(config.driver().get_ssl_mode(), DriverMode::Disable);
}

#[test]
fn the_last_of_several_values_counts() {
    assert_eq!(config("postgres://h1/a?host=h2&dbname=b").get_hosts(), ["h2"]);
    assert_eq!(config("host=h1 host=h2").get_hosts(), ["h2"]);
}

#[test]
fn parts_of_a_url_may_be_left_out() {
    assert_eq!(config("postgres:///db").get_dbname(), Some("db"));
    assert_eq!(config("postgres://me@").get_user(), Some("me"));
    let local = config("postgres://");
    assert_eq!(local, Config::new());
    let default = if Path::new("/var/run/postgresql").is_dir() { "/var/run/postgresql" } else { "localhost" };
    assert_eq!(local.get_hosts(), [default]);
    let port = config("postgres://:5433/db");
    assert_eq!((port.get_hosts(), port.get_ports()), (vec![default.to_owned()], &[5433][..]));
    assert_eq!(config("postgres://h,:1").get_hosts(), ["h", default]);
}

#[cfg(unix)]
#[test]
fn a_socket_directory_is_a_host() {
    for text in ["postgres://%2Frun%2Fpg:5433/db", "postgres:///db?host=/run/pg&port=5433", "host=/run/pg port=5433"] {
        let config = config(text).ssl_mode(SslMode::VerifyFull);
        assert!(config.is_local());
        assert_eq!(config.driver().get_hosts(), [Host::Unix("/run/pg".into())]);
        assert_eq!(config.driver().get_ssl_mode(), DriverMode::Disable);
    }
    assert!(!config("host=/run/pg hostaddr=10.0.0.1").is_local());
}

#[test]
fn an_address_without_a_host_is_the_name_for_tls() {
    let driver = config("hostaddr=10.0.0.1").driver();
    assert_eq!(driver.get_hosts(), [Host::Tcp("10.0.0.1".into())]);
    assert_eq!(driver.get_hostaddrs(), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn errors_say_what_is_wrong() {
    let start = "invalid connection string: ";
    for (text, problem) in [
        ("postgres://me:pw@h:x/db", "invalid port `x`, expected a number up to 65535"),
        (
            "postgres://me:pw@h/db?sslmode=on",
            "invalid sslmode `on`, expected disable, allow, prefer, require, verify-ca or verify-full",
        ),
        (
            "postgres://me:pw@h/db?target_session_attrs=x",
            "invalid target_session_attrs `x`, expected any, read-write or read-only",
        ),
        ("postgres://me:pw@h/db?pool_size=3", "unknown option `pool_size`"),
        ("host=h hostaddr=h", "invalid hostaddr `h`, expected an IP address"),
        ("host=h connect_timeout=1.5", "invalid connect_timeout `1.5`, expected a whole number of seconds"),
        ("host='h", "a quoted value does not end"),
        ("postgres://[::1/db", "`[` without `]`"),
        (
            "mysql://me:pw@h/db?x=y",
            "neither a URL that starts with postgres:// or postgresql:// nor pairs of key=value",
        ),
        ("db.example.com", "neither a URL that starts with postgres:// or postgresql:// nor pairs of key=value"),
    ] {
        assert_eq!(message(text), format!("{start}{problem}"));
    }
    assert!(message("postgres://u:p@w@h/db").contains("too many `@`"));
    assert!(message("postgres://u:p%w@h/db").contains("two hexadecimal digits"));
}

/// Neither an error nor a configuration shows a password that was not escaped, wherever the parts of it end up.
#[test]
fn passwords_are_not_shown() {
    let mut parsed = 0;
    for separator in
        ["", "@", ":", "/", "?", "#", "%", "&", "=", " ", "'", "\\", "[", ",", "?a=", "/?", "&host=", "%zz"]
    {
        let password = format!("hunter{separator}hunter");
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        for text in [
            format!("postgres://hunter:{password}@h:5432/db"),
            format!("postgres://hunter:{password}@h:nope/db?x=y"),
            format!("postgres://hunter:{password}@h/db?nope=1"),
            format!("postgres://me:{password}@"),
            format!("postgres://h/db?password={password}"),
            format!("postgres://h/db?password={password}&nope=1"),
            format!("host=h user=me password='{quoted}'"),
            format!("host=h password='{quoted}' port=nope"),
            format!("user=me password={password}"),
            format!("user=me password={password} nope=1"),
            format!("mysql://hunter:{password}@h/db"),
        ] {
            match Config::from_url(&text) {
                Ok(config) => {
                    parsed += 1;
                    let shown = format!("{config:?}").replace("user: Some(\"hunter\")", "");
                    // A `host` that follows an `&` in the query is one, whatever it was meant to be.
                    if !text.contains("&host=") {
                        assert!(!shown.contains("hunter"), "{text}: {shown}");
                    }
                }
                Err(error) => {
                    let shown = format!("{error} {error:?}");
                    assert!(!shown.contains("hunter"), "{text}: {shown}");
                    assert!(std::error::Error::source(&error).is_none(), "{text}");
                }
            }
        }
    }
    assert!(parsed > 20);
    assert!(format!("{:?}", config("user=me password=secret")).contains("password: Some(_)"));
    let error = from_env(&[("DATABASE_URL", "postgres://me:hunter@h:x"), ("PGPASSWORD", "hunter")]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter"));
    for text in [
        r#"{ "password": 4711 }"#,
        r#"{ "url": 4711 }"#,
        r#"{ "password": 4711.5 }"#,
        r#"{ "url": "postgres://h:4711x/db" }"#,
        r#"{ "password": "4711", "port": "x" }"#,
    ] {
        let error = json(text).unwrap_err().to_string();
        assert!(!error.contains("4711"), "{error}");
    }
}

#[test]
fn a_user_name_alone_is_not_shown_as_a_port() {
    assert_eq!(
        message("postgres://me:hunter/db"),
        "invalid connection string: invalid port, expected a number up to 65535"
    );
}

#[test]
fn defaults_are_those_of_the_table() {
    let config = Config::new();
    config.validate().unwrap();
    let driver = config.driver();
    assert_eq!(driver.get_options(), Some("-c statement_timeout=60000"));
    assert_eq!(driver.get_connect_timeout(), Some(&Duration::from_secs(5)));
    assert!(driver.get_keepalives());
    assert_eq!(driver.get_keepalives_idle(), Duration::from_secs(30));
    assert_eq!(driver.get_keepalives_interval(), Some(Duration::from_secs(10)));
    assert_eq!(driver.get_keepalives_retries(), Some(3));
    assert_eq!(driver.get_tcp_user_timeout(), Some(&Duration::from_secs(30)));
    assert_eq!(driver.get_application_name(), None);
    assert_eq!(config.get_ssl_mode(), SslMode::Prefer);

    // Each row of the table is a field of a configuration file, and its default changes nothing.
    for setting in defaults::TABLE {
        let value = match setting.default {
            defaults::Value::Count(count) => count.to_string(),
            defaults::Value::Time(time) => time.as_secs_f64().to_string(),
            defaults::Value::Share(share) => share.to_string(),
            defaults::Value::Switch(switch) => switch.to_string(),
            defaults::Value::Word("none") => "null".to_owned(),
            defaults::Value::Word(word) => format!("{word:?}"),
        };
        let other = json(&format!(r#"{{ "{}": {value} }}"#, setting.name)).unwrap();
        assert_eq!(
            other.clone().ssl_mode(SslMode::Prefer),
            config.clone().ssl_mode(SslMode::Prefer),
            "{}",
            setting.name
        );
    }
    let shown: Vec<_> = defaults::TABLE.iter().map(|setting| setting.default.to_string()).collect();
    assert_eq!(
        shown.join(" | "),
        "10 | 5 s | 5 s | 10 min | 30 min | 10 % | 1 s | 2 s | 256 | on | 0.5 ms | 64 | none | 1 | 60 s | on | 60 s | on | 30 s | 10 s | 3 | 30 s | none | prefer"
    );
}

#[test]
fn the_environment_fills_what_the_url_leaves_open() {
    let all = [
        ("PGHOST", "envhost"),
        ("PGHOSTADDR", "10.0.0.1"),
        ("PGPORT", "6000"),
        ("PGUSER", "envuser"),
        ("PGPASSWORD", "envpw"),
        ("PGDATABASE", "envdb"),
        ("PGAPPNAME", "envapp"),
        ("PGOPTIONS", "-c geqo=off"),
        ("PGSSLMODE", "require"),
        ("PGSSLROOTCERT", "ca.pem"),
        ("PGSSLCERT", "c.pem"),
        ("PGSSLKEY", "k.pem"),
        ("PGCONNECT_TIMEOUT", "9"),
        ("PGTARGETSESSIONATTRS", "read-only"),
    ];
    let config = from_env(&all).unwrap();
    assert_eq!(config.get_hosts(), ["envhost"]);
    assert_eq!(config.driver().get_hostaddrs(), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(config.get_ports(), [6000]);
    assert_eq!((config.get_user(), config.get_dbname()), (Some("envuser"), Some("envdb")));
    assert_eq!(config.driver.get_password(), Some(&b"envpw"[..]));
    assert_eq!(config.get_application_name(), Some("envapp"));
    assert_eq!(config.get_options(), Some("-c geqo=off"));
    assert_eq!(config.get_ssl_mode(), SslMode::Require);
    assert_eq!(config.get_ssl_root_cert(), Some(Path::new("ca.pem")));
    assert_eq!(config.get_connect_timeout(), Duration::from_secs(9));
    assert_eq!(config.driver().get_target_session_attrs(), TargetSessionAttrs::ReadOnly);

    let url = ("DATABASE_URL", "postgres://urluser@urlhost/urldb?sslmode=disable&connect_timeout=2");
    let config = from_env(&[&[url], &all[..]].concat()).unwrap();
    assert_eq!(config.get_hosts(), ["urlhost"]);
    assert!(config.driver().get_hostaddrs().is_empty());
    assert_eq!(config.get_ports(), [6000]);
    assert_eq!((config.get_user(), config.get_dbname()), (Some("urluser"), Some("urldb")));
    assert_eq!(config.driver.get_password(), Some(&b"envpw"[..]));
    assert_eq!(config.get_ssl_mode(), SslMode::Disable);
    assert_eq!(config.get_connect_timeout(), Duration::from_secs(2));

    assert_eq!(from_env(&[]).unwrap(), Config::new());
    assert_eq!(from_env(&[("DATABASE_URL", ""), ("PGPORT", "")]).unwrap(), Config::new());
    let error = from_env(&[("PGPORT", "x")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid environment variable PGPORT: invalid port `x`, expected a number up to 65535"
    );
}

#[test]
fn a_file_has_a_url_or_fields() {
    let config = json(
        r#"{ "host": "h", "port": 6000, "user": "me", "password": "pw'\\", "dbname": "db", "sslmode": "require",
             "max_size": 20, "checkout_timeout": 3, "test_timeout": 0.25, "lifetime_jitter": 0, "keepalives": false,
             "statement_timeout": 0, "statement_cache_size": 0 }"#,
    )
    .unwrap();
    assert_eq!((config.get_hosts(), config.get_ports()), (vec!["h".to_owned()], &[6000][..]));
    assert_eq!(config.driver.get_password(), Some(&br"pw'\"[..]));
    assert_eq!((config.get_max_size(), config.get_statement_cache_size()), (20, 0));
    assert_eq!(config.get_test_timeout(), Duration::from_millis(250));
    assert_eq!(config.get_ssl_mode(), SslMode::Require);
    assert_eq!(config.driver().get_options(), None);

    let config = json(r#"{ "url": "postgres://me@h/db", "password": "pw", "max_size": 2 }"#).unwrap();
    assert_eq!((config.get_user(), config.driver.get_password()), (Some("me"), Some(&b"pw"[..])));

    for (text, problem) in [
        (r#"{ "url": "postgres://me@h/db", "user": "you" }"#, "user is set in `url` and beside it"),
        (r#"{ "maxsize": 3 }"#, "unknown field `maxsize`"),
        (r#"{ "checkout_timeout": -1 }"#, "a number of seconds, 0 or more"),
        (r#"{ "checkout_timeout": 1e300 }"#, "a number of seconds, 0 or more"),
        (r#"{ "max_size": 0 }"#, "max_size is 0, permitted is from 1 to 262143"),
        (r#"{ "sslmode": "on" }"#, "invalid configuration: invalid sslmode `on`"),
    ] {
        let error = json(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn an_error_of_validation_names_setting_value_and_range() {
    let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
    for (config, problem) in [
        (Config::new().max_size(0), "max_size is 0, permitted is from 1 to 262143"),
        (Config::new().checkout_timeout(zero), "checkout_timeout is 0 s, permitted is from 0.001 s to 2147483.647 s"),
        (Config::new().connect_timeout(zero), "connect_timeout is 0 s, permitted is from 0.001 s to 2147483.647 s"),
        (Config::new().test_timeout(zero), "test_timeout is 0 s, permitted is from 0.001 s to 5 s"),
        (Config::new().test_timeout(second * 6), "test_timeout is 6 s, permitted is from 0.001 s to 5 s"),
        (Config::new().lifetime_jitter(1.5), "lifetime_jitter is 1.5, permitted is from 0 to 1"),
        (Config::new().lifetime_jitter(f64::NAN), "lifetime_jitter is NaN, permitted is from 0 to 1"),
        (
            Config::new().statement_timeout(Duration::from_micros(5)),
            "statement_timeout is 0.000005 s, permitted is 0 or from 0.001 s to 2147483.647 s",
        ),
        (
            Config::new().idle_timeout(Duration::MAX),
            "idle_timeout is 18446744073709552000 s, permitted is 0 or from 0.001 s to 2147483.647 s",
        ),
        (Config::new().keepalives_idle(zero), "keepalives_idle is 0 s, permitted is from 1 s to 32767 s"),
        (Config::new().keepalives_retries(0), "keepalives_retries is 0, permitted is from 1 to 127"),
        (
            Config::new().ssl_root_cert("system").ssl_mode(SslMode::Require),
            "sslmode is require, permitted with sslrootcert=system is verify-full",
        ),
    ] {
        let error = config.validate().unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Config, problem));
    }
    assert!(message("host=a,b port=1,2,3").contains("port lists 3 ports"));
    assert!(message("host=a,b hostaddr=10.0.0.1").contains("hostaddr lists 1 addresses"));
    assert!(message("sslcert=c.pem").contains("both or not at all"));
    assert!(message("host=h sslnegotiation=direct").contains("permitted with sslnegotiation=direct"));
    config("host=h sslnegotiation=direct sslmode=require");
    let never = Config::new().idle_timeout(zero).max_lifetime(zero).statement_timeout(zero).tcp_user_timeout(zero);
    never.test_after_idle(zero).keepalives(false).keepalives_idle(zero).validate().unwrap();
}

#[test]
fn setters_replace() {
    let config = config("postgres://me:pw@h1:1,h2:2/db?target_session_attrs=read-write").host("h3").port(3);
    let driver = config.driver();
    assert_eq!(driver.get_hosts(), [Host::Tcp("h3".into())]);
    assert_eq!(driver.get_ports(), [3]);
    assert_eq!((driver.get_user(), driver.get_password()), (Some("me"), Some(&b"pw"[..])));
    assert_eq!(driver.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!(config.host("a,b").get_hosts(), ["a", "b"]);
}

#[test]
fn the_system_s_roots_imply_verify_full() {
    assert_eq!(config("host=h sslrootcert=system").get_ssl_mode(), SslMode::VerifyFull);
}

#[test]
fn lifetimes_are_drawn_within_the_jitter() {
    let config = Config::new().max_lifetime(Duration::from_secs(100)).lifetime_jitter(0.2);
    let drawn: Vec<_> = (0..100).map(|_| config.draw_lifetime()).collect();
    assert!(drawn.iter().all(|lifetime| (80..=100).contains(&lifetime.as_secs())));
    assert!(drawn.iter().any(|lifetime| *lifetime != drawn[0]));
    assert_eq!(config.max_lifetime(Duration::ZERO).draw_lifetime(), Duration::ZERO);
}
