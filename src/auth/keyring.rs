//! The keys that bearer tokens are checked with: the node's own secret, and the public keys of others as a JWKS lists them.
//!
//! A token names at most a key's id. It never brings a key along, and no algorithm but the one that is pinned to the key
//! is tried. What was checked once is remembered, so that the same token's next request costs a look into a table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use metrics::{Counter, Gauge};
use moka::sync::Cache;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::flaw::{Flaw, LogThrottle};
use super::jwks::KeySet;
use super::token::{Head, Held, Verified, since_epoch};
use super::{Dialect, Grantee, Principal, TokenKey};
use crate::limits;

/// Every key that makes a token good. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    own: TokenKey,
    /// Who may have issued what an external key has signed, and how they write it.
    dialect: Dialect,
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
    /// What the log has of refused tokens.
    told: LogThrottle,
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
    /// By [`Flaw::number`].
    pub refused: [Counter; Flaw::COUNT],
    pub hits: Counter,
    pub misses: Counter,
}

impl TokenFigures {
    /// For who has no figures to show.
    pub fn none() -> Self {
        let none = Counter::noop;
        let (changed, unchanged, failed) = (none(), none(), none());
        let refused = std::array::from_fn(|_| none());
        Self { keys: Gauge::noop(), changed, unchanged, failed, refused, hits: none(), misses: none() }
    }
}

