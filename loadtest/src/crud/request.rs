//! The requests, as bytes.

use std::io::Write;

use uuid::Uuid;

use crate::rest::Base;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Get,
    Update,
    Delete,
    List,
    OfPlayer,
}

impl Operation {
    pub const ALL: [Self; 6] = [Self::Create, Self::Get, Self::Update, Self::Delete, Self::List, Self::OfPlayer];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::List => "list with filters",
            Self::OfPlayer => "a player's sessions",
        }
    }

    /// Of a hundred requests.
    pub const fn share(self) -> u64 {
        match self {
            Self::Create | Self::Update => 20,
            Self::Get => 40,
            Self::Delete => 10,
            Self::List | Self::OfPlayer => 5,
        }
    }

    /// The status of success.
    pub const fn success(self) -> u16 {
        if matches!(self, Self::Create) { 201 } else { 200 }
    }

    /// The P95 a session service is held to, in milliseconds.
    pub const fn p95_ms_max(self) -> u64 {
        match self {
            Self::Create => 20,
            Self::Get => 5,
            Self::Update | Self::List | Self::OfPlayer => 10,
            Self::Delete => 15,
        }
    }

    /// The operation that the number `draw`, below a hundred, stands for.
    pub fn drawn(draw: u64) -> Self {
        let mut upto = 0;
        let within = |operation: &Self| {
            upto += operation.share();
            draw < upto
        };
        Self::ALL.into_iter().find(within).unwrap_or(Self::Get)
    }
}

/// Writes requests; the parts that are the same in all of them are made once.
#[derive(Debug)]
pub struct Writer {
    prefix: String,
    /// Everything of the head but its first line and the length of the body.
    head: String,
}

impl Writer {
    pub fn new(base: &Base, token: &str) -> Self {
        let head = format!("HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n", base.host);
        Self { prefix: base.prefix.clone(), head }
    }

    pub fn create(&self, bytes: &mut Vec<u8>, kind: &str, player: Uuid, level: u64) {
        let settings = lasting(kind);
        let body = format!(
            r#"{{"type":"{kind}","player_id":"{player}","metadata":{{"region":"eu-west","level":{level}}}{settings}}}"#
        );
        self.with_body(bytes, "POST", format_args!("/sessions"), &body);
    }

    pub fn update(&self, bytes: &mut Vec<u8>, session: Uuid, level: u64) {
        let body = format!(r#"{{"metadata":{{"region":"eu-west","level":{level},"changed":true}}}}"#);
        self.with_body(bytes, "PUT", format_args!("/sessions/{session}"), &body);
    }

    pub fn get(&self, bytes: &mut Vec<u8>, session: Uuid) {
        self.plain(bytes, "GET", format_args!("/sessions/{session}"));
    }

    pub fn delete(&self, bytes: &mut Vec<u8>, session: Uuid) {
        self.plain(bytes, "DELETE", format_args!("/sessions/{session}"));
    }

    pub fn list(&self, bytes: &mut Vec<u8>, kind: &str, limit: u64) {
        self.plain(bytes, "GET", format_args!("/sessions?type={kind}&status=active&limit={limit}"));
    }

    pub fn of_player(&self, bytes: &mut Vec<u8>, player: Uuid) {
        self.plain(bytes, "GET", format_args!("/sessions?player_id={player}"));
    }

    fn plain(&self, bytes: &mut Vec<u8>, method: &str, path: std::fmt::Arguments) {
        let Self { prefix, head } = self;
        write!(bytes, "{method} {prefix}{path} {head}\r\n").expect("writing to memory does not fail");
    }

    fn with_body(&self, bytes: &mut Vec<u8>, method: &str, path: std::fmt::Arguments, body: &str) {
        let (Self { prefix, head }, length) = (self, body.len());
        write!(
            bytes,
            "{method} {prefix}{path} {head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("writing to memory does not fail");
    }
}

/// Settings with which a session outlives the run: nobody says for it that its player is there. Custom ones live for a day anyway.
fn lasting(kind: &str) -> &'static str {
    match kind {
        "player" => r#","settings":{"heartbeat_seconds":300,"reconnect_seconds":3600}"#,
        "auth" => r#","settings":{"idle_seconds":86400}"#,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Operation, Writer};

    #[test]
    fn the_shares_are_of_a_hundred_and_are_what_is_drawn() {
        assert_eq!(Operation::ALL.map(Operation::share).iter().sum::<u64>(), 100);
        for operation in Operation::ALL {
            let drawn = (0..100).filter(|&draw| Operation::drawn(draw) == operation).count();
            assert_eq!(drawn as u64, operation.share(), "{operation:?}");
        }
    }

    #[test]
    fn a_request_has_a_head_and_a_body_of_the_length_it_says() {
        let writer = Writer::new(&"http://127.0.0.1:80/v1/session".parse().unwrap(), "secret");
        let mut bytes = Vec::new();
        writer.create(&mut bytes, "custom", Uuid::nil(), 5);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/session/sessions HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"), "{head}");
        assert!(head.contains("Authorization: Bearer secret\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["metadata"]["level"], 5);
        for (kind, setting) in [("player", "reconnect_seconds"), ("auth", "idle_seconds")] {
            let mut bytes = Vec::new();
            writer.create(&mut bytes, kind, Uuid::nil(), 5);
            let body = String::from_utf8(bytes).unwrap();
            let body: serde_json::Value = serde_json::from_str(body.split_once("\r\n\r\n").unwrap().1).unwrap();
            assert!(body["settings"][setting].as_u64().unwrap() >= 3600, "it outlives the run");
        }
        let mut bytes = Vec::new();
        writer.get(&mut bytes, Uuid::nil());
        assert!(bytes.ends_with(b"\r\n\r\n"));
    }
}
