//! What can go wrong at the client's end.

use std::time::Duration;

use thiserror::Error;
use tiltyard_protocol::server::RolledBack;
use tiltyard_protocol::view::Drift;
use tiltyard_protocol::{DecodeError, Reason};

/// Why a call of the client failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The server answered a request with an error.
    #[error("{status} {reason}: {message}")]
    Refused {
        status: u16,
        reason: String,
        message: String,
        /// When to try again, where the answer says so.
        retry: Option<Duration>,
    },
    /// The server answered a message with `error`.
    #[error("{reason}: {message}")]
    Notice {
        reason: Reason,
        message: String,
        /// Of `rolled_back`: from where to where the session was set back.
        rolled_back: Option<RolledBack>,
        /// Of `session_elsewhere`: how the node that has the session is reached, where that is another one.
        url: Option<String>,
    },
    /// The upgrade was refused with this HTTP status.
    #[error("the upgrade was refused with status {0}")]
    Upgrade(u16),
    /// The connection was closed with this code.
    #[error("closed with {code} {text:?}")]
    Closed { code: u16, text: String },
    /// The view is no longer the server's: join again.
    #[error(transparent)]
    Drift(#[from] Drift),
    /// The server sent what this client does not understand.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What was given is no certificate of an authority that can be trusted.
    #[error("not a certificate of an authority: {0}")]
    Authority(String),
    /// The session is no longer the server's, as a change of it did not come: join again.
    #[error("a change of the session is missing")]
    Behind,
    /// There was no answer in time.
    #[error("there was no answer in time")]
    Timeout,
    /// An action, a `ready` or a `leave` before a `join`.
    #[error("no session has been joined")]
    NotJoined,
    #[error(transparent)]
    Socket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl From<tokio_tungstenite::tungstenite::Error> for Error {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        match error {
            tokio_tungstenite::tungstenite::Error::Http(response) => Self::Upgrade(response.status().as_u16()),
            other => Self::Socket(Box::new(other)),
        }
    }
}
