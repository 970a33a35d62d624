//! A connection pooler between the services and the server is noticed, and refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{collections::HashSet, sync::Arc, time::Duration};

use catamaran::{AsyncDatabaseService, Config, Error, ErrorKind, TransactionOptions};
use catamaran_testkit::{Database, PgBouncer, shared};
use catamaran_tests::services::services;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const LONG: Duration = Duration::from_secs(30);
const MODES: [&str; 3] = ["session", "transaction", "statement"];
/// What has a pooler let in clients that bring options along.
const IGNORES: (&str, &str) = ("ignore_startup_parameters", "options, extra_float_digits");

type Services = [(&'static str, Arc<dyn AsyncDatabaseService>); 3];

fn database() -> Database {
    shared().unwrap().database().unwrap()
}

fn pooler(settings: &[(&str, &str)]) -> PgBouncer {
    PgBouncer::start(shared().unwrap(), settings).unwrap()
}

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap().max_size(2).checkout_timeout(LONG).connect_timeout(LONG)
}

/// What a client that does not look gets through the pooler.
async fn raw(pooler: &PgBouncer, database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&pooler.url(database.name()), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn answer(client: &Client, sql: &str) -> Option<String> {
    let messages = client.simple_query(sql).await.ok()?;
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

/// Every call fails as a pooler has it fail, with and without options of the user's own.
async fn refused(pooler: &PgBouncer, database: &Database) {
    let url = pooler.url(database.name());
    let configs = [
        config(&url),
        config(&format!("{url}?options=-c%20geqo%3Doff")),
        config(&url).statement_timeout(Duration::ZERO),
    ];
    for config in configs {
        for (name, db) in services(&config) {
            let errors: [Error; 3] = [
                db.fetch_one("SELECT 1", &[]).await.unwrap_err(),
                db.begin(TransactionOptions::new()).await.map(drop).unwrap_err(),
                db.session().await.map(drop).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Connect, "{name}: {error}");
                assert!(error.to_string().contains("a connection pooler (PgBouncer or the like)"), "{name}: {error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ignores_what_a_connection_brings_along_is_refused() {
    let database = database();
    for mode in MODES {
        let pooler = pooler(&[("pool_mode", mode), IGNORES]);
        let client = raw(&pooler, &database).await;
        assert_eq!(answer(&client, "SELECT 1").await.as_deref(), Some("1"), "control: others get in");
        refused(&pooler, &database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_refuses_what_a_connection_brings_along_is_named() {
    let database = database();
    for mode in MODES {
        let pooler = pooler(&[("pool_mode", mode)]);
        let client = raw(&pooler, &database).await;
        assert_eq!(answer(&client, "SELECT 1").await.as_deref(), Some("1"), "control: others get in");
        refused(&pooler, &database).await;
    }
}

/// The server's connection knows a setting, but that of whoever opened it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_hands_out_what_others_have_opened_is_refused() {
    let database = database();
    let set = ("server_check_query", "SET catamaran.connection = '0123456789abcdef'");
    let always = [("server_check_delay", "0"), ("pool_mode", "transaction"), IGNORES, set];
    let pooler = pooler(&always);
    let client = raw(&pooler, &database).await;
    answer(&client, "SELECT 1").await.unwrap();
    let known = answer(&client, "SHOW catamaran.connection").await;
    assert_eq!(known.as_deref(), Some("0123456789abcdef"), "control: it is set");
    refused(&pooler, &database).await;
}

/// Why: what one client prepares, another runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_look_runs_what_others_have_prepared() {
    let database = database();
    let pooler = pooler(&[("pool_mode", "transaction"), ("default_pool_size", "1"), IGNORES]);
    let (one, other) = (raw(&pooler, &database).await, raw(&pooler, &database).await);
    one.batch_execute("PREPARE s1 AS SELECT 'of another'").await.unwrap();
    assert_eq!(answer(&other, "EXECUTE s1").await.as_deref(), Some("of another"));
}

/// Without a pooler, every connection knows its own, which nothing that is undone on it takes away, and which is not
/// among what is shown.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_itself_is_let_in() {
    const KNOWN: &str = "SELECT current_setting('catamaran.connection')";
    let database = database();
    let configs = [config(&database.url()), config(&database.url()).options("-c geqo=off -c catamaran.other=x")];
    let mut all = HashSet::new();
    let mut count = 0;
    for config in configs {
        let open: Services = services(&config);
        for (_, db) in open {
            let (one, other) = (db.session().await.unwrap(), db.session().await.unwrap());
            for session in [one, other] {
                let known: String = session.fetch_one(KNOWN, &[]).await.unwrap().get(0).unwrap();
                for undoing in ["RESET ALL", "DISCARD ALL"] {
                    session.batch_execute(undoing).await.unwrap();
                    let still: String = session.fetch_one(KNOWN, &[]).await.unwrap().get(0).unwrap();
                    assert_eq!(still, known);
                }
                let shown = session.fetch_all("SHOW ALL", &[]).await.unwrap();
                assert!(shown.iter().all(|row| !row.get::<String>(0).unwrap().starts_with("catamaran.")));
                all.insert(known);
                count += 1;
            }
        }
    }
    assert_eq!((all.len(), count), (12, 12), "each has its own");
}

/// A client holds the one connection of the pooler, so that whoever comes next is let in and never answered.
#[tokio::test(flavor = "multi_thread")]
async fn asking_ends_with_the_time_for_connecting() {
    let database = database();
    let pooler =
        pooler(&[("pool_mode", "transaction"), ("default_pool_size", "1"), ("query_wait_timeout", "0"), IGNORES]);
    let client = raw(&pooler, &database).await;
    client.batch_execute("BEGIN").await.unwrap();
    let config = config(&pooler.url(database.name())).connect_timeout(Duration::from_millis(500));
    for (name, db) in services(&config) {
        let waiting = tokio::time::timeout(LONG, db.fetch_one("SELECT 1", &[])).await;
        let error = waiting.expect(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{name}: {error}");
        assert!(error.to_string().contains("connect_timeout"), "{name}: {error}");
    }
    client.batch_execute("ROLLBACK").await.unwrap();
}
