//! The keys that bearer tokens are checked with: the node's own secret, and the public keys of others as a JWKS lists them.
//!
//! A token names at most a key's id. It never brings a key along, and no algorithm but the one that is pinned to the key
//! is tried. What was checked once is remembered, so that the same token's next request costs a look into a table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use jsonwebtoken::Algorithm;
use metrics::{Counter, Gauge};
use moka::sync::Cache;
use tokio::sync::Notify;

use super::jwks::KeySet;
use super::token::{Head, Held, Verified, since_epoch};
use super::{Grantee, Principal, TokenKey};
use crate::limits;

/// Every key that makes a token good. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    own: TokenKey,
    /// Who may have issued what an external key has signed.
    issuers: Vec<String>,
    /// Held only to take another reference to the set, or to put another set in.
    external: RwLock<Arc<KeySet>>,
    /// The set's generation, to be read without the lock. It is written after the set: what it lets pass was checked with
    /// a set that was in force when it was read, or later.
    generation: AtomicU64,
    /// By the token's SHA-256: nobody can make another token that is found in its place, and what is in memory admits
    /// nobody. Bad tokens are not remembered: they could push out the good ones.
    remembered: Cache<[u8; 32], Remembered>,
    /// Somebody has shown a key's id that is not known.
    unknown_kid: Notify,
    figures: TokenFigures,
}

/// A token that was good.
#[derive(Debug, Clone)]
struct Remembered {
    principal: Arc<Principal>,
    /// The last second since the epoch in which the token is good.
    until: u64,
    /// Of the set it was checked with.
    generation: u64,
}

/// What is counted about tokens and their keys.
#[derive(Debug, Clone)]
pub struct TokenFigures {
    /// External keys in use.
    pub keys: Gauge,
    /// JWKS read and found changed, found unchanged, not read or refused.
    pub changed: Counter,
    pub unchanged: Counter,
    pub failed: Counter,
    pub refused: Counter,
    pub hits: Counter,
    pub misses: Counter,
}

impl TokenFigures {
    /// For who has no figures to show.
    pub fn none() -> Self {
        let none = Counter::noop;
        let (changed, unchanged, failed) = (none(), none(), none());
        Self { keys: Gauge::noop(), changed, unchanged, failed, refused: none(), hits: none(), misses: none() }
    }
}

impl KeyRing {
    /// The node's own secret, and no external keys yet. These will be taken only for tokens of `issuers`.
    pub fn new(own: TokenKey, issuers: Vec<String>, figures: TokenFigures) -> Self {
        let remembered = Cache::builder()
            .max_capacity(limits::TOKENS_REMEMBERED)
            .time_to_idle(Duration::from_secs(limits::TOKEN_IDLE_SECONDS))
            .build();
        Self(Arc::new(Ring {
            own,
            issuers,
            external: RwLock::default(),
            generation: AtomicU64::new(0),
            remembered,
            unknown_kid: Notify::new(),
            figures,
        }))
    }

    /// Signs a token with the node's own secret; also says when it expires.
    pub fn mint(&self, grantee: &Grantee, ttl: Duration) -> (String, SystemTime) {
        self.0.own.mint(grantee, ttl)
    }

    /// The node's own secret.
    pub(super) fn own(&self) -> &TokenKey {
        &self.0.own
    }

    /// What is counted.
    pub(super) fn figures(&self) -> &TokenFigures {
        &self.0.figures
    }

    /// Who the token's bearer is, if the token is good.
    pub fn verify(&self, token: &str) -> Option<Arc<Principal>> {
        let principal = self.remembered_or_checked(token);
        if principal.is_none() {
            self.0.figures.refused.increment(1);
        }
        principal
    }

    /// As [`KeyRing::verify`], but looks at nothing that is remembered, remembers nothing and counts nothing.
    pub fn verify_anew(&self, token: &str) -> Option<Principal> {
        self.check(token, &self.external()).map(|verified| verified.principal)
    }

    /// Puts these keys in the place of all external ones, at once. `false` where they are those of before.
    pub fn install(&self, mut keys: KeySet) -> bool {
        let ring = &self.0;
        let mut external = ring.external.write().unwrap_or_else(PoisonError::into_inner);
        if external.generation > 0 && external.hash == keys.hash {
            return false;
        }
        keys.generation = external.generation + 1;
        #[expect(clippy::cast_precision_loss)] // At most 64.
        ring.figures.keys.set(keys.keys.len() as f64);
        *external = Arc::new(keys);
        ring.generation.store(external.generation, Ordering::Release);
        true
    }

