//! Certificates for tests of TLS.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::Error;
use crate::account::Account;

/// The PEM files of a certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPairFiles {
    /// The file of the certificate.
    pub certificate: PathBuf,
    /// The file of the private key.
    pub key: PathBuf,
}

/// The certificates of a cluster with TLS, as PEM files in its directory.
#[derive(Clone, Debug)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes new certificates in `directory`, with a server's one for `names`.
    pub(crate) fn make(
        directory: PathBuf,
        account: Account,
        names: Vec<String>,
        superuser: &str,
    ) -> Result<Self, Error> {
        let certificates = Self { directory };
        let ca = authority("Catamaran test CA")?;
        account.write(&certificates.ca(), &ca.pem())?;
        account.write(&certificates.unrelated_ca(), &authority("Catamaran unrelated CA")?.pem())?;
        for (files, name, names, usage) in [
            (certificates.server(), "catamaran test server", names, ExtendedKeyUsagePurpose::ServerAuth),
            (certificates.client(), superuser, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.key_usages.push(KeyUsagePurpose::DigitalSignature);
            params.extended_key_usages.push(usage);
            params.use_authority_key_identifier_extension = true;
            account.write(&files.certificate, &params.signed_by(&key, &ca)?.pem())?;
            account.write(&files.key, &key.serialize_pem())?;
        }
        Ok(certificates)
    }

    /// The certificate of the authority that signed the server's and the
    /// client's certificates.
    pub fn ca(&self) -> PathBuf {
        self.file("ca.crt")
    }

    /// The certificate of an authority that signed neither; a client that
    /// trusts only this one must refuse the server.
    pub fn unrelated_ca(&self) -> PathBuf {
        self.file("unrelated-ca.crt")
    }

    /// The server's certificate and key.
    pub fn server(&self) -> KeyPairFiles {
        KeyPairFiles { certificate: self.file("server.crt"), key: self.file("server.key") }
    }

    /// A client's certificate and key, with the superuser as its common name.
    pub fn client(&self) -> KeyPairFiles {
        KeyPairFiles { certificate: self.file("client.crt"), key: self.file("client.key") }
    }

    /// The directory that holds the files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.extend([KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}
