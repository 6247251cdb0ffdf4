//! What the server shows to clients over TLS: a chain of certificates and the key of the first one, read from two files in PEM.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, InconsistentKeys, ServerConfig};
use thiserror::Error as ThisError;

use crate::clock;
use crate::limits;
use crate::rest::http::validity::validity;

/// The only protocol over TLS that is spoken here, in the words of ALPN.
const HTTP: &[u8] = b"http/1.1";

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The bit of a file's mode by which everybody may read it.
const READ_BY_ALL: u32 = 0o004;

/// Where a chain and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A chain and its key, ready to be shown.
#[derive(Debug)]
pub struct Certificate {
    pub config: Arc<ServerConfig>,
    /// Unix milliseconds of its end; `None` where that cannot be read.
    pub ends_at: Option<u64>,
}

/// Why there is nothing to be shown.
#[derive(Debug, ThisError)]
pub enum CertificateError {
    #[error("{setting} {}: {error}", path.display())]
    Io { setting: &'static str, path: PathBuf, error: io::Error },
    #[error("{setting} {}: longer than {} bytes", path.display(), limits::TLS_FILE_BYTES)]
    TooLong { setting: &'static str, path: PathBuf },
    #[error("{setting} {}: not PEM: {error}", path.display())]
    Pem { setting: &'static str, path: PathBuf, error: pem::Error },
    #[error("tls-cert {}: there is no certificate in it, which begins with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    #[error("tls-key {}: there is no key in it, which begins with -----BEGIN PRIVATE KEY-----; one with a pass phrase cannot be used", .0.display())]
    NoKey(PathBuf),
    #[error("tls-cert {}: the first certificate in it cannot be read: {error}", path.display())]
    BadCertificate { path: PathBuf, error: Error },
    #[error("tls-key {}: the key in it is of no use: {error}", path.display())]
    BadKey { path: PathBuf, error: Error },
    #[error("tls-key {}: its key is not that of the first certificate in {}", key.display(), cert.display())]
    Mismatch { cert: PathBuf, key: PathBuf },
    #[error("TLS cannot be set up: {0}")]
    Setup(Error),
}

/// The settings that name the files.
const CERT: &str = "tls-cert";
const KEY: &str = "tls-key";

impl Certificate {
    /// Reads both files. What is strange and no reason against it is warned of.
    pub fn read(files: &Files) -> Result<Self, CertificateError> {
        let (chain, _) = read(CERT, &files.cert)?;
        let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| CertificateError::Pem { setting: CERT, path: files.cert.clone(), error })?;
        let Some(first) = chain.first() else { return Err(CertificateError::NoCertificate(files.cert.clone())) };
        let ends_at = times(first, &files.cert);
        let (key, metadata) = read(KEY, &files.key)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| match error {
            pem::Error::NoItemsFound => CertificateError::NoKey(files.key.clone()),
            error => CertificateError::Pem { setting: KEY, path: files.key.clone(), error },
        })?;
        if metadata.mode() & READ_BY_ALL != 0 {
            tracing::warn!(file = %files.key.display(), "everybody on this machine can read the key of the certificate");
        }
        let config = configure(files, chain, key)?;
        Ok(Self { config: Arc::new(config), ends_at })
    }
}

fn configure(
    files: &Files,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CertificateError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| CertificateError::BadKey { path: files.key.clone(), error })?;
    let shown = CertifiedKey::new(chain, key);
    match shown.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            return Err(CertificateError::Mismatch { cert: files.cert.clone(), key: files.key.clone() });
        }
        Err(error) => return Err(CertificateError::BadCertificate { path: files.cert.clone(), error }),
    }
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(CertificateError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = vec![HTTP.to_vec()];
    // What is needed to go on with an earlier connection is the client's to keep, sealed with a key of this configuration: after a
    // reload everybody is shown the new certificate.
    config.ticketer = Ticketer::new().map_err(CertificateError::Setup)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Until when a certificate is good. Warns where that is not so now, or not for long.
fn times(first: &CertificateDer<'_>, path: &Path) -> Option<u64> {
    let (file, now, found) = (path.display(), clock::now_ms(), validity(first));
    match found {
        None => tracing::warn!(%file, "it cannot be read until when the certificate is good"),
        Some((_, until)) if until <= now => {
            tracing::warn!(%file, days = (now - until) / DAY_MS, "the certificate has ended; clients refuse it");
        }
        Some((from, _)) if from > now => {
            tracing::warn!(%file, days = (from - now) / DAY_MS, "the certificate is not good yet; clients refuse it");
        }
        Some((_, until)) if until - now < limits::TLS_ENDING_DAYS * DAY_MS => {
            tracing::warn!(%file, days = (until - now) / DAY_MS, "the certificate ends soon");
        }
        Some(_) => {}
    }
    found.map(|(_, until)| until)
}

fn read(setting: &'static str, path: &Path) -> Result<(Vec<u8>, Metadata), CertificateError> {
    let failed = |error| CertificateError::Io { setting, path: path.to_owned(), error };
    // Whatever it is, nobody waits for somebody to write into it.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::new(ErrorKind::InvalidInput, "not a file")));
    }
    let mut text = Vec::new();
    file.take(limits::TLS_FILE_BYTES as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() > limits::TLS_FILE_BYTES {
        return Err(CertificateError::TooLong { setting, path: path.to_owned() });
    }
    Ok((text, metadata))
}
