//! Bearer tokens: HS256 JWTs with one of three audiences. Whatever is wrong with one, the answer is the same `None`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Principal, Role, Scope, TokenKey};
use crate::limits;
use crate::rest::id::parse_uuid;

/// `iss` of every token.
pub(super) const ISSUER: &str = "tiltyard";

/// Whom a token is for. The name says what role its bearer has, so that no token can be used as one of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Player,
    Service,
    Admin,
}

/// For whom a token is made.
#[derive(Debug, Clone)]
pub struct Grantee {
    pub audience: Audience,
    /// A player's uuid, or a name.
    pub subject: String,
    pub scopes: Vec<Scope>,
    pub guest: bool,
}

/// Those that nothing here reads are for their types: one given twice, or of another type, is refused.
#[derive(Debug, Deserialize)]
#[expect(dead_code)]
struct Claims {
    iss: String,
    aud: OneOrMany,
    sub: String,
    /// Seconds since the epoch, which RFC 7519 lets have a fraction.
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    guest: bool,
}

/// `aud` is a string or a list of strings.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// The fields a token's head may have. Everything else - `jwk`, `jku`, `x5u`, `crit` and what is yet to be invented - would
/// ask for something this server does not do, so it is refused rather than ignored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    kid: Option<String>,
}

impl Audience {
    const ALL: [Self; 3] = [Self::Player, Self::Service, Self::Admin];

    /// Its name in `aud`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Player => "tiltyard:player",
            Self::Service => "tiltyard:service",
            Self::Admin => "tiltyard:admin",
        }
    }
}

impl TokenKey {
    /// Signs a token; also says when it expires.
    pub fn mint(&self, grantee: &Grantee, ttl: Duration) -> (String, SystemTime) {
        let ttl = ttl.min(Duration::from_secs(limits::TOKEN_SECONDS - 1));
        let (seconds, expires_at) = expiry(ttl);
        let scopes: Vec<&str> = grantee.scopes.iter().map(|scope| scope.name()).collect();
        let claims = serde_json::json!({
            "iss": ISSUER, "aud": grantee.audience.name(), "sub": grantee.subject, "exp": seconds,
            "scope": scopes.join(" "), "guest": grantee.guest,
        });
        (self.sign(&claims), expires_at)
    }

    /// Who the token's bearer is, if the token is good.
    pub fn verify(&self, token: &str) -> Option<Principal> {
        let claims: Claims = self.check(token, &Audience::ALL.map(Audience::name))?;
        if claims.exp > (unix_seconds(SystemTime::now()) + limits::TOKEN_SECONDS) as f64 {
            return None;
        }
        let role = match claims.aud.role()? {
            Audience::Player => Role::Player(parse_uuid(&claims.sub)?),
            Audience::Service => Role::Service(name(claims.sub)?),
            Audience::Admin => Role::Admin(name(claims.sub)?),
        };
        let scopes = claims.scope.split(' ').filter_map(|scope| scope.parse().ok()).collect();
        Some(Principal { role, scopes, guest: claims.guest })
    }

    /// Signs any claims.
    pub(super) fn sign(&self, claims: &impl Serialize) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
            .expect("claims of this module always encode, and HMAC takes any key")
    }

    /// The claims of a token for one of these audiences, if its length, head, signature and times are good.
    pub(super) fn check<T: DeserializeOwned>(&self, token: &str, audiences: &[&str]) -> Option<T> {
        if token.len() > limits::TOKEN_BYTES || !plain_head(token) {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = limits::TOKEN_LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(audiences);
        jsonwebtoken::decode(token, &self.checking, &validation).ok().map(|data| data.claims)
    }
}

impl OneOrMany {
    /// The one role it names. Two roles in one token are refused: which one is meant cannot be known.
    fn role(&self) -> Option<Audience> {
        let names = match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        };
        let mut roles = Audience::ALL.into_iter().filter(|role| names.iter().any(|name| name == role.name()));
        let role = roles.next()?;
        roles.next().is_none().then_some(role)
    }
}

fn plain_head(token: &str) -> bool {
    let head = token.split('.').next().unwrap_or_default();
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(head) else { return false };
    let Ok(head) = serde_json::from_slice::<Head>(&bytes) else { return false };
    let is_kid =
        |kid: &str| kid.len() <= 64 && kid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let is_typ = |typ: &str| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt");
    head.alg == "HS256" && head.typ.as_deref().is_none_or(is_typ) && head.kid.as_deref().is_none_or(is_kid)
}

/// A service's or an administrator's name.
fn name(sub: String) -> Option<String> {
    ((1..=128).contains(&sub.len()) && sub.bytes().all(|b| b.is_ascii_graphic())).then_some(sub)
}

