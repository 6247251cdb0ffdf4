//! A server on one of the stores, and requests to it whose answers are held to what every answer promises.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::postgres::Postgres;
use crate::support::{Node, soon};

/// The four types of session.
pub const TYPES: [&str; 4] = ["combat", "player", "auth", "custom"];

/// The one request that is not answered in JSON.
const METRICS: &str = "GET /metrics";

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

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The request's method and path.
    pub line: String,
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// `Null` where there is none.
    pub body: Value,
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

    fn of(node: Node) -> Self {
        let service = node.service();
        let statistics = node.token(&["--service", "statistics", "--scope", "analytics:read"]);
        Self { node, service, statistics, http: reqwest::Client::new() }
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
        let text = self.line == METRICS && status == 200;
        let body = if bytes.is_empty() || text { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        let reply = Reply { line: self.line, status, headers, body };
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

impl Reply {
    fn keeps_what_every_answer_promises(&self) {
        let Self { line, status, body, .. } = self;
        assert!(self.header("x-request-id").is_some(), "{line}: no X-Request-Id");
        if *status == 304 {
            assert!(body.is_null(), "{line}: a 304 has no body");
            return;
        }
        let text = line == METRICS && *status == 200;
        let expected = if text { "text/plain; version=0.0.4; charset=utf-8" } else { "application/json" };
        assert_eq!(self.header("content-type").as_deref(), Some(expected), "{line}: {status}");
        assert!(text || !has_null(body), "{line}: no answer has a null: {body}");
        if *status >= 400 {
            assert_eq!(body["code"], *status, "{line}: {body}");
            assert!(
                (1..=1000).contains(&body["message"].as_str().unwrap_or_default().chars().count()),
                "{line}: {body}"
            );
            assert!(!self.reason().is_empty(), "{line}: {body}");
        }
        match status {
            401 => assert_eq!(self.header("www-authenticate").as_deref(), Some("Bearer"), "{line}"),
            429 | 503 => assert!(self.header("retry-after").is_some(), "{line}"),
            _ => {}
        }
        if let Some(version) = body["version"].as_u64().filter(|_| *status < 300 && body["session_id"].is_string()) {
            assert_eq!(self.header("etag"), Some(format!("\"{version}\"")), "{line}: the ETag is the version");
        }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    pub fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("{}: no ETag", self.line))
    }

    /// `details.reason` of an error.
    pub fn reason(&self) -> &str {
        self.body["details"]["reason"].as_str().unwrap_or_default()
    }

    /// The fields that a 400 names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["details"]["validation_errors"].as_array();
        errors.into_iter().flatten().map(|error| error["field"].as_str().unwrap()).collect()
    }

    pub fn id(&self) -> Uuid {
        self.text("session_id").parse().unwrap()
    }

    /// The path of the session, with more behind it.
    pub fn path(&self, more: &str) -> String {
        format!("/sessions/{}{more}", self.id())
    }

    pub fn version(&self) -> u64 {
        self.body["version"].as_u64().unwrap_or_else(|| panic!("{}: no version: {}", self.line, self.body))
    }

    pub fn status_of_session(&self) -> &str {
        self.text("status")
    }

    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("{}: no {name}: {}", self.line, self.body))
    }

    pub fn time(&self, name: &str) -> OffsetDateTime {
        time(&self.body[name])
    }

    /// The ids in a list of sessions.
    pub fn ids(&self) -> Vec<Uuid> {
        self.list("sessions").iter().map(|session| session["session_id"].as_str().unwrap().parse().unwrap()).collect()
    }

    pub fn list(&self, name: &str) -> &[Value] {
        self.body[name].as_array().unwrap_or_else(|| panic!("{}: no {name}: {}", self.line, self.body))
    }
}

/// A time in an answer.
pub fn time(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap_or_default(), &Rfc3339).unwrap_or_else(|_| panic!("no time: {value}"))
}

/// Anywhere in it. What a custom session's own state holds in lists is its own affair, and no test puts a null there.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
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
