//! Whom a client takes for its server, over TLS.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::Error;

/// Who is trusted.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// Servers that an authority of the system vouches for.
    #[default]
    System,
    /// Servers that one of these authorities vouches for, and nobody else.
    Authorities(Vec<CertificateDer<'static>>),
    /// Whoever answers: for tries, as anybody on the way can read everything and change it.
    Anybody,
}

impl Trust {
    /// Servers that the authorities in `pem` vouch for.
    pub fn authorities(pem: &[u8]) -> Result<Self, Error> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match all {
            Ok(all) if all.is_empty() => Err(Error::Authority("there is no certificate in it".to_owned())),
            Ok(all) => Ok(Self::Authorities(all)),
            Err(error) => Err(Error::Authority(error.to_string())),
        }
    }

    /// How TLS is spoken; `None` where it is as the system has it.
    pub fn tls(&self) -> Result<Option<Arc<ClientConfig>>, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::Authority(error.to_string()))?;
        Ok(match self {
            Self::System => None,
            Self::Authorities(all) => {
                let mut roots = RootCertStore::empty();
                for one in all {
                    roots.add(one.clone()).map_err(|error| Error::Authority(error.to_string()))?;
                }
                Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
            }
            Self::Anybody => {
                let verifier = Arc::new(Anybody(provider));
                Some(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
            }
        })
    }

    /// A client of HTTP that trusts them.
    pub fn http(&self) -> Result<reqwest::Client, Error> {
        let builder = reqwest::Client::builder();
        let builder = match self {
            Self::System => builder,
            Self::Authorities(all) => {
                let all: Result<Vec<_>, _> = all.iter().map(|one| reqwest::Certificate::from_der(one)).collect();
                builder.tls_certs_only(all?)
            }
            Self::Anybody => builder.tls_danger_accept_invalid_certs(true),
        };
        Ok(builder.build()?)
    }
}

/// Takes any certificate; whoever shows it still has to have its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
