//! How the external keys stay fresh: a file is looked at every few seconds, an address asked every few minutes, and sooner
//! when a token names a key that is not known. What cannot be read changes nothing: the last good set stays in use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::KeyRing;
use super::jwks::KeySet;
use super::source::{Reader, Source, SourceError};
use crate::limits;
use crate::ops::beat::Beat;

/// How often is looked; see [`crate::limits`] for what each is for.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub look: Duration,
    pub fetch_every: Duration,
    pub retry: Duration,
    pub unknown_kid: Duration,
    pub timeout: Duration,
}

/// Keeps a ring's external keys as fresh as their source.
#[derive(Debug)]
pub struct Refresher {
    ring: KeyRing,
    source: Source,
    reader: Reader,
    pace: Pace,
    /// Why the last try brought no keys, and how that was told.
    failure: Option<String>,
    /// When a token's unknown key was last a reason to fetch.
    asked_at: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_millis(limits::JWKS_LOOK_MS),
            fetch_every: Duration::from_millis(limits::JWKS_FETCH_EVERY_MS),
            retry: Duration::from_millis(limits::JWKS_RETRY_MS),
            unknown_kid: Duration::from_millis(limits::JWKS_UNKNOWN_KID_MS),
            timeout: Duration::from_millis(limits::JWKS_TIMEOUT_MS),
        }
    }
}

impl Refresher {
    /// Reads the keys for the first time. A file that cannot be read is an error, because nobody but the operator can have
    /// caused it; an address that does not answer is not: [`Refresher::run`] asks it again.
    pub async fn start(ring: KeyRing, source: Source, pace: Pace) -> Result<Self, SourceError> {
        let mut reader = Reader::of(&source, pace.timeout)?;
        let read = reader.read(true).await;
        let mut refresher = Self { ring, source, reader, pace, failure: None, asked_at: None };
        match read {
            Ok(set) => refresher.succeeded(set),
            Err(error) if matches!(refresher.source, Source::File(_)) => return Err(error),
            Err(error) => refresher.failed(&error),
        }
        Ok(refresher)
    }

    /// Keeps the keys fresh until the server stops.
    pub async fn run(mut self, stopping: CancellationToken, beat: Arc<Beat>) {
        let kept = async {
            loop {
                beat.idle(self.until_due()).await;
                self.refresh().await;
            }
        };
        stopping.run_until_cancelled(kept).await;
    }

    /// Waits for the next look at the file; or for the next fetch, some time after the last or because of a token's unknown
    /// key, but then not too soon after another such token.
    async fn until_due(&mut self) {
        if let Source::File(_) = self.source {
            return tokio::time::sleep(self.pace.look).await;
        }
        let pause = if self.failure.is_none() { spread(self.pace.fetch_every) } else { self.pace.retry };
        let asked = async {
            self.ring.unknown_kid().await;
            if let Some(asked_at) = self.asked_at {
                tokio::time::sleep((asked_at + self.pace.unknown_kid).saturating_duration_since(Instant::now())).await;
            }
        };
        if tokio::time::timeout(pause, asked).await.is_ok() {
            self.asked_at = Some(Instant::now());
        }
    }

    async fn refresh(&mut self) {
        // A file that was no JWKS may have been half written, and finished in the same instant of its clock.
        match self.reader.read(self.failure.is_some()).await {
            Ok(set) => self.succeeded(set),
            Err(error) => self.failed(&error),
        }
    }

    /// `None` where there was nothing new to read.
    fn succeeded(&mut self, set: Option<KeySet>) {
        let Some(set) = set else { return };
        let figures = self.ring.figures().clone();
        if self.failure.take().is_some() {
            tracing::info!(jwks = %self.source, "the token keys can be read again");
        }
        let (keys, left_out) = (set.keys.len(), set.left_out.clone());
        if !self.ring.install(set) {
            return figures.unchanged.increment(1);
        }
        figures.changed.increment(1);
        tracing::info!(jwks = %self.source, keys, "token keys read");
        for (number, unfit) in left_out {
            tracing::error!(jwks = %self.source, key = number, %unfit, "a key is left out");
        }
    }

