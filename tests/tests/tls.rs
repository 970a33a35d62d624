//! libpq's sslmodes against a server with TLS, on both services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use catamaran::{Config, ErrorKind, SslMode};
use catamaran_testkit::{Cluster, shared};
use catamaran_tests::hull::both;

/// Whether each service's connection is encrypted, or why there is none.
fn encrypted(url: &str, mode: SslMode, root: Option<&Path>) -> [Result<bool, ErrorKind>; 2] {
    let mut config = Config::from_url(url).unwrap().ssl_mode(mode);
    if let Some(root) = root {
        config = config.ssl_root_cert(root);
    }
    both(&config).unwrap().map(|db| {
        let row = db.fetch_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]);
        row.map(|row| row.get(0).unwrap()).map_err(|error| error.kind())
    })
}

#[test]
fn a_server_with_tls() {
    let cluster = Cluster::builder().tls().start().unwrap();
    let certificates = cluster.certificates().unwrap();
    let (ca, unrelated) = (certificates.ca(), certificates.unrelated_ca());
    let url = cluster.server().url("postgres");
    for (mode, root, expected) in [
        (SslMode::Disable, None, Ok(false)),
        (SslMode::Allow, None, Ok(false)),
        (SslMode::Prefer, None, Ok(true)),
        (SslMode::Require, None, Ok(true)),
        (SslMode::Require, Some(&ca), Ok(true)),
        (SslMode::Require, Some(&unrelated), Err(ErrorKind::Tls)),
        (SslMode::VerifyCa, Some(&ca), Ok(true)),
        (SslMode::VerifyCa, Some(&unrelated), Err(ErrorKind::Tls)),
        (SslMode::VerifyFull, Some(&ca), Ok(true)),
        (SslMode::VerifyFull, Some(&unrelated), Err(ErrorKind::Tls)),
        (SslMode::VerifyFull, None, Err(ErrorKind::Tls)),
    ] {
        assert_eq!(encrypted(&url, mode, root.map(|p| p.as_path())), [expected, expected], "{mode} {root:?}");
    }
}

#[test]
fn a_server_with_another_name() {
    let cluster = Cluster::builder().tls_for(["db.example"]).start().unwrap();
    let ca = cluster.certificates().unwrap().ca();
    let url = cluster.server().url("postgres");
    assert_eq!(encrypted(&url, SslMode::VerifyCa, Some(&ca)), [Ok(true), Ok(true)]);
    let refused = Err(ErrorKind::Tls);
    assert_eq!(encrypted(&url, SslMode::VerifyFull, Some(&ca)), [refused, refused]);
}

#[test]
fn a_server_that_insists_on_tls() {
    let cluster = Cluster::builder().tls().require_tls().start().unwrap();
    let url = cluster.server().url("postgres");
    for (mode, expected) in
        [(SslMode::Disable, Err(ErrorKind::Authentication)), (SslMode::Allow, Ok(true)), (SslMode::Prefer, Ok(true))]
    {
        assert_eq!(encrypted(&url, mode, None), [expected, expected], "{mode}");
    }
}

#[test]
fn a_server_without_tls() {
    let database = shared().unwrap().database().unwrap();
    let refused = Err(ErrorKind::Tls);
    for (mode, expected) in [
        (SslMode::Disable, Ok(false)),
        (SslMode::Allow, Ok(false)),
        (SslMode::Prefer, Ok(false)),
        (SslMode::Require, refused),
        (SslMode::VerifyCa, refused),
        (SslMode::VerifyFull, refused),
    ] {
        assert_eq!(encrypted(&database.url(), mode, None), [expected, expected], "{mode}");
    }
}
