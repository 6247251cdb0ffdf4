//! A server on one of the stores, and requests to it whose answers are held to what every answer promises.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::reply::{Reply, other_form};
use crate::postgres::Postgres;
use crate::support::{Node, soon};

/// The four types of session.
pub const TYPES: [&str; 4] = ["combat", "player", "auth", "custom"];

/// A server and whom it knows.
pub struct Case {
    pub node: Node,
    /// A service that may read and write sessions; requests are its own where they do not say otherwise.
    pub service: String,
    /// A service that may read analytics.
    pub statistics: String,
    http: reqwest::Client,
}

/// A request, sent when it is awaited.
pub struct Ask {
    request: RequestBuilder,
    token: Option<String>,
    line: String,
}

impl Case {
    pub fn sqlite() -> Self {
        Self::of(Node::start())
    }

    pub async fn postgres() -> Self {
        Self::on(&Postgres::shared().database().await)
    }

    /// On the database at `url`.
    pub fn on(url: &str) -> Self {
        Self::of(Node::start_with(&["--database", url]))
    }

    /// With these flags besides the usual ones.
    pub fn with(flags: &[&str]) -> Self {
        Self::of(Node::start_with(flags))
    }

    pub fn of(node: Node) -> Self {
        let service = node.service();
        // The server closes connections that are quiet for five seconds: a request must not meet that.
        let http = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(2)).build().unwrap();
        let statistics = node.token(&["--service", "statistics", "--scope", "analytics:read"]);
        Self { node, service, statistics, http }
    }

    /// A request by the service.
    pub fn ask(&self, method: Method, path: &str) -> Ask {
        let line = format!("{method} {path}");
        let request = self.http.request(method, format!("{}{path}", self.node.url));
        Ask { request, token: Some(self.service.clone()), line }
    }

    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Ask {
        self.ask(Method::POST, path).json(body)
    }

    pub fn put(&self, path: &str, body: &Value) -> Ask {
        self.ask(Method::PUT, path).json(body)
    }

    pub fn delete(&self, path: &str) -> Ask {
        self.ask(Method::DELETE, path)
    }

    /// A merge patch of a custom session's state.
    pub fn patch(&self, session: &Reply, patch: &Value) -> Ask {
        let ask = self.ask(Method::PATCH, &session.path("/state"));
        let request = ask.request.header("content-type", "application/merge-patch+json").body(patch.to_string());
        Ask { request, ..ask }
    }

    /// A new session of `kind` for `player`, made by the service.
    pub async fn create(&self, kind: &str, player: Uuid) -> Reply {
        self.create_with(kind, player, json!({})).await
    }

    pub async fn create_with(&self, kind: &str, player: Uuid, settings: Value) -> Reply {
        self.post("/sessions", &new(kind, player, settings)).expect(201).await
    }

    /// A new fight between `players`, in which nothing but the hits counts.
    pub async fn fight(&self, players: &[Uuid]) -> Reply {
        let settings = json!({ "rules": crate::support::plain_rules() });
        let body = json!({ "mode": "pvp", "participants": players, "settings": settings });
        self.post("/combat/sessions", &body).expect(201).await
    }

    /// The session as it is now.
    pub async fn read(&self, session: &Reply) -> Reply {
        self.get(&session.path("")).expect(200).await
    }
}

/// A body of `createSession`.
pub fn new(kind: &str, player: Uuid, settings: Value) -> Value {
    let mut body = json!({ "type": kind, "player_id": player, "metadata": { "made": "by a test" } });
    body["settings"] = settings;
    body
}

impl Ask {
    pub fn by(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn anonymous(mut self) -> Self {
        self.token = None;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// With a body of this media type.
    pub fn text(mut self, media_type: &str, body: &str) -> Self {
        self.request = self.request.header("content-type", media_type).body(body.to_owned());
        self
    }

    /// Sends it and fails the test where the status is another.
    pub async fn expect(self, status: u16) -> Reply {
        let reply = self.await;
        assert_eq!(reply.status, status, "{}: {}", reply.line, reply.body);
        reply
    }

    /// Sends it and fails the test where it is not refused with this status and reason.
    pub async fn refused(self, status: u16, reason: &str) -> Reply {
        let reply = self.expect(status).await;
        assert_eq!(reply.reason(), reason, "{}: {}", reply.line, reply.body);
        reply
    }

    async fn send(self) -> Reply {
        let request = match self.token {
            Some(token) => self.request.bearer_auth(token),
            None => self.request,
        };
        let response = soon(request.send()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = soon(response.bytes()).await.unwrap();
        let other = status == 200 && other_form(&self.line).is_some();
        let body = if bytes.is_empty() || other { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        let reply = Reply { line: self.line, status, headers, body, file: bytes.to_vec() };
        reply.keeps_what_every_answer_promises();
        reply
    }
}

impl IntoFuture for Ask {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Everybody at once: awaits all and returns what they returned, in order.
pub async fn all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(running.len());
    for task in running {
        results.push(soon(task).await.unwrap());
    }
    results
}
