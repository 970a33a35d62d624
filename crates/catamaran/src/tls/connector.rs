//! The rustls connector for a mode.

use super::{
    Connector, SslMode,
    verify::{AnyCertificate, AnyName},
};
use crate::{Config, Error, ErrorKind, Result};
use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};
use tokio_postgres::config::SslNegotiation;

/// Reads the certificates that the mode needs.
pub(super) fn connector(config: &Config, mode: SslMode) -> Result<Connector> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(config, mode, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error("TLS can't be set up", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut tls = match (config.get_ssl_cert(), config.get_ssl_key()) {
        (Some(cert), Some(key)) => {
            let chain = certificates("sslcert", cert)?;
            builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| {
                let (cert, key) = (cert.display(), key.display());
                tls_error(format!("sslcert {cert} and sslkey {key} can't be used"), error)
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    if config.driver().get_ssl_negotiation() == SslNegotiation::Direct {
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Connector::new(tls))
}

/// For attempts without TLS, where the type asks for a connector; it trusts no certificate.
pub(super) fn unused() -> Result<Connector> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error("TLS can't be set up", error))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(Connector::new(tls))
}

fn verifier(config: &Config, mode: SslMode, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let root_file = config.get_ssl_root_cert().filter(|path| *path != Path::new("system"));
    let chain = || {
        let roots = match root_file {
            Some(path) => roots_from_file(path)?,
            None => platform_roots()?,
        };
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| tls_error("the trusted certificates can't be used", error))
    };
    Ok(match mode {
        SslMode::VerifyFull => chain()?,
        SslMode::VerifyCa => Arc::new(AnyName::new(chain()?)),
        SslMode::Require if root_file.is_some() => Arc::new(AnyName::new(chain()?)),
        SslMode::Disable | SslMode::Allow | SslMode::Prefer | SslMode::Require => {
            Arc::new(AnyCertificate::new(provider.signature_verification_algorithms))
        }
    })
}

fn roots_from_file(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("sslrootcert", path)? {
        roots.add(certificate).map_err(|error| {
            tls_error(format!("sslrootcert {} has a certificate that can't be used", path.display()), error)
        })?;
    }
    Ok(roots)
}

/// Single certificates of a platform that can't be used are left out, as other programs do.
fn platform_roots() -> Result<RootCertStore> {
    let mut found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let message = "the platform has no trusted certificates; set sslrootcert";
        return Err(match found.errors.pop() {
            Some(error) => Error::with_source(ErrorKind::Tls, message, error),
            None => Error::new(ErrorKind::Tls, message),
        });
    }
    Ok(roots)
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(setting, path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::new(ErrorKind::Tls, format!("{setting} {} is not valid PEM", path.display())))?;
    if certificates.is_empty() {
        return Err(Error::new(ErrorKind::Tls, format!("{setting} {} has no certificate in PEM", path.display())));
    }
    Ok(certificates)
}

/// The parser's error is dropped: it may quote a line of the file.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&read("sslkey", path)?).map_err(|_| {
        let message = format!("sslkey {} has no unencrypted private key in PEM", path.display());
        Error::new(ErrorKind::Tls, message)
    })
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| tls_error(format!("{setting} {} can't be read", path.display()), error))
}

fn tls_error(message: impl Into<String>, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::with_source(ErrorKind::Tls, format!("{}: {error}", message.into()), error)
}
