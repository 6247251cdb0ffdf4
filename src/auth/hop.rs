//! A node's word for whom it forwards a request: signed with the key that all nodes of a cluster have, for one request to one process, and
//! good for seconds. Nobody else can say where a request came from.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256};
use serde::{Deserialize, Serialize};

use super::TokenKey;
use super::token::{ISSUER, expiry};
use crate::limits;
use crate::session::hex;

/// `aud` of a hop, unlike that of any token or ticket.
const AUDIENCE: &str = "tiltyard:hop";

/// What a node says about a request that it forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The node that forwards it.
    pub from: String,
    /// The process that it is forwarded to.
    pub to: String,
    /// The address of the client.
    pub client: IpAddr,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: u64,
    from: String,
    ip: IpAddr,
    /// The digest of the request's method and target.
    req: String,
}

impl Hop {
    /// What is put into the request's head. `target` is the request's path and query.
    pub fn sign(&self, key: &TokenKey, method: &str, target: &str) -> String {
        // What it is good for is the leeway.
        let (exp, _) = expiry(Duration::ZERO);
        self.sign_until(exp, key, method, target)
    }

    fn sign_until(&self, exp: u64, key: &TokenKey, method: &str, target: &str) -> String {
        key.sign(&Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: self.to.clone(),
            exp,
            from: self.from.clone(),
            ip: self.client,
            req: digest_of(method, target),
        })
    }

    /// What a request's head says, if a node of this cluster has said it, a moment ago, of this request to the process `to`.
    pub fn read(key: &TokenKey, said: &str, to: &str, method: &str, target: &str) -> Option<Self> {
        let claims: Claims = key.check(said, &[AUDIENCE])?;
        let is_meant = claims.sub == to && claims.req == digest_of(method, target);
        // One from a clock that is far ahead would be good for as much longer.
        let (latest, _) = expiry(Duration::from_secs(limits::HOP_SECONDS));
        (is_meant && claims.exp <= latest).then_some(Self { from: claims.from, to: claims.sub, client: claims.ip })
    }
}

fn digest_of(method: &str, target: &str) -> String {
    let digest = digest::digest(&SHA256, format!("{method} {target}").as_bytes());
    hex(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::Hop;
    use crate::auth::token::expiry;
    use crate::auth::{Audience, Grantee, TokenKey};
    use crate::limits::HOP_SECONDS;
    use std::time::Duration;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    #[test]
    fn is_believed_of_this_request_to_this_process_by_this_key() {
        let key = TokenKey::from_secret(SECRET);
        let hop = Hop { from: "a".into(), to: "b#1".into(), client: "192.0.2.7".parse().unwrap() };
        let said = hop.sign(&key, "GET", "/sessions/x?y=z");
        assert_eq!(Hop::read(&key, &said, "b#1", "GET", "/sessions/x?y=z"), Some(hop));
        for (to, method, target) in [
            ("b#2", "GET", "/sessions/x?y=z"),
            ("b#1", "PUT", "/sessions/x?y=z"),
            ("b#1", "GET", "/sessions/x"),
            ("b#1", "GET /sessions/x?y=z", ""),
        ] {
            assert_eq!(Hop::read(&key, &said, to, method, target), None, "{to} {method} {target}");
        }
        let other = TokenKey::from_secret(&[7; 32]);
        assert_eq!(Hop::read(&other, &said, "b#1", "GET", "/sessions/x?y=z"), None);
    }

    #[test]
    fn is_good_for_five_seconds_and_from_a_clock_that_is_five_seconds_ahead() {
        let key = TokenKey::from_secret(SECRET);
        let hop = Hop { from: "a".into(), to: "b#1".into(), client: "192.0.2.7".parse().unwrap() };
        let (now, _) = expiry(Duration::ZERO);
        let is_good = |exp| Hop::read(&key, &hop.sign_until(exp, &key, "GET", "/"), "b#1", "GET", "/").is_some();
        // Times are whole seconds: a part of one is added to the five.
        assert!(is_good(now) && is_good(now - HOP_SECONDS + 1) && is_good(now + HOP_SECONDS - 1));
        assert!(!is_good(now - HOP_SECONDS - 1) && !is_good(now + HOP_SECONDS + 2));
        let said = hop.sign(&key, "GET", "/");
        let claims = said.split('.').nth(1).unwrap();
        let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert!(claims["exp"].as_u64().unwrap() <= now + 1, "the leeway is all");
    }

    #[test]
    fn no_token_is_one_and_it_is_no_token() {
        let key = TokenKey::from_secret(SECRET);
        let hop = Hop { from: "a".into(), to: "b#1".into(), client: "192.0.2.7".parse().unwrap() };
        assert!(key.verify(&hop.sign(&key, "GET", "/")).is_none());
        let grantee =
            Grantee { audience: Audience::Admin, subject: "b#1".into(), scopes: vec![], guest: false, sid: None };
        let (token, _) = key.mint(&grantee, Duration::from_mins(1));
        assert_eq!(Hop::read(&key, &token, "b#1", "GET", "/"), None);
    }
}