    /// Tells of it once, however often it is tried again.
    fn failed(&mut self, error: &SourceError) {
        self.ring.figures().failed.increment(1);
        let told = error.to_string();
        if self.failure.as_ref() == Some(&told) {
            return;
        }
        self.failure = Some(told);
        if let SourceError::Jwks(error) = error {
            tracing::error!(jwks = %self.source, %error, "the JWKS is refused; the keys of before stay in use");
        } else {
            let error: &dyn std::error::Error = error;
            tracing::warn!(jwks = %self.source, error, "the token keys cannot be read; those of before stay in use");
        }
    }
}

/// `pause` give or take a tenth.
fn spread(pause: Duration) -> Duration {
    let mut random = [0];
    // Without randomness there is no spread, and nothing worse.
    let _ = aws_lc_rs::rand::fill(&mut random);
    pause.mul_f64(0.9 + 0.2 * f64::from(random[0]) / 255.0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use tokio_util::sync::CancellationToken;

    use super::{Pace, Refresher};
    use crate::auth::keyring::TokenFigures;
    use crate::auth::signer::serve::{Answer, Served};
    use crate::auth::signer::{ISSUER, Signer, claims, jwks};
    use crate::auth::source::SourceError;
    use crate::auth::{Dialect, KeyRing, TokenKey};
    use crate::limits;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn ring() -> KeyRing {
        KeyRing::new(TokenKey::from_secret(&[1; 32]), Dialect::of(vec![ISSUER.to_owned()]), TokenFigures::none())
    }

    fn takes(ring: &KeyRing, signer: &Signer) -> bool {
        ring.verify(&signer.sign(&claims())).is_some()
    }

    async fn start(ring: &KeyRing, source: &str, pace: Pace) -> Result<Refresher, SourceError> {
        Refresher::start(ring.clone(), source.to_owned().try_into().unwrap(), pace).await
    }

    #[tokio::test]
    async fn keys_overlap_and_removed_ones_are_refused() {
        let (old, new) = (Signer::ed25519("old"), Signer::p256("new"));
        let served = Served::start(Answer::json(&jwks(&[&old]))).await;
        let ring = ring();
        let mut refresher = start(&ring, &served.url, Pace::default()).await.unwrap();
        let token = old.sign(&claims());
        assert!(ring.verify(&token).is_some() && !takes(&ring, &new));
        served.say(Answer::json(&jwks(&[&old, &new])));
        refresher.refresh().await;
        assert!(ring.verify(&token).is_some() && takes(&ring, &new));
        served.say(Answer::json(&jwks(&[&new])));
        refresher.refresh().await;
        assert!(ring.verify(&token).is_none() && takes(&ring, &new), "also what was remembered is refused");
    }

    #[tokio::test]
    async fn what_is_no_jwks_keeps_the_old_keys() {
        let (good, evil) = (Signer::ed25519("good"), Signer::ed25519("evil"));
        let served = Served::start(Answer::json(&jwks(&[&good]))).await;
        let elsewhere = Served::start(Answer::json(&jwks(&[&evil]))).await;
        let ring = ring();
        let pace = Pace { timeout: Duration::from_millis(300), ..Pace::default() };
        let mut refresher = start(&ring, &served.url, pace).await.unwrap();
        let evil_jwks = jwks(&[&evil]);
        let secret = jwks(&[&Signer::secret("shared")]);
        for bad in [
            Answer::json("{"),
            Answer::json("[]"),
            Answer::json(r#"{"keys":{}}"#),
            Answer::json(&format!("{}{}", evil_jwks, " ".repeat(limits::JWKS_BYTES))),
            Answer::chunked(&format!("{}{}", evil_jwks, " ".repeat(limits::JWKS_BYTES))),
            Answer::status("500 Internal Server Error", &evil_jwks),
            Answer::status("404 Not Found", &evil_jwks),
            Answer::redirect(&elsewhere.url),
            Answer::cut(&evil_jwks),
            Answer::Bytes(b"SSH-2.0-no\r\n".to_vec()),
            Answer::Silence,
        ] {
            served.say(bad.clone());
            refresher.refresh().await;
            assert!(refresher.failure.is_some() && takes(&ring, &good) && !takes(&ring, &evil), "{bad:?}");
        }
        assert_eq!(elsewhere.requests(), 0, "a redirect is not followed");
        served.say(Answer::json(&secret));
        refresher.refresh().await;
        assert!(refresher.failure.is_none() && !takes(&ring, &good), "a set is taken as it stands");
        assert_eq!(ring.external_keys(), 0, "but secrets do not come over a network");
        drop(served);
        refresher.refresh().await;
        assert!(refresher.failure.is_some(), "nobody is there");
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_at_first_is_asked_again() {
        let signer = Signer::ed25519("late");
        let served = Served::start(Answer::status("503 Service Unavailable", "")).await;
        let ring = ring();
        let pace = Pace { retry: Duration::from_millis(10), ..Pace::default() };
        let refresher = start(&ring, &served.url, pace).await.expect("the server starts without");
        served.say(Answer::json(&jwks(&[&signer])));
        let stopping = CancellationToken::new();
        let running = tokio::spawn(refresher.run(stopping.clone(), Arc::default()));
        let until_taken = async {
            while !takes(&ring, &signer) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, until_taken).await.unwrap();
        stopping.cancel();
        tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_unknown_kid_is_a_reason_to_fetch_but_not_often() {
        let (known, unknown) = (Signer::ed25519("known"), Signer::ed25519("unknown"));
        let served = Served::start(Answer::json(&jwks(&[&known]))).await;
        let ring = ring();
        let pace = Pace { unknown_kid: Duration::from_millis(400), ..Pace::default() };
        let mut refresher = start(&ring, &served.url, pace).await.unwrap();
        for _ in 0..50 {
            assert!(!takes(&ring, &unknown));
        }
        let due = async |refresher: &mut Refresher| tokio::time::timeout(PATIENCE, refresher.until_due()).await;
        due(&mut refresher).await.expect("at once: the usual pause is minutes");
        let first = Instant::now();
        for _ in 0..50 {
            assert!(!takes(&ring, &unknown));
        }
        due(&mut refresher).await.unwrap();
        assert!(first.elapsed() >= Duration::from_millis(350), "the second waits");
        assert!(takes(&ring, &known));
        let forged = known.raw(r#"{"alg":"ES256","kid":"known"}"#, &claims().to_string());
        assert!(ring.verify(&forged).is_none());
        let soon = tokio::time::timeout(Duration::from_millis(600), refresher.until_due()).await;
        assert!(soon.is_err(), "neither good tokens nor forged ones with a known kid are a reason");
    }

    #[tokio::test]
    async fn a_file_is_read_again_when_it_changes() {
        let (old, new, secret) = (Signer::ed25519("old"), Signer::rsa("new"), Signer::secret("shared"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        let write = |text: &str| {
            // As careful tools write: a new file in the place of the old one.
            let mut file = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.persist(&path).unwrap();
        };
        let ring = ring();
        let source = path.to_str().unwrap();
        assert!(matches!(start(&ring, source, Pace::default()).await, Err(SourceError::Io(_))), "there is none");
        write("{}");
        assert!(matches!(start(&ring, source, Pace::default()).await, Err(SourceError::Jwks(_))));
        write(&jwks(&[&old, &secret]));
        let mut refresher = start(&ring, source, Pace::default()).await.unwrap();
        assert!(takes(&ring, &old) && takes(&ring, &secret));
        refresher.refresh().await;
        assert!(takes(&ring, &old));
        write(&jwks(&[&new]));
        refresher.refresh().await;
        assert!(!takes(&ring, &old) && !takes(&ring, &secret) && takes(&ring, &new));
        write("{");
        refresher.refresh().await;
        assert!(takes(&ring, &new) && refresher.failure.is_some());
        std::fs::remove_file(&path).unwrap();
        refresher.refresh().await;
        assert!(takes(&ring, &new));
        write(&jwks(&[&old]));
        refresher.refresh().await;
        assert!(takes(&ring, &old) && !takes(&ring, &new) && refresher.failure.is_none());
    }
}
