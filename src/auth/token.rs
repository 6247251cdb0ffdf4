//! Bearer tokens: JWTs of one of three audiences, held to one key with its one algorithm. Whatever is wrong with one, the
//! answer is the same `None`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::{Principal, Role, Scope, TokenKey};
use crate::limits;
use crate::rest::id::parse_uuid;

/// `iss` of every token that is signed with the node's own secret, and of no other.
pub const ISSUER: &str = "tiltyard";

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
    /// The auth session the token is good as long as.
    pub sid: Option<Uuid>,
}

/// What a token is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub key: &'a DecodingKey,
    /// The only one the key is used with.
    pub algorithm: Algorithm,
    /// Who may have issued what the key has signed.
    pub issuers: &'a [String],
}

/// What a good token says.
#[derive(Debug)]
pub(super) struct Verified {
    pub principal: Principal,
    /// The last second since the epoch in which it is good, the leeway included.
    pub until: u64,
}

/// What a token's head names; it has been found to ask for nothing else.
#[derive(Debug)]
pub(super) struct Head {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
}

/// Those that nothing here reads are for their types: one given twice, or of another type, is refused.
#[derive(Debug, Deserialize)]
struct Claims {
    #[expect(dead_code)]
    iss: String,
    aud: OneOrMany,
    sub: String,
    /// Seconds since the epoch, which RFC 7519 lets have a fraction.
    exp: f64,
    #[expect(dead_code)]
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    guest: bool,
    #[serde(default, deserialize_with = "given")]
    sid: Option<String>,
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
struct HeadFields {
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
        let mut claims = serde_json::json!({
            "iss": ISSUER, "aud": grantee.audience.name(), "sub": grantee.subject, "exp": seconds,
            "scope": scopes.join(" "), "guest": grantee.guest,
        });
        if let Some(sid) = grantee.sid {
            claims["sid"] = serde_json::json!(sid);
        }
        (self.sign(&claims), expires_at)
    }

    /// Who the token's bearer is, if the token is good and of this key.
    pub fn verify(&self, token: &str) -> Option<Principal> {
        Head::is_own(token).then(|| Verified::of(token, self.held()))?.map(|verified| verified.principal)
    }

    /// Signs any claims.
    pub(super) fn sign(&self, claims: &impl Serialize) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
            .expect("claims of this module always encode, and HMAC takes any key")
    }

    /// The claims of a token of this key for one of these audiences, if its length, head, signature and times are good.
    pub(super) fn check<T: DeserializeOwned>(&self, token: &str, audiences: &[&str]) -> Option<T> {
        Head::is_own(token).then(|| self.held().check(token, audiences))?
    }

    /// What tokens of this key are held to.
    pub(super) fn held(&self) -> Held<'_> {
        Held { key: &self.checking, algorithm: Algorithm::HS256, issuers: std::slice::from_ref(&self.issuer) }
    }
}

impl Held<'_> {
    /// The claims of a token for one of these audiences, if its signature, issuer and times are good. Its head has been
    /// read: see [`Head::of`].
    fn check<T: DeserializeOwned>(&self, token: &str, audiences: &[&str]) -> Option<T> {
        let mut validation = Validation::new(self.algorithm);
        validation.leeway = limits::TOKEN_LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        validation.set_issuer(self.issuers);
        validation.set_audience(audiences);
        jsonwebtoken::decode(token, self.key, &validation).ok().map(|data| data.claims)
    }
}

impl Verified {
    /// What a bearer token says, if it is good.
    pub(super) fn of(token: &str, held: Held<'_>) -> Option<Self> {
        let claims: Claims = held.check(token, &Audience::ALL.map(Audience::name))?;
        let latest = SystemTime::now() + Duration::from_secs(limits::TOKEN_SECONDS);
        if claims.exp > since_epoch(latest).as_secs_f64() {
            return None;
        }
        let role = match claims.aud.role()? {
            Audience::Player => Role::Player(parse_uuid(&claims.sub)?),
            Audience::Service => Role::Service(name(claims.sub)?),
            Audience::Admin => Role::Admin(name(claims.sub)?),
        };
        let sid = match claims.sid {
            Some(sid) => Some(parse_uuid(&sid)?),
            None => None,
        };
        // In the order of the list, each once, however often the token names it.
        let named: Vec<&str> = claims.scope.split(' ').collect();
        let scopes = Scope::ALL.into_iter().filter(|scope| named.contains(&scope.name())).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // Checked to be between now and ten years on.
        let until = claims.exp as u64 + limits::TOKEN_LEEWAY_SECONDS;
        Some(Self { principal: Principal { role, scopes, guest: claims.guest, sid }, until })
    }
}

