//! Where the external keys come from: a JWKS file or the address of one, and how either is read.
//!
//! The address is the operator's; nothing in a token has a part in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use thiserror::Error;

use super::jwks::{JwksError, KeySet, Origin};
use crate::limits;
use crate::ops::files::Stamp;

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
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http(reqwest::Error),
    #[error("the answer's status is {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

/// Reads a source again and again.
#[derive(Debug)]
pub(super) enum Reader {
    /// The file, and what it was like when it was last read.
    File(PathBuf, Option<Stamp>),
    Url(Url, Client),
}

const NEITHER: &str = "jwks must be a file or http(s)://HOST…, without a user name";

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

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl Reader {
    /// Nothing has been read yet. A fetch may take as long as `timeout`.
    pub(super) fn of(source: &Source, timeout: Duration) -> Result<Self, SourceError> {
        match source {
            Source::File(path) => Ok(Self::File(path.clone(), None)),
            Source::Url(url) => {
                let near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
                if url.scheme() == "http" && !near {
                    tracing::warn!(jwks = %url, "the keys come over plain HTTP: whoever is on the way can change them");
                }
                // The address is the operator's to choose, not that of whoever answers there.
                let client = Client::builder().redirect(Policy::none()).timeout(timeout).build();
                Ok(Self::Url(url.clone(), client.map_err(SourceError::Http)?))
            }
        }
    }

    /// The keys there are now. `None` where a file is as it was when it was last read, unless `even_so`.
    pub(super) async fn read(&mut self, even_so: bool) -> Result<Option<KeySet>, SourceError> {
        let (text, origin) = match self {
            Self::File(path, seen) => {
                let (path, unless) = (path.clone(), seen.filter(|_| !even_so));
                let read = tokio::task::spawn_blocking(move || read(&path, unless)).await;
                let (stamp, text) = read.map_err(io::Error::from)??;
                *seen = Some(stamp);
                (text, Origin::File)
            }
            Self::Url(url, client) => (Some(fetch(url, client).await?), Origin::Url),
        };
        Ok(text.map(|text| KeySet::parse(&text, origin)).transpose()?)
    }
}

/// The file's stamp, and its text unless the stamp is `unless`. What is too long is cut where that shows.
fn read(path: &Path, unless: Option<Stamp>) -> io::Result<(Stamp, Option<Vec<u8>>)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?)?;
    if unless == Some(stamp) {
        return Ok((stamp, None));
    }
    let mut text = Vec::new();
    file.take(limits::JWKS_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok((stamp, Some(text)))
}

async fn fetch(url: &Url, client: &Client) -> Result<Vec<u8>, SourceError> {
    // The address is told of beside the error.
    let http = |error: reqwest::Error| SourceError::Http(error.without_url());
    let mut response = client.get(url.clone()).send().await.map_err(http)?;
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
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn sources_are_files_or_addresses() {
        assert!(matches!(Source::try_from("./keys.json".to_owned()), Ok(Source::File(_))));
        assert!(matches!(Source::try_from("HTTPS://login.example/keys".to_owned()), Ok(Source::Url(_))));
        assert!(Source::try_from("https://user@login.example/keys".to_owned()).is_err());
    }
}
