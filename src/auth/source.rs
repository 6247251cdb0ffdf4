//! Where the external keys come from and how they stay fresh: a JWKS file that is read again when it changes, or an address
//! that is asked every few minutes, and sooner when a token names a key that is not known.
//!
//! What cannot be read changes nothing: the last good set stays in use. The address is the operator's; nothing in a token
//! has a part in it.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::KeyRing;
use super::jwks::{JwksError, KeySet, Origin};
use crate::limits;

/// Where a JWKS is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Source {
    File(PathBuf),
    Url(Url),
}

/// Why no keys could be read.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Http(reqwest::Error),
    #[error("the answer's status is {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

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
    pace: Pace,
    client: Client,
    /// Whether the last try brought keys.
    good: bool,
    /// The file as it was when it was last read.
    seen: Option<Stamp>,
    /// When a token's unknown key was last a reason to fetch.
    asked_at: Option<Instant>,
}

/// What of a file changes when its text does.
type Stamp = (SystemTime, u64, u64);

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.contains("://") {
            return if text.is_empty() { Err(NEITHER.to_owned()) } else { Ok(Self::File(text.into())) };
        }
        let url = Url::parse(&text).map_err(|error| format!("{NEITHER}: {error}"))?;
        // A password would be shown in the log.
        let plain = url.username().is_empty() && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
            Ok(Self::Url(url))
        } else {
            Err(NEITHER.to_owned())
        }
    }
}

