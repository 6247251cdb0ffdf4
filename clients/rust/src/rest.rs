//! The few REST calls a player needs before it can open a socket, and a plain way to make any other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Error, Options, Trust};

/// A node's REST interface.
#[derive(Debug, Clone)]
pub struct Rest {
    base: String,
    http: reqwest::Client,
    trust: Trust,
}

/// Answer to `POST /guest`.
#[derive(Debug, Clone, Deserialize)]
pub struct Guest {
    pub token: String,
    pub player_id: Uuid,
}

/// Answer to `POST /arena/seats`.
#[derive(Debug, Clone, Deserialize)]
pub struct Seat {
    pub session_id: Uuid,
    pub slot: u8,
    pub seats: u8,
    /// Where to open the socket; has the ticket in it.
    pub url: String,
}

/// Answer to `POST /sessions/{id}/tickets`.
#[derive(Debug, Clone, Deserialize)]
pub struct Ticket {
    pub ticket: String,
    /// Where to open the socket; has the ticket in it.
    pub url: String,
}

#[derive(Deserialize)]
struct Login {
    tokens: Tokens,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
}

/// The token that a guest has at the moment.
type Purse = Arc<Mutex<String>>;

fn held(purse: &Purse) -> String {
    purse.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Any answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    /// `Null` where the body is empty or not JSON.
    pub body: Value,
}

impl Answer {
    /// `details.reason` of an error.
    pub fn reason(&self) -> &str {
        self.body["details"]["reason"].as_str().unwrap_or_default()
    }

    /// What `Retry-After` says.
    fn retry(&self) -> Option<Duration> {
        let seconds = self.headers.get("retry-after")?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

impl Rest {
    /// The node at `base`, for example `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http: reqwest::Client::new(), trust: Trust::default() }
    }

    /// The same, trusted in another way than browsers do.
    pub fn trusting(base: &str, trust: &Trust) -> Result<Self, Error> {
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http: trust.http()?, trust: trust.clone() })
    }

    /// A token for a guest, where the node gives them.
    pub async fn guest(&self) -> Result<Guest, Error> {
        self.post("/guest", None, &json!({})).await
    }

    /// The next token of a guest whose token is still good.
    pub async fn guest_again(&self, token: &str) -> Result<Guest, Error> {
        self.post("/guest", Some(token), &json!({})).await
    }

    /// New tokens of an auth session for its refresh token, which is spent: `(access_token, refresh_token)`.
    pub async fn refresh(&self, session: Uuid, refresh_token: &str) -> Result<(String, String), Error> {
        let body = json!({ "refresh_token": refresh_token });
        let login: Login = self.post(&format!("/sessions/{session}/refresh"), None, &body).await?;
        Ok((login.tokens.access_token, login.tokens.refresh_token))
    }

    /// A seat in the next arena fight of `kind`, `duel` or `brawl`.
    pub async fn take_seat(&self, token: &str, kind: &str) -> Result<Seat, Error> {
        self.post("/arena/seats", Some(token), &json!({ "kind": kind })).await
    }

    /// A ticket for `player` to a socket of `session`.
    pub async fn ticket(&self, token: &str, session: Uuid, player: Uuid) -> Result<Ticket, Error> {
        self.post(&format!("/sessions/{session}/tickets"), Some(token), &json!({ "player_id": player })).await
    }

    /// How to play a guest's seat, coming back with tickets of this player; a guest's token is renewed by itself.
    #[must_use]
    pub fn play(&self, guest: &Guest, seat: &Seat) -> Options {
        let session = seat.session_id;
        let (rest, player) = (self.clone(), guest.player_id);
        let purse: Purse = Arc::new(Mutex::new(guest.token.clone()));
        let ticket = {
            let (rest, purse) = (rest.clone(), Arc::clone(&purse));
            move || {
                let (rest, token) = (rest.clone(), held(&purse));
                async move { rest.ticket(&token, session, player).await }
            }
        };
        let token = move || {
            let (rest, purse) = (rest.clone(), Arc::clone(&purse));
            async move {
                let token = rest.guest_again(&held(&purse)).await?.token;
                purse.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
                Ok(Some(token))
            }
        };
        Options::new(ticket).first(&seat.url).token(token).trust(self.trust.clone())
    }

    /// Makes any request and hands back whatever came.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    async fn post<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<T, Error> {
        let answer = self.call(Method::POST, path, token, Some(body)).await?;
        let refused = |answer: &Answer| Error::Refused {
            status: answer.status.as_u16(),
            reason: answer.reason().to_owned(),
            message: answer.body["message"].as_str().unwrap_or_default().to_owned(),
            retry: answer.retry(),
        };
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        serde_json::from_value(answer.body.clone()).map_err(|_| refused(&answer))
    }
}
