//! Who the server is to clients over TLS, kept as its files say: they are looked at now and then, and when the operator says so (SIGHUP).
//! Handshakes that begin after that are shown what is new; connections that are open go on. What cannot be read, or does not fit, is
//! told, counted, and not taken.

use std::fs;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::metrics::TlsFigures;
use crate::ops::beat::Beat;
use crate::ops::files::Stamp;
use crate::rest::http::certificate::{Certificate, CertificateError, Files};
use crate::rest::http::handshake::{Failure, Greeted};

/// What is shown now.
#[derive(Debug)]
pub struct Identity {
    files: Files,
    shown: RwLock<Arc<ServerConfig>>,
    figures: TlsFigures,
}

/// Looks at the files.
#[derive(Debug)]
pub struct Keeper {
    identity: Arc<Identity>,
    /// How they were when they were last read, and at the last look; nothing where they were not there.
    read: Stamps,
    seen: Stamps,
}

type Stamps = [Option<Stamp>; 2];

impl Identity {
    /// Reads the files.
    pub fn open(files: Files, figures: TlsFigures) -> Result<(Arc<Self>, Keeper), CertificateError> {
        let seen = stamps(&files);
        let Certificate { config, ends_at } = Certificate::read(&files)?;
        figures.ends_at(ends_at);
        let identity = Arc::new(Self { files, shown: RwLock::new(config), figures });
        let keeper = Keeper { identity: Arc::clone(&identity), read: seen, seen };
        Ok((identity, keeper))
    }

    /// What a handshake that begins now is shown.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a handshake.
    pub fn count(&self, greeted: &Result<Greeted, Failure>) {
        let figures = &self.figures;
        let counter = match greeted {
            Ok(Greeted::Tls(tls, _)) if tls.is_resumed() => &figures.resumed,
            Ok(Greeted::Tls(..)) => &figures.full,
            Ok(Greeted::Plain) => &figures.plain,
            Err(Failure::Closed) => &figures.closed,
            Err(Failure::Timeout) => &figures.timeout,
            Err(Failure::Incompatible) => &figures.incompatible,
            Err(Failure::Protocol) => &figures.protocol,
        };
        counter.increment(1);
    }

    fn reload(&self) {
        match Certificate::read(&self.files) {
            Ok(Certificate { config, ends_at }) => {
                *self.shown.write().unwrap_or_else(PoisonError::into_inner) = config;
                self.figures.ends_at(ends_at);
                self.figures.taken.increment(1);
                tracing::info!(file = %self.files.cert.display(), "the certificate was read again");
            }
            Err(error) => {
                self.figures.refused.increment(1);
                tracing::error!(%error, "the certificate was not taken; the one of before is shown on");
            }
        }
    }
}

impl Keeper {
    /// Looks until `stop`.
    pub async fn run(mut self, mut hang_up: Signal, stop: CancellationToken, beat: Arc<Beat>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(limits::TLS_LOOK_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = beat.idle(async {
                tokio::select! {
                    () = stop.cancelled() => None,
                    _ = ticks.tick() => Some(false),
                    _ = hang_up.recv() => Some(true),
                }
            });
            let Some(is_asked) = asked.await else { return };
            let looked = tokio::task::spawn_blocking(move || {
                self.look(is_asked);
                self
            });
            self = match looked.await {
                Ok(keeper) => keeper,
                // The runtime ends.
                Err(error) if error.is_cancelled() => return,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
        }
    }

    /// Reads the files where they have changed and do not any more, or `even_so`.
    fn look(&mut self, even_so: bool) {
        let now = stamps(&self.identity.files);
        let has_settled = now == std::mem::replace(&mut self.seen, now);
        if even_so || now != self.read && has_settled {
            self.read = now;
            self.identity.reload();
        }
    }
}

fn stamps(files: &Files) -> Stamps {
    [&files.cert, &files.key].map(|path| fs::metadata(path).and_then(|metadata| Stamp::of(&metadata)).ok())
}

#[cfg(test)]
mod tests {
    use super::{Identity, Keeper};
    use crate::metrics::Metrics;
    use crate::rest::http::certificate::{CertificateError, Files};
    use crate::shard::Stats;
    use crate::socket::authority::{Authority, Issued};
    use rustix::fs::{CWD, FileType, Mode};
    use std::fs;
    use std::sync::Arc;
    use tempfile::TempDir;

    struct Case {
        folder: TempDir,
        metrics: Metrics,
    }