impl KeyRing {
    /// The node's own secret, and no external keys yet. These will be taken only for tokens of the dialect's
    /// issuers.
    pub fn new(own: TokenKey, dialect: Dialect, figures: TokenFigures) -> Self {
        let remembered = Cache::builder()
            .max_capacity(limits::TOKENS_REMEMBERED)
            .time_to_idle(Duration::from_secs(limits::TOKEN_IDLE_SECONDS))
            .build();
        Self(Arc::new(Ring {
            own,
            dialect,
            external: RwLock::default(),
            generation: AtomicU64::new(0),
            remembered,
            unknown_kid: Notify::new(),
            told: LogThrottle::default(),
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
        self.remembered_or_checked(token).map_err(|flaw| self.refuse(token, &flaw)).ok()
    }

    /// Counts a token that is not good, and tells of it, but not of every one.
    pub fn refuse(&self, token: &str, flaw: &Flaw) {
        let ring = &self.0;
        ring.figures.refused[flaw.number()].increment(1);
        let Some(silent) = ring.told.may_tell(flaw, Instant::now()) else { return };
        let cause = self.why(token, flaw);
        tracing::info!(reason = flaw.name(), why = ?cause, silent, "a token was refused");
    }

    /// What an operator has to know of it; what the token itself says may be anything.
    fn why(&self, token: &str, flaw: &Flaw) -> String {
        let Dialect { issuers, audiences, .. } = &self.0.dialect;
        let part = |number| unchecked(token, number);
        let mut why = match flaw {
            Flaw::Malformed => "no token, too long, or a head that asks for more than a key".to_owned(),
            Flaw::Algorithm | Flaw::KeyUnknown => {
                let (kid, alg) = (part(0)["kid"].clone(), part(0)["alg"].clone());
                format!("kid {kid}, alg {alg}; {} keys of the JWKS are in use", self.external().keys.len())
            }
            Flaw::Signature => format!("kid {}, iss {}", part(0)["kid"], part(1)["iss"]),
            Flaw::Expired | Flaw::NotYet => {
                let claims = part(1);
                format!("iss {}, exp {}, nbf {}; now {}", claims["iss"], claims["exp"], claims["nbf"], now())
            }
            Flaw::Issuer => format!("iss {}; taken are {issuers:?} for keys of the JWKS", part(1)["iss"]),
            Flaw::Audience => {
                let names: Vec<&str> = audiences.iter().map(|meant| meant.name.as_str()).collect();
                format!(
                    "aud {}; taken is one of tiltyard:player, -service and -admin, and of {names:?}",
                    part(1)["aud"]
                )
            }
            Flaw::Claim(what) => format!("iss {}: {what}", part(1)["iss"]),
            Flaw::Login => format!("its auth session {} has ended or is paused", part(1)["sid"]),
        };
        why.truncate(why.floor_char_boundary(limits::TOKEN_FLAW_BYTES));
        why
    }

    /// As [`KeyRing::verify`], but looks at nothing that is remembered, remembers nothing and counts nothing.
    pub fn verify_anew(&self, token: &str) -> Option<Principal> {
        self.check(token, &self.external()).map(|verified| verified.principal).ok()
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

    fn remembered_or_checked(&self, token: &str) -> Result<Arc<Principal>, Flaw> {
        let ring = &self.0;
        if token.len() > limits::TOKEN_BYTES {
            return Err(Flaw::Malformed);
        }
        let hash = hash(token);
        if let Some(remembered) = ring.remembered.get(&hash) {
            if remembered.is_good(ring.generation.load(Ordering::Acquire), now()) {
                ring.figures.hits.increment(1);
                return Ok(remembered.principal);
            }
            ring.remembered.invalidate(&hash);
        }
        ring.figures.misses.increment(1);
        let external = self.external();
        let Verified { principal, until } = self.check(token, &external)?;
        let principal = Arc::new(principal);
        let remembered = Remembered { principal: Arc::clone(&principal), until, generation: external.generation };
        ring.remembered.insert(hash, remembered);
        Ok(principal)
    }

    fn external(&self) -> Arc<KeySet> {
        Arc::clone(&self.0.external.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self, token: &str, external: &KeySet) -> Result<Verified, Flaw> {
        let ring = &self.0;
        let head = Head::of(token)?;
        let key = if let Some(kid) = &head.kid {
            let key = external.named(kid);
            if key.is_none() && head.algorithm != Algorithm::HS256 {
                ring.unknown_kid.notify_one();
            }
            key.ok_or(Flaw::KeyUnknown)?
        } else {
            let mut flaw = Flaw::KeyUnknown;
            if head.algorithm == Algorithm::HS256 {
                match Verified::of(token, ring.own.held()) {
                    Ok(verified) => return Ok(verified),
                    Err(own) => flaw = own,
                }
            }
            external.only(head.algorithm).ok_or(flaw)?
        };
        if key.algorithm != head.algorithm {
            return Err(Flaw::Algorithm);
        }
        let dialect = &ring.dialect;
        let (key, algorithm, issuers) = (&key.checking, key.algorithm, &dialect.issuers);
        Verified::of(token, Held { key, algorithm, issuers, dialect: Some(dialect) })
    }
}

impl Remembered {
    fn is_good(&self, generation: u64, now: u64) -> bool {
        self.generation == generation && now <= self.until
    }
}

/// A part of a token as it says itself, whoever wrote it; null where it cannot be read.
fn unchecked(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).filter(|part| part.len() <= limits::TOKEN_BYTES);
    let bytes = part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let object = bytes.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
    object.map(Value::Object).unwrap_or_default()
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
    use crate::auth::dialect::{Dialect, Meant};
    use crate::auth::flaw::Flaw;
    use crate::auth::jwks::{KeySet, Origin};
    use crate::auth::signer::{ISSUER, Signer, attacks, claims, jwks};
    use crate::auth::{Audience, Grantee, Principal, Role, Scope, TokenKey};
    use crate::limits;

    fn ring(signers: &[&Signer]) -> KeyRing {
        let own = TokenKey::from_secret(&[1; 32]);
        let ring = KeyRing::new(
            own,
            Dialect::of(vec!["https://other.example".to_owned(), ISSUER.to_owned()]),
            TokenFigures::none(),
        );
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

    /// A ring with this key that takes tokens of ISSUER as the options say.
    fn speaking(signer: &Signer, audiences: &[&str], scope_claims: &[&str], player_claim: &str) -> KeyRing {
        let dialect = Dialect {
            audiences: audiences.iter().map(|text| text.parse::<Meant>().unwrap()).collect(),
            scope_claims: scope_claims.iter().map(|&name| name.to_owned()).collect(),
            player_claim: player_claim.to_owned(),
            ..Dialect::of(vec![ISSUER.to_owned()])
        };
        let ring = KeyRing::new(TokenKey::from_secret(&[1; 32]), dialect, TokenFigures::none());
        install(&ring, &[signer]);
        ring
    }

    #[test]
    fn tokens_of_usual_providers_are_read_as_the_options_say() {
        let rsa = Signer::rsa("rsa");
        let player = |principal: Option<Arc<Principal>>| principal.map(|p| (p.player().unwrap(), p.scopes.clone()));
        let id = Uuid::now_v7();
        // Keycloak: several audiences, roles in an object, a subject that is a uuid.
        let ring = speaking(&rsa, &["tiltyard-game"], &["realm_access.roles", "resource_access.game.roles"], "sub");
        let keycloak = json!({"iss": ISSUER, "aud": ["account", "tiltyard-game"], "sub": id, "exp": now() + 60, "typ": "Bearer",
            "azp": "game", "sid": id, "scope": "openid profile play", "realm_access": {"roles": ["offline_access", "play"]},
            "resource_access": {"game": {"roles": ["play:arena"]}, "account": {"roles": ["view-profile"]}}});
        let both = vec![Scope::Play, Scope::PlayArena];
        assert_eq!(player(ring.verify(&rsa.sign(&keycloak))), Some((id, both)));

        // Auth0: any text for a subject, scopes as a text, a fraction in no time.
        let ring = speaking(&rsa, &["https://game.example/api"], &Dialect::SCOPE_CLAIMS, "sub");
        let auth0 = json!({"iss": ISSUER, "aud": ["https://game.example/api", "https://tenant.example/userinfo"],
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "iat": now(), "exp": now() + 60, "scope": "openid play", "azp": "x"});
        let (subject, scopes) = player(ring.verify(&rsa.sign(&auth0))).unwrap();
        assert_eq!((subject.get_version_num(), scopes), (5, vec![Scope::Play]));

        // Azure: its head names the key twice, scopes are in `scp` and roles in a list, the player in a claim of its own.
        let ring = speaking(&rsa, &["api://game", "api://ops=service"], &["scp", "roles"], "oid");
        let mut azure = json!({"iss": ISSUER, "aud": "api://game", "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "oid": id,
            "exp": now() + 60, "nbf": now() - 1, "scp": "access_as_user play", "roles": ["play:arena"], "ver": "2.0", "tid": id});
        let head =
            json!({"typ": "JWT", "alg": "RS256", "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg", "kid": "rsa"}).to_string();
        let (subject, scopes) = player(ring.verify(&rsa.raw(&head, &azure.to_string()))).unwrap();
        assert_eq!((subject, scopes), (id, vec![Scope::Play, Scope::PlayArena]));
        azure["aud"] = json!("api://ops");
        azure["roles"] = json!(["sessions:read"]);
        let service = ring.verify(&rsa.sign(&azure)).unwrap();
        assert!(matches!(&service.role, Role::Service(name) if name.starts_with("AAAA")));
        assert!(service.scopes.contains(&Scope::SessionsRead));
        azure["aud"] = json!(["api://ops", "api://game"]);
        assert_eq!(ring.verify(&rsa.sign(&azure)), None, "which of the two?");
    }

    #[test]
    fn what_others_may_say_the_own_secret_may_not() {
        let ring = speaking(&Signer::ed25519("ed"), &["game"], &["roles"], "name");
        let mut claims = claims();
        (claims["iss"], claims["roles"]) = (json!("tiltyard"), json!(["play:arena"]));
        let verify = |claims: &serde_json::Value| ring.verify(&ring.0.own.sign(claims));
        assert_eq!(verify(&claims).unwrap().scopes, [Scope::Play], "of `scope` alone");
        claims["sub"] = json!("bob");
        assert_eq!(verify(&claims), None, "a player is a uuid");
        claims["sub"] = json!(Uuid::now_v7());
        claims["aud"] = json!("game");
        assert_eq!(verify(&claims), None, "another's audience");
    }

    #[test]
    fn every_flaw_has_its_name() {
        let ed = Signer::ed25519("ed");
        let ring = speaking(&ed, &["game"], &["roles"], "player");
        let flaw = |token: &str| ring.check(token, &ring.external()).unwrap_err();
        let good = json!({"iss": ISSUER, "aud": "game", "sub": "x", "player": "bob", "exp": now() + 60});
        assert!(ring.verify(&ed.sign(&good)).is_some());
        let with = |name: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[name] = value;
            ed.sign(&claims)
        };
        assert_eq!(flaw("x"), Flaw::Malformed);
        assert_eq!(flaw(&ed.raw(r#"{"alg":"ES256","kid":"ed"}"#, &good.to_string())), Flaw::Algorithm);
        assert_eq!(flaw(&Signer::ed25519("other").sign(&good)), Flaw::KeyUnknown);
        assert_eq!(flaw(&Signer::ed25519("ed").sign(&good)), Flaw::Signature);
        assert_eq!(flaw(&with("exp", json!(now() - 60))), Flaw::Expired);
        assert_eq!(flaw(&with("nbf", json!(now() + 60))), Flaw::NotYet);
        assert_eq!(flaw(&with("iss", json!("https://other.example"))), Flaw::Issuer);
        assert_eq!(flaw(&with("aud", json!("account"))), Flaw::Audience);
        assert!(matches!(flaw(&with("sub", json!(null))), Flaw::Claim(_)));
        for (name, value) in [("player", json!(7)), ("player", json!("")), ("roles", json!({}))] {
            assert!(
                matches!(flaw(&with(name, value.clone())), Flaw::Claim(why) if why.contains(name)),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn what_the_log_says_of_a_token_names_what_to_change_and_is_bounded() {
        let ed = Signer::ed25519("ed");
        let ring = speaking(&ed, &["game"], &["roles"], "player");
        let mut claims =
            json!({"iss": "https://login.example/", "aud": ["account"], "sub": "secret-subject", "exp": now() - 60});
        let token = ed.sign(&claims);
        for (flaw, named) in [
            (Flaw::Issuer, "https://login.example/"),
            (Flaw::Audience, "account"),
            (Flaw::Audience, "game"),
            (Flaw::KeyUnknown, r#"kid "ed", alg "EdDSA""#),
            (Flaw::Expired, "exp"),
            (Flaw::Claim("missing field `sub`".to_owned()), "missing field `sub`"),
        ] {
            let why = ring.why(&token, &flaw);
            assert!(why.contains(named) && !why.contains("secret-subject"), "{why}");
        }
        claims["iss"] = json!("ä".repeat(3_000));
        assert!(ring.why(&ed.sign(&claims), &Flaw::Issuer).len() <= limits::TOKEN_FLAW_BYTES);
        for nothing in ["", ".", "..", "a.b.c", &"A".repeat(100_000)] {
            assert!(ring.why(nothing, &Flaw::Signature).contains("null"), "{nothing:.20}");
        }
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