impl Head {
    /// A token's head, if the token is not too long and its head asks for nothing but a key and its algorithm.
    pub(super) fn of(token: &str) -> Option<Self> {
        if token.len() > limits::TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let HeadFields { alg, typ, kid } = serde_json::from_slice(&bytes).ok()?;
        let is_typ = |typ: &str| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt");
        let algorithm = match alg.as_str() {
            "HS256" => Algorithm::HS256,
            "EdDSA" => Algorithm::EdDSA,
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            _ => return None,
        };
        let fits = typ.as_deref().is_none_or(is_typ) && kid.as_deref().is_none_or(is_kid);
        fits.then_some(Self { algorithm, kid })
    }

    /// Whether a token's head is one the node's own secret may have signed, which has no id.
    fn is_own(token: &str) -> bool {
        Self::of(token).is_some_and(|head| head.algorithm == Algorithm::HS256 && head.kid.is_none())
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

/// Whether this can be a key's id: both alphabets of base64, which is what issuers use. No path, address or query is one.
pub(super) fn is_kid(kid: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=');
    (1..=limits::KID_BYTES).contains(&kid.len()) && kid.bytes().all(fits)
}

/// A claim that may be left out, but is no `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// A service's or an administrator's name.
fn name(sub: String) -> Option<String> {
    ((1..=128).contains(&sub.len()) && sub.bytes().all(|b| b.is_ascii_graphic())).then_some(sub)
}

/// `ttl` from now, in whole seconds.
pub(super) fn expiry(ttl: Duration) -> (u64, SystemTime) {
    let seconds = since_epoch(SystemTime::now() + ttl).as_secs();
    (seconds, UNIX_EPOCH + Duration::from_secs(seconds))
}

pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Audience, Grantee, limits, since_epoch};
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
        since_epoch(SystemTime::now()).as_secs()
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
        let grantee = Grantee {
            audience: Audience::Player,
            subject: player.to_string(),
            scopes: scopes.clone(),
            guest: true,
            sid: None,
        };
        let (token, expires_at) = key().mint(&grantee, Duration::from_mins(1));
        let principal = Principal { role: Role::Player(player), scopes, guest: true, sid: None };
        assert_eq!(key().verify(&token), Some(principal.clone()));
        let sid = Some(Uuid::now_v7());
        let (token, _) = key().mint(&Grantee { sid, ..grantee }, Duration::from_mins(1));
        assert_eq!(key().verify(&token), Some(Principal { sid, ..principal }));
        assert!((now()..=now() + 60).contains(&since_epoch(expires_at).as_secs()));
        assert_eq!(TokenKey::from_secret(&[7; 32]).verify(&token), None, "another node's key");
    }

    #[test]
    fn good_forms_are_taken() {
        for claims in [
            claims(),
            with("exp", json!(since_epoch(SystemTime::now()).as_secs_f64() + 60.5)),
            with("exp", json!(now() - limits::TOKEN_LEEWAY_SECONDS + 2)),
            with("nbf", json!(now() - 1)),
            with("aud", json!(["tiltyard:player", "other"])),
            with("scope", json!("play unheard:of")),
            without("scope"),
            with("sid", json!(Uuid::now_v7())),
        ] {
            assert!(key().verify(&raw(HEAD, &claims.to_string())).is_some(), "{claims}");
        }
        let often = raw(HEAD, &with("scope", json!("play ".repeat(1_000))).to_string());
        assert_eq!(key().verify(&often).unwrap().scopes, [Scope::Play], "once, however often it is named");
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
            with("sid", json!("00000000000000000000000000000000")),
            with("sid", json!("")),
            with("sid", json!(7)),
            with("sid", json!(null)),
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
            r#"{"alg":"HS256","kid":""}"#,
            r#"{"alg":"HS256","kid":"the-secret-has-no-id"}"#,
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
