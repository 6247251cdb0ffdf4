//! Refresh tokens of auth sessions: signed, and good for one use. Which use is next only the session knows, so nothing of a
//! token has to be kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::KeyRing;
use super::token::{ISSUER, expiry};

/// `aud` of refresh tokens, unlike that of any other.
const AUDIENCE: &str = "tiltyard:refresh";

/// What a refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    pub session: Uuid,
    pub player: Uuid,
    /// How many refreshes came before it.
    pub generation: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    generation: u32,
    exp: u64,
}

impl RefreshToken {
    /// The token itself.
    pub fn sign(&self, ring: &KeyRing, ttl: Duration) -> String {
        let (exp, _) = expiry(ttl);
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        ring.own().sign(&Claims { iss, aud, sub: self.player, sid: self.session, generation: self.generation, exp })
    }

    /// What a token says, if its signature and times are good.
    pub fn read(ring: &KeyRing, token: &str) -> Option<Self> {
        let claims: Claims = ring.own().check(token, &[AUDIENCE])?;
        Some(Self { session: claims.sid, player: claims.sub, generation: claims.generation })
    }
}

#[cfg(test)]
mod tests {
    use super::RefreshToken;
    use crate::auth::keyring::TokenFigures;
    use crate::auth::{Audience, Dialect, Grantee, KeyRing, TokenKey};
    use std::time::Duration;
    use uuid::Uuid;

    #[test]
    fn are_no_access_tokens_and_the_reverse() {
        let ring = |secret| KeyRing::new(TokenKey::from_secret(secret), Dialect::of(vec![]), TokenFigures::none());
        let key = ring(&[7; 32]);
        let token = RefreshToken { session: Uuid::now_v7(), player: Uuid::now_v7(), generation: 4 };
        let text = token.sign(&key, Duration::from_mins(1));
        assert_eq!(RefreshToken::read(&key, &text), Some(token));
        assert!(key.verify(&text).is_none());
        assert_eq!(RefreshToken::read(&ring(&[8; 32]), &text), None);
        let subject = Uuid::now_v7().to_string();
        let player = Grantee { audience: Audience::Player, subject, scopes: vec![], guest: false, sid: None };
        let (access, _) = key.mint(&player, Duration::from_mins(1));
        assert_eq!(RefreshToken::read(&key, &access), None);
    }
}