const NEITHER: &str = "jwks must be a file or http(s)://HOST…, without a user name";

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
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
    /// caused it; an address that does not answer is not: it is asked again by [`Refresher::run`].
    pub async fn start(ring: KeyRing, source: Source, pace: Pace) -> Result<Self, SourceError> {
        // The address is the operator's to choose, not a third party's.
        let client = Client::builder().redirect(Policy::none()).timeout(pace.timeout);
        let client = client.build().map_err(SourceError::Http)?;
        let mut refresher = Self { ring, source, pace, client, good: false, seen: None, asked_at: None };
        match &refresher.source {
            Source::File(_) => {
                if let Some(set) = refresher.read_file().await? {
                    refresher.take(set);
                }
            }
            Source::Url(url) => {
                if url.scheme() == "http" {
                    tracing::warn!(jwks = %url, "the keys come over plain HTTP: whoever is on the way can change them");
                }
                refresher.fetch().await;
            }
        }
        Ok(refresher)
    }

    /// Keeps the keys fresh until the server stops.
    pub async fn run(mut self, stopping: CancellationToken) {
        let kept = async {
            match self.source {
                Source::File(_) => loop {
                    tokio::time::sleep(self.pace.look).await;
                    self.look().await;
                },
                Source::Url(_) => loop {
                    self.until_due().await;
                    self.fetch().await;
                },
            }
        };
        stopping.run_until_cancelled(kept).await;
    }

    /// Waits for the next fetch: some time after the last one, or for a token's unknown key, but not too soon after another.
    async fn until_due(&mut self) {
        let pause = if self.good { spread(self.pace.fetch_every) } else { self.pace.retry };
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

    async fn fetch(&mut self) {
        match self.answer().await {
            Ok(set) => self.take(set),
            Err(error) => self.failed(&error),
        }
    }

    async fn answer(&self) -> Result<KeySet, SourceError> {
        let Source::Url(url) = &self.source else { unreachable!("only addresses are fetched") };
        let http = |error: reqwest::Error| SourceError::Http(error.without_url());
        let mut response = self.client.get(url.clone()).send().await.map_err(http)?;
        if response.status() != StatusCode::OK {
            return Err(SourceError::Status(response.status()));
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(http)? {
            text.extend_from_slice(&chunk);
            if text.len() > limits::JWKS_BYTES {
                return Err(JwksError::TooLong.into());
            }
        }
        Ok(KeySet::parse(&text, Origin::Url)?)
    }

    async fn look(&mut self) {
        let before = self.seen;
        match self.read_file().await {
            Ok(Some(set)) => self.take(set),
            Ok(None) => {}
            // What cannot be read is tried again every time, but told of once per change.
            Err(error) if self.good || self.seen != before => self.failed(&error),
            Err(_again) => self.ring.figures().failed.increment(1),
        }
    }

    /// The file's keys, or `None` where it is as it was when it was last read and good.
    async fn read_file(&mut self) -> Result<Option<KeySet>, SourceError> {
        let Source::File(path) = self.source.clone() else { unreachable!("only files are read") };
        let unless = self.seen.filter(|_| self.good);
        let (stamp, text) =
            tokio::task::spawn_blocking(move || read(&path, unless)).await.map_err(io::Error::from)??;
        self.seen = Some(stamp);
        text.map(|text| KeySet::parse(&text, Origin::File)).transpose().map_err(SourceError::from)
    }

    fn take(&mut self, set: KeySet) {
        self.good = true;
        let (keys, left_out) = (set.keys.len(), set.left_out.clone());
        if !self.ring.install(set) {
            self.ring.figures().unchanged.increment(1);
            return;
        }
        self.ring.figures().changed.increment(1);
        tracing::info!(jwks = %self.source, keys, "token keys read");
        for (number, unfit) in left_out {
            tracing::error!(jwks = %self.source, key = number, %unfit, "a key is left out");
        }
    }

    fn failed(&mut self, error: &SourceError) {
        self.good = false;
        self.ring.figures().failed.increment(1);
        match error {
            SourceError::Jwks(error) => {
                tracing::error!(jwks = %self.source, %error, "the JWKS is refused; the keys of before stay in use");
            }
            error => {
                tracing::warn!(jwks = %self.source, error = error as &dyn std::error::Error,
                    "the token keys cannot be read; those of before stay in use");
            }
        }
    }
}

/// The file's stamp, and its text unless the stamp is `unless`. A text that is too long is cut where that shows.
fn read(path: &std::path::Path, unless: Option<Stamp>) -> io::Result<(Stamp, Option<Vec<u8>>)> {
    let file = File::open(path)?;
    // Of the open file, and before it is read: what is written meanwhile has another one.
    let stamp = stamp(&file.metadata()?)?;
    if unless == Some(stamp) {
        return Ok((stamp, None));
    }
    let mut text = Vec::new();
    file.take(limits::JWKS_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok((stamp, Some(text)))
}

fn stamp(metadata: &Metadata) -> io::Result<Stamp> {
    Ok((metadata.modified()?, metadata.len(), metadata.ino()))
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
    use std::time::{Duration, Instant};

    use tokio_util::sync::CancellationToken;

    use super::{Pace, Refresher, Source, SourceError};
    use crate::auth::keyring::TokenFigures;
    use crate::auth::signer::serve::{Answer, Served};
    use crate::auth::signer::{ISSUER, Signer, claims, jwks};
    use crate::auth::{KeyRing, TokenKey};
    use crate::limits;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn ring() -> KeyRing {
        KeyRing::new(TokenKey::from_secret(&[1; 32]), vec![ISSUER.to_owned()], TokenFigures::none())
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
        refresher.fetch().await;
        assert!(ring.verify(&token).is_some() && takes(&ring, &new));
        served.say(Answer::json(&jwks(&[&new])));
        refresher.fetch().await;
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
            refresher.fetch().await;
            assert!(!refresher.good && takes(&ring, &good) && !takes(&ring, &evil), "{bad:?}");
        }
        assert_eq!(elsewhere.requests(), 0, "a redirect is not followed");
        served.say(Answer::json(&secret));
        refresher.fetch().await;
        assert!(refresher.good && !takes(&ring, &good), "a set is taken as it stands");
        assert_eq!(ring.external_keys(), 0, "but secrets do not come over a network");
        drop(served);
        refresher.fetch().await;
        assert!(!refresher.good, "nobody is there");
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
        let running = tokio::spawn(refresher.run(stopping.clone()));
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
        refresher.look().await;
        assert!(takes(&ring, &old));
        write(&jwks(&[&new]));
        refresher.look().await;
        assert!(!takes(&ring, &old) && !takes(&ring, &secret) && takes(&ring, &new));
        write("{");
        refresher.look().await;
        assert!(takes(&ring, &new) && !refresher.good);
        std::fs::remove_file(&path).unwrap();
        refresher.look().await;
        assert!(takes(&ring, &new));
        write(&jwks(&[&old]));
        refresher.look().await;
        assert!(takes(&ring, &old) && !takes(&ring, &new) && refresher.good);
    }

    #[test]
    fn sources_are_files_or_addresses() {
        assert!(matches!(Source::try_from("./keys.json".to_owned()), Ok(Source::File(_))));
        assert!(matches!(Source::try_from("HTTPS://login.example/keys".to_owned()), Ok(Source::Url(_))));
        assert!(Source::try_from("https://user@login.example/keys".to_owned()).is_err());
    }
}