    impl Case {
        fn new() -> Self {
            Self { folder: TempDir::new().unwrap(), metrics: Metrics::new("a") }
        }

        fn files(&self) -> Files {
            Files { cert: self.folder.path().join("cert.pem"), key: self.folder.path().join("key.pem") }
        }

        fn write(&self, cert: &str, key: &str) {
            // As renewals do it: another file under the same name.
            for (path, text) in [(self.files().cert, cert), (self.files().key, key)] {
                let new = path.with_extension("new");
                fs::write(&new, text).unwrap();
                fs::rename(new, path).unwrap();
            }
        }

        fn open(&self) -> Result<(Arc<Identity>, Keeper), CertificateError> {
            Identity::open(self.files(), self.metrics.tls())
        }

        fn refused(&self) -> String {
            self.open().unwrap_err().to_string()
        }

        fn figure(&self, line: &str) -> bool {
            self.metrics.render(&Stats::default(), 0).contains(line)
        }
    }

    #[test]
    fn what_is_no_pair_is_refused_by_name() {
        let (case, authority) = (Case::new(), Authority::new());
        let Issued { chain, key, .. } = authority.issue("localhost");
        assert!(case.refused().contains("cert.pem: No such file"), "{}", case.refused());
        case.write(&chain, &authority.issue("localhost").key);
        assert!(case.refused().contains("key.pem: its key is not that of the first certificate in"));
        case.write(&key, &key);
        assert!(case.refused().contains("cert.pem: there is no certificate in it"));
        case.write(&chain, &chain);
        assert!(case.refused().contains("key.pem: there is no key in it"));
        case.write(&chain[..chain.len() / 3], &key);
        assert!(case.refused().contains("cert.pem: not PEM"));
        let no_certificate = key.replace("PRIVATE KEY", "CERTIFICATE");
        case.write(&no_certificate, &key);
        assert!(case.refused().contains("cert.pem: the first certificate in it cannot be read"));
        case.write(&chain, &chain.replace("CERTIFICATE", "PRIVATE KEY"));
        assert!(case.refused().contains("key.pem: the key in it is of no use"));
        case.write(&"#\n".repeat(200_000), &key);
        assert!(case.refused().contains("cert.pem: longer than"));
        case.write(&chain, &key);
        assert!(case.open().is_ok());
        fs::remove_file(case.files().key).unwrap();
        rustix::fs::mknodat(CWD, case.files().key, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(case.refused().contains("key.pem: not a file"), "nobody waits for somebody to write into it");
    }

    #[test]
    fn what_has_changed_is_taken_once_it_rests_and_what_does_not_fit_is_not() {
        let (case, authority) = (Case::new(), Authority::new());
        let (first, second) =
            (authority.issue_for("localhost", 2020, 2040), authority.issue_for("localhost", 2020, 2041));
        case.write(&first.chain, &first.key);
        let (identity, mut keeper) = case.open().unwrap();
        let shown = identity.config();
        keeper.look(false);
        assert!(Arc::ptr_eq(&shown, &identity.config()), "nothing has changed");
        assert!(case.figure("tiltyard_tls_certificate_expiry_timestamp_seconds 2208988800"));
        // The look comes between the two files.
        case.write(&second.chain, &first.key);
        keeper.look(false);
        case.write(&second.chain, &second.key);
        keeper.look(false);
        assert!(Arc::ptr_eq(&shown, &identity.config()) && case.figure(r#"reloads_total{outcome="refused"} 0"#));
        keeper.look(false);
        let taken = identity.config();
        assert!(!Arc::ptr_eq(&shown, &taken) && case.figure(r#"reloads_total{outcome="taken"} 1"#));
        assert!(case.figure("tiltyard_tls_certificate_expiry_timestamp_seconds 2240611200"));
        case.write(&second.chain, &first.key);
        for _ in 0..4 {
            keeper.look(false);
        }
        assert!(Arc::ptr_eq(&taken, &identity.config()));
        assert!(case.figure(r#"reloads_total{outcome="refused"} 1"#), "it is told once");
        fs::remove_file(case.files().key).unwrap();
        keeper.look(true);
        assert!(Arc::ptr_eq(&taken, &identity.config()) && case.figure(r#"reloads_total{outcome="refused"} 2"#));
        case.write(&first.chain, &first.key);
        keeper.look(true);
        assert!(!Arc::ptr_eq(&taken, &identity.config()), "at once where it is asked for");
    }
}
