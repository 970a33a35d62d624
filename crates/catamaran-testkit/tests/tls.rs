//! TLS accepts those it should, and clients can tell whom to refuse.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::Arc;

use catamaran_testkit::{Cluster, KeyPairFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

fn tls(ca: &Path, client: Option<KeyPairFiles>) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    MakeRustlsConnect::new(match client {
        Some(files) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(files.certificate).unwrap()],
                PrivateKeyDer::from_pem_file(files.key).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// Connects with TLS required and returns whether the server says it is used.
async fn used(cluster: &Cluster, host: &str, tls: MakeRustlsConnect) -> Result<bool, tokio_postgres::Error> {
    let text = format!("host={host} port={} user=postgres dbname=postgres sslmode=require", cluster.port());
    let (client, connection) = tokio_postgres::connect(&text, tls).await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await?;
    drop(client);
    connection.await.unwrap()?;
    Ok(row.get(0))
}

#[tokio::test]
async fn a_server_with_tls_is_verified() {
    let cluster = Cluster::builder().tls().start().unwrap();
    let files = cluster.certificates().unwrap();
    for host in ["localhost", "127.0.0.1"] {
        assert!(used(&cluster, host, tls(&files.ca(), None)).await.unwrap(), "{host}");
        let error = used(&cluster, host, tls(&files.unrelated_ca(), None)).await.unwrap_err();
        assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    }
    assert!(tokio_postgres::connect(&cluster.url("postgres"), NoTls).await.is_ok(), "TLS is not required");
    cluster.restart().unwrap();
    assert!(used(&cluster, "localhost", tls(&files.ca(), None)).await.unwrap());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_apart() {
    let cluster = Cluster::builder().tls_for(["db.example"]).require_tls().start().unwrap();
    let ca = cluster.certificates().unwrap().ca();
    let error = used(&cluster, "localhost", tls(&ca, None)).await.unwrap_err();
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
    // The authority is right and only the name is wrong: a client that asks for
    // the certificate's own name is satisfied.
    let text = format!("host=db.example hostaddr=127.0.0.1 port={} user=postgres sslmode=require", cluster.port());
    assert!(tokio_postgres::connect(&text, tls(&ca, None)).await.is_ok());
    let error = tokio_postgres::connect(&cluster.url("postgres"), NoTls).await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "28000", "TLS is required");
    drop(cluster.database().unwrap());
}

#[tokio::test]
async fn a_client_is_asked_for_its_certificate() {
    let cluster = Cluster::builder().client_certificates().start().unwrap();
    let files = cluster.certificates().unwrap();
    assert!(used(&cluster, "localhost", tls(&files.ca(), Some(files.client()))).await.unwrap());
    assert!(used(&cluster, "localhost", tls(&files.ca(), None)).await.is_err());
    let other = Cluster::builder().tls().start().unwrap();
    let foreign = other.certificates().unwrap().client();
    assert!(used(&cluster, "localhost", tls(&files.ca(), Some(foreign))).await.is_err());
    assert!(Cluster::start().unwrap().certificates().is_none());
}
