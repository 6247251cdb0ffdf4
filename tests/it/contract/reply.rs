//! An answer, and what every answer promises.

use std::time::SystemTime;

use serde_json::Value;
use uuid::Uuid;

/// What a request is answered with that is not answered in JSON.
pub fn other_form(line: &str) -> Option<&'static str> {
    match line {
        "GET /metrics" => Some("text/plain; version=0.0.4; charset=utf-8"),
        _ if line.ends_with("/replay") => Some("application/octet-stream"),
        _ => None,
    }
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
    /// The body as it came.
    pub file: Vec<u8>,
}

impl Reply {
    pub fn keeps_what_every_answer_promises(&self) {
        let Self { line, status, body, .. } = self;
        assert!(self.header("x-request-id").is_some(), "{line}: no X-Request-Id");
        if *status == 304 {
            assert!(body.is_null(), "{line}: a 304 has no body");
            return;
        }
        let other = other_form(line).filter(|_| *status == 200);
        let expected = other.unwrap_or("application/json");
        assert_eq!(self.header("content-type").as_deref(), Some(expected), "{line}: {status}");
        assert!(other.is_some() || free(line) || !has_null(body), "{line}: no answer has a null: {body}");
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

    pub fn time(&self, name: &str) -> SystemTime {
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
pub fn time(value: &Value) -> SystemTime {
    humantime::parse_rfc3339(value.as_str().unwrap_or_default()).unwrap_or_else(|_| panic!("no time: {value}"))
}

/// Whether the answer is a custom session's own state.
fn free(line: &str) -> bool {
    line.contains(" /sessions/") && line.ends_with("/state")
}

/// Anywhere in it, but for what its owner has put into lists of its own.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => {
            let own = |name: &str| matches!(name, "metadata" | "settings");
            members.iter().any(|(name, member)| !own(name) && has_null(member))
        }
        _ => false,
    }
}
