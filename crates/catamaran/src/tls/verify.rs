//! Certificate verification that leaves out a part, for the modes of libpq that do.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};
use std::sync::Arc;

/// The chain is verified, the name is not.
#[derive(Debug)]
pub(super) struct AnyName(Arc<WebPkiServerVerifier>);

impl AnyName {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self(verifier)
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is the last that is checked: whoever gets here has a valid chain.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Any certificate will do.
///
/// That the server holds its key is checked nevertheless: channel binding relies on it.
#[derive(Debug)]
pub(super) struct AnyCertificate(WebPkiSupportedAlgorithms);

impl AnyCertificate {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self(algorithms)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = public_key(cert).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(key), dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// The key of a certificate of any version.
///
/// rustls reads certificates of version 3 only, but `openssl x509 -req` as PostgreSQL's manual shows it makes one of
/// version 1, and `require` has to do with what the server has.
fn public_key<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let certificate = Element::first(certificate.as_ref())?.tagged(SEQUENCE)?;
    let mut fields = Element::first(certificate.content)?.tagged(SEQUENCE)?.content;
    if Element::first(fields)?.tag == VERSION {
        fields = Element::first(fields)?.rest;
    }
    // Serial number, signature algorithm, issuer, validity and subject come first.
    for _ in 0..5 {
        fields = Element::first(fields)?.rest;
    }
    Some(Element::first(fields)?.tagged(SEQUENCE)?.whole)
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(input: &'a [u8]) -> Option<Self> {
        let (&tag, after) = input.split_first()?;
        let (&length, after) = after.split_first()?;
        let (length, after) = match length {
            0..=0x7f => (usize::from(length), after),
            // TLS itself counts the bytes of a certificate in three.
            0x81..=0x83 => {
                let (bytes, after) = after.split_at_checked(usize::from(length & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
            }
            _ => return None,
        };
        let (content, rest) = after.split_at_checked(length)?;
        Some(Self { tag, content, whole: &input[..input.len() - rest.len()], rest })
    }

    fn tagged(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{CertificateDer, public_key};
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn the_key_is_found_in_certificates_of_versions_1_and_3() {
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let old = certificate(include_str!("test_certificate_v1.pem"));
        let new = certificate(include_str!("test_certificate.pem"));
        let key = public_key(&new).unwrap();
        // Sequence, length, sequence of two object identifiers: an elliptic curve's key of 256 bits.
        assert_eq!((key.len(), &key[..4]), (91, &[0x30, 0x59, 0x30, 0x13][..]));
        assert_eq!(public_key(&old), Some(key));
        for length in 0..new.len() {
            assert_eq!(public_key(&CertificateDer::from(&new[..length])), None);
        }
    }
}