/// `ttl` from now, in whole seconds.
pub(super) fn expiry(ttl: Duration) -> (u64, SystemTime) {
    let seconds = unix_seconds(SystemTime::now() + ttl);
    (seconds, UNIX_EPOCH + Duration::from_secs(seconds))
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{Audience, Grantee, limits, unix_seconds};
    use crate::auth::{Principal, Role, Scope, TokenKey};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::{Value, json};
    use std::time::{Duration, SystemTime};
    use uuid::Uuid;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn key() -> TokenKey {
        TokenKey::from_secret(SECRET)
    }

    fn now() -> u64 {
        unix_seconds(SystemTime::now())
    }

    fn claims() -> Value {
        json!({"iss": "tiltyard", "aud": "tiltyard:player", "sub": Uuid::now_v7(), "exp": now() + 60, "scope": "play"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    /// A token of exactly this head and these claims, signed with the right secret.
    fn raw(head: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
        let signature = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn what_is_minted_is_good() {
        let player = Uuid::now_v7();
        let scopes = vec![Scope::PlayArena];
        let grantee =
            Grantee { audience: Audience::Player, subject: player.to_string(), scopes: scopes.clone(), guest: true };
        let (token, expires_at) = key().mint(&grantee, Duration::from_secs(60));
        assert_eq!(key().verify(&token), Some(Principal { role: Role::Player(player), scopes, guest: true }));
        assert!((now()..=now() + 60).contains(&unix_seconds(expires_at)));
        assert_eq!(TokenKey::from_secret(&[7; 32]).verify(&token), None, "another node's key");
    }

    #[test]
    fn good_forms_are_taken() {
        for claims in [
            claims(),
            with("exp", json!((now() + 60) as f64 + 0.5)),
            with("exp", json!(now() - limits::TOKEN_LEEWAY_SECONDS + 2)),
            with("nbf", json!(now() - 1)),
            with("aud", json!(["tiltyard:player", "other"])),
            with("scope", json!("play unheard:of")),
            without("scope"),
        ] {
            assert!(key().verify(&raw(HEAD, &claims.to_string())).is_some(), "{claims}");
        }
        let named = raw(r#"{"alg":"HS256","kid":"login_1"}"#, &claims().to_string());
        assert!(key().verify(&named).is_some());
    }

    #[test]
    fn bad_claims_are_refused() {
        let ten_years = 10 * 366 * 24 * 60 * 60;
        for claims in [
            with("exp", json!(now() - 60)),
            with("exp", json!((now() + 60).to_string())),
            with("exp", json!(now() + ten_years + 60)),
            with("exp", json!(u64::MAX)),
            with("exp", json!(1e300)),
            with("exp", json!(-1)),
            with("exp", json!(true)),
            with("exp", json!([now() + 60])),
            without("exp"),
            with("nbf", json!(now() + 60)),
            with("nbf", json!("0")),
            with("iss", json!("someone")),
            with("iss", json!(["tiltyard", "someone"])),
            without("iss"),
            with("aud", json!("tiltyard:ticket")),
            with("aud", json!("tiltyard")),
            with("aud", json!(["tiltyard:player", "tiltyard:admin"])),
            with("aud", json!([])),
            without("aud"),
            with("sub", json!("bob")),
            with("sub", json!(7)),
            with("sub", json!("00000000000000000000000000000000")),
            without("sub"),
            with("scope", json!(["play"])),
            json!([]),
        ] {
            assert_eq!(key().verify(&raw(HEAD, &claims.to_string())), None, "{claims}");
        }
        let twice = claims().to_string().replacen('{', r#"{"aud":"tiltyard:admin","#, 1);
        assert_eq!(key().verify(&raw(HEAD, &twice)), None, "aud given twice");
        let twice = claims().to_string().replacen('{', r#"{"exp":9999999999,"#, 1);
        assert_eq!(key().verify(&raw(HEAD, &twice)), None, "exp given twice");
    }

    #[test]
    fn bad_heads_are_refused() {
        for head in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS384"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            r#"{"alg":"HS256","kid":"../../dev/null"}"#,
            r#"{"alg":"HS256","kid":"x' OR 1=1 --"}"#,
            r#"{"alg":"HS256","kid":"http://evil.example/key"}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","jku":"http://evil.example/jwks"}"#,
            r#"{"alg":"HS256","x5u":"http://evil.example/cert"}"#,
            r#"{"alg":"HS256","x5c":["AAAA"]}"#,
            r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"HS256","zip":"DEF"}"#,
            "{}",
            "",
        ] {
            assert_eq!(key().verify(&raw(head, &claims().to_string())), None, "{head}");
        }
    }

    #[test]
    fn bad_signatures_and_shapes_are_refused() {
        let good = raw(HEAD, &claims().to_string());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let mut flipped = good.clone().into_bytes();
        let middle = signed.len() / 2;
        flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
        for token in [
            format!("{signed}."),
            signed.to_owned(),
            format!("{good}."),
            format!("{good}=="),
            format!("{good}.{signature}"),
            String::from_utf8(flipped).unwrap(),
            String::new(),
            "...".to_owned(),
            "A".repeat(64 * 1024),
            raw(HEAD, &with("pad", json!("x".repeat(limits::TOKEN_BYTES))).to_string()),
        ] {
            assert_eq!(key().verify(&token), None, "{}", &token[..token.len().min(80)]);
        }
        let stronger =
            jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(SECRET));
        assert_eq!(key().verify(&stronger.unwrap()), None);
    }
}