    /// Waits until a token has named an unknown key since the last time this returned.
    pub(super) async fn unknown_kid(&self) {
        self.0.unknown_kid.notified().await;
    }

    /// How many external keys are in use.
    #[cfg(test)]
    pub(super) fn external_keys(&self) -> usize {
        self.external().keys.len()
    }

    fn remembered_or_checked(&self, token: &str) -> Option<Arc<Principal>> {
        let ring = &self.0;
        if token.len() > limits::TOKEN_BYTES {
            return None;
        }
        let hash = hash(token);
        if let Some(remembered) = ring.remembered.get(&hash) {
            if remembered.is_good(ring.generation.load(Ordering::Acquire), now()) {
                ring.figures.hits.increment(1);
                return Some(remembered.principal);
            }
            ring.remembered.invalidate(&hash);
        }
        ring.figures.misses.increment(1);
        let external = self.external();
        let Verified { principal, until } = self.check(token, &external)?;
        let principal = Arc::new(principal);
        let remembered = Remembered { principal: Arc::clone(&principal), until, generation: external.generation };
        ring.remembered.insert(hash, remembered);
        Some(principal)
    }

    fn external(&self) -> Arc<KeySet> {
        Arc::clone(&self.0.external.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self, token: &str, external: &KeySet) -> Option<Verified> {
        let head = Head::of(token)?;
        let key = if let Some(kid) = &head.kid {
            let key = external.named(kid);
            if key.is_none() && head.algorithm != Algorithm::HS256 {
                self.0.unknown_kid.notify_one();
            }
            key?
        } else {
            if head.algorithm == Algorithm::HS256
                && let Some(verified) = Verified::of(token, self.0.own.held())
            {
                return Some(verified);
            }
            external.only(head.algorithm)?
        };
        if key.algorithm != head.algorithm {
            return None;
        }
        Verified::of(token, Held { key: &key.checking, algorithm: key.algorithm, issuers: &self.0.issuers })
    }
}

impl Remembered {
    fn is_good(&self, generation: u64, now: u64) -> bool {
        self.generation == generation && now <= self.until
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

fn now() -> u64 {
    since_epoch(SystemTime::now()).as_secs()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use uuid::Uuid;

    use super::{KeyRing, Remembered, TokenFigures, hash, now};
    use crate::auth::jwks::{KeySet, Origin};
    use crate::auth::signer::{ISSUER, Signer, attacks, claims, jwks};
    use crate::auth::{Audience, Grantee, Scope, TokenKey};
    use crate::limits;

    fn ring(signers: &[&Signer]) -> KeyRing {
        let own = TokenKey::from_secret(&[1; 32]);
        let ring = KeyRing::new(own, vec!["https://other.example".to_owned(), ISSUER.to_owned()], TokenFigures::none());
        install(&ring, signers);
        ring
    }

    fn install(ring: &KeyRing, signers: &[&Signer]) -> bool {
        ring.install(KeySet::parse(jwks(signers).as_bytes(), Origin::File).unwrap())
    }

    fn own_token(ring: &KeyRing) -> String {
        let subject = Uuid::now_v7().to_string();
        let grantee =
            Grantee { audience: Audience::Player, subject, scopes: vec![Scope::Play], guest: false, sid: None };
        ring.mint(&grantee, Duration::from_mins(1)).0
    }

    #[test]
    fn good_tokens_of_every_kind_of_key_are_taken() {
        let [ed, ec, rsa] = Signer::public();
        let secret = Signer::secret("oct");
        let ring = ring(&[&ed, &ec, &rsa, &secret]);
        for signer in [&ed, &ec, &rsa, &secret] {
            let (player, sid) = (Uuid::now_v7(), Uuid::now_v7());
            let mut claims = claims();
            claims["sub"] = json!(player);
            claims["sid"] = json!(sid);
            let without_kid = json!({"alg": signer.alg(), "typ": "at+jwt"}).to_string();
            for token in [signer.sign(&claims), signer.raw(&without_kid, &claims.to_string())] {
                let principal = ring.verify(&token).unwrap_or_else(|| panic!("{}", signer.alg()));
                assert_eq!((principal.player(), principal.sid), (Some(player), Some(sid)));
                assert_eq!(ring.verify_anew(&token).as_ref(), ring.verify(&token).as_deref());
            }
        }
        assert!(ring.verify(&own_token(&ring)).is_some(), "and the node's own beside them");
    }

    #[test]
    fn attacks_of_every_kind_are_refused() {
        let [ed, ec, rsa] = Signer::public();
        let secret = Signer::secret("oct");
        let ring = ring(&[&ed, &ec, &rsa, &secret]);
        for signer in [&ed, &ec, &rsa, &secret] {
            for (what, token) in attacks(signer, "http://127.0.0.1:1") {
                assert_eq!(ring.verify(&token), None, "{} {what}", signer.alg());
            }
            // Another's key of the same kind, under this one's id.
            for other in [Signer::ed25519(signer.kid), Signer::p256(signer.kid), Signer::secret(signer.kid)] {
                assert_eq!(ring.verify(&other.sign(&claims())), None);
                let head = json!({"alg": signer.alg(), "kid": signer.kid}).to_string();
                assert_eq!(ring.verify(&other.raw(&head, &claims().to_string())), None);
            }
        }
    }

    #[test]
    fn every_key_has_its_issuers() {
        let ed = Signer::ed25519("ed");
        let ring = ring(&[&ed]);
        let mut claims = claims();
        for (iss, good) in [(ISSUER, true), ("https://other.example", true), ("tiltyard", false), ("", false)] {
            claims["iss"] = json!(iss);
            assert_eq!(ring.verify(&ed.sign(&claims)).is_some(), good, "{iss}");
        }
        claims["iss"] = json!(ISSUER);
        let by_own = ring.0.own.sign(&claims);
        assert_eq!(ring.verify(&by_own), None, "the own secret signs for nobody else");
        claims["iss"] = json!("tiltyard");
        assert!(ring.verify(&ring.0.own.sign(&claims)).is_some());
        let named = crate::auth::signer::hs256(&[1; 32], r#"{"alg":"HS256","kid":"ed"}"#, &claims.to_string());
        assert_eq!(ring.verify(&named), None, "the own secret has no id");
    }

    #[test]
    fn without_a_kid_there_must_be_one_key_only() {
        let (one, two) = (Signer::ed25519("one"), Signer::ed25519("two"));
        let ring = ring(&[&one, &two]);
        let token = one.raw(r#"{"alg":"EdDSA"}"#, &claims().to_string());
        assert_eq!(ring.verify(&token), None, "which is meant?");
        assert!(ring.verify(&one.sign(&claims())).is_some() && ring.verify(&two.sign(&claims())).is_some());
        install(&ring, &[&one]);
        assert!(ring.verify(&token).is_some());
    }

    #[test]
    fn what_is_remembered_is_good_for_its_time_and_its_keys_only() {
        let (one, two) = (Signer::ed25519("one"), Signer::ed25519("two"));
        let ring = ring(&[&one]);
        let (token, own) = (one.sign(&claims()), own_token(&ring));
        let first = ring.verify(&token).unwrap();
        assert!(Arc::ptr_eq(&first, &ring.verify(&token).unwrap()), "not checked again");
        assert!(ring.verify(&own).is_some());
        assert!(!install(&ring, &[&one]), "the same keys change nothing");
        assert!(Arc::ptr_eq(&first, &ring.verify(&token).unwrap()));
        assert!(install(&ring, &[&two]));
        assert_eq!(ring.verify(&token), None);
        assert!(ring.verify(&own).is_some(), "the own secret is as it was");

        let own = ring.verify(&own).unwrap();
        let until = now() + 60;
        let remembered = Remembered { principal: own, until, generation: 7 };
        assert!(remembered.is_good(7, until) && !remembered.is_good(7, until + 1) && !remembered.is_good(8, until));
    }

    #[test]
    fn a_remembered_token_that_has_expired_is_refused() {
        let one = Signer::ed25519("one");
        let ring = ring(&[&one]);
        let mut claims = claims();
        claims["exp"] = json!(now() - limits::TOKEN_LEEWAY_SECONDS - 1);
        let token = one.sign(&claims);
        // As if it had been shown while it was good.
        let principal = ring.verify(&own_token(&ring)).unwrap();
        let until = now() - 1;
        ring.0.remembered.insert(hash(&token), Remembered { principal, until, generation: 1 });
        assert_eq!(ring.verify(&token), None);
        assert!(ring.0.remembered.get(&hash(&token)).is_none(), "and is forgotten");
    }

    #[test]
    fn bad_tokens_are_not_remembered() {
        let ring = ring(&[]);
        for n in 0..100 {
            assert_eq!(ring.verify(&format!("bad.{n}.token")), None);
        }
        ring.0.remembered.run_pending_tasks();
        assert_eq!(ring.0.remembered.entry_count(), 0);
    }
}
