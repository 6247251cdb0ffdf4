//! Bearer tokens: JWTs of one of three audiences, held to one key with its one algorithm. Whatever is wrong with one, its bearer gets
//! the same answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::dialect::{self, Dialect, Others};
use super::flaw::Flaw;
use super::{Principal, Role, Scope, TokenKey};
use crate::limits;
use crate::session::parse_uuid;

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
    /// How those write their tokens; `None` for the node's own secret.
    pub dialect: Option<&'a Dialect>,
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
    iss: String,
    aud: OneOrMany,
    sub: String,
    /// Seconds since the epoch, which RFC 7519 lets have a fraction.
    exp: f64,
    #[expect(dead_code)]
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    guest: bool,
    #[serde(default, deserialize_with = "given")]
    sid: Option<String>,
    #[serde(flatten)]
    others: Others,
}

/// `aud` is a string or a list of strings.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// The fields a token's head may have; `x5t` and its like name the key a second time, and nobody asks them. Everything else - `jwk`, `jku`, `x5u`, `crit` and what is yet to be invented - would
/// ask for something this server does not do, so it is refused rather than ignored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFields {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[expect(dead_code)]
    #[serde(default)]
    x5t: Option<String>,
    #[expect(dead_code)]
    #[serde(default, rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 3] = [Self::Player, Self::Service, Self::Admin];

    /// Its name in `aud`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Player => "tiltyard:player",
            Self::Service => "tiltyard:service",
            Self::Admin => "tiltyard:admin",
        }
    }

    /// What its tokens' bearers are called.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Service => "service",
            Self::Admin => "admin",
        }
    }
}

impl Grantee {
    /// Scopes that let nobody of its role do anything.
    pub fn idle_scopes(&self) -> impl Iterator<Item = Scope> {
        self.scopes.iter().copied().filter(|scope| !scope.helps(self.audience))
    }
}

impl TokenKey {
    /// Signs a token, unlike any other; also says when it expires.
    pub fn mint(&self, grantee: &Grantee, ttl: Duration) -> (String, SystemTime) {
        let ttl = ttl.min(Duration::from_secs(limits::TOKEN_SECONDS - 1));
        let (seconds, expires_at) = expiry(ttl);
        let scopes: Vec<&str> = grantee.scopes.iter().map(|scope| scope.name()).collect();
        let mut claims = serde_json::json!({
            "iss": ISSUER, "aud": grantee.audience.name(), "sub": grantee.subject, "exp": seconds,
            "scope": scopes.join(" "), "guest": grantee.guest, "jti": Uuid::new_v4(),
        });
        if let Some(sid) = grantee.sid {
            claims["sid"] = serde_json::json!(sid);
        }
        (self.sign(&claims), expires_at)
    }

    /// Who the token's bearer is, if the token is good and of this key.
    pub fn verify(&self, token: &str) -> Option<Principal> {
        Head::is_own(token).then(|| Verified::of(token, self.held()).ok())?.map(|verified| verified.principal)
    }

    /// Signs any claims.
    pub(super) fn sign(&self, claims: &impl Serialize) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
            .expect("claims of this module always encode, and HMAC takes any key")
    }

    /// The claims of a token of this key for one of these audiences, if its length, head, signature and times are good.
    pub(super) fn check<T: DeserializeOwned>(&self, token: &str, audiences: &[&str]) -> Option<T> {
        Head::is_own(token).then(|| self.held().check(token, audiences).ok())?
    }

    /// What tokens of this key are held to.
    pub(super) fn held(&self) -> Held<'_> {
        Held {
            key: &self.checking,
            algorithm: Algorithm::HS256,
            issuers: std::slice::from_ref(&self.issuer),
            dialect: None,
        }
    }
}

impl Held<'_> {
    /// The claims of a token for one of these audiences, if its signature, issuer and times are good. Its head has been
    /// read: see [`Head::of`].
    fn check<T: DeserializeOwned>(&self, token: &str, audiences: &[&str]) -> Result<T, Flaw> {
        let mut validation = Validation::new(self.algorithm);
        validation.leeway = limits::TOKEN_LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        validation.set_issuer(self.issuers);
        validation.set_audience(audiences);
        Ok(jsonwebtoken::decode(token, self.key, &validation)?.claims)
    }

    /// The one role these names of audiences stand for. Two roles in one token are refused: which one is meant cannot be known.
    fn role(&self, names: &[String]) -> Option<Audience> {
        let means = |name: &str, role: Audience| {
            name == role.name() || self.dialect.is_some_and(|dialect| dialect.means(name, role))
        };
        let mut roles = Audience::ALL.into_iter().filter(|&role| names.iter().any(|name| means(name, role)));
        let role = roles.next()?;
        roles.next().is_none().then_some(role)
    }

    /// The player whom a token names.
    fn player(&self, claims: &Claims) -> Option<Uuid> {
        let Some(dialect) = self.dialect else { return parse_uuid(&claims.sub) };
        let subject = match dialect.player_claim.as_str() {
            Dialect::PLAYER_CLAIM => &claims.sub,
            path => claims.others.find(path)?.as_str()?,
        };
        dialect::player(&claims.iss, subject)
    }

    /// The scopes that a token names: in the order of their list, each once, however often it does.
    fn scopes(&self, claims: &Claims) -> Result<Vec<Scope>, Flaw> {
        let mut named = Vec::new();
        let own = [Dialect::SCOPE_CLAIMS[0].to_owned()];
        for path in self.dialect.map_or(&own[..], |dialect| &dialect.scope_claims) {
            let not_words = || Flaw::Claim(format!("`{path}` is neither a text nor a list of texts"));
            named.extend(claims.others.words(path).ok_or_else(not_words)?);
        }
        Ok(Scope::ALL.into_iter().filter(|scope| named.contains(&scope.name())).collect())
    }
}

impl Verified {
    /// What a bearer token says, if it is good.
    pub(super) fn of(token: &str, held: Held<'_>) -> Result<Self, Flaw> {
        let others = held.dialect.map_or(&[][..], |dialect| &dialect.audiences);
        let mut audiences = Audience::ALL.map(Audience::name).to_vec();
        audiences.extend(others.iter().map(|meant| meant.name.as_str()));
        let claims: Claims = held.check(token, &audiences)?;
        let latest = SystemTime::now() + Duration::from_secs(limits::TOKEN_SECONDS);
        if claims.exp > since_epoch(latest).as_secs_f64() {
            return Err(Flaw::Claim("`exp` is too far away".to_owned()));
        }
        let bad = |name: &str| Flaw::Claim(format!("`{name}` is missing, or no name"));
        let names = match &claims.aud {
            OneOrMany::One(name) => std::slice::from_ref(name),
            OneOrMany::Many(names) => names,
        };
        let role = match held.role(names).ok_or(Flaw::Audience)? {
            Audience::Player => {
                let claim = held.dialect.map_or(Dialect::PLAYER_CLAIM, |dialect| &dialect.player_claim);
                Role::Player(held.player(&claims).ok_or_else(|| bad(claim))?)
            }
            Audience::Service => Role::Service(name(&claims.sub).ok_or_else(|| bad("sub"))?),
            Audience::Admin => Role::Admin(name(&claims.sub).ok_or_else(|| bad("sub"))?),
        };
        let sid = match &claims.sid {
            Some(sid) => Some(parse_uuid(sid).ok_or_else(|| bad("sid"))?),
            None => None,
        };
        let scopes = held.scopes(&claims)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // Checked to be between now and ten years on.
        let (until, expires_at) = (claims.exp as u64 + limits::TOKEN_LEEWAY_SECONDS, (claims.exp * 1_000.0) as u64);
        Ok(Self { principal: Principal { role, scopes, guest: claims.guest, sid, expires_at }, until })
    }
}

impl Head {
    /// A token's head, if the token is not too long and its head asks for nothing but a key and its algorithm.
    pub(super) fn of(token: &str) -> Result<Self, Flaw> {
        if token.len() > limits::TOKEN_BYTES {
            return Err(Flaw::Malformed);
        }
        let bytes = token.split('.').next().and_then(|head| URL_SAFE_NO_PAD.decode(head).ok());
        let fields = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let HeadFields { alg, typ, kid, .. } = fields.ok_or(Flaw::Malformed)?;
        let is_typ = |typ: &str| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt");
        if !typ.as_deref().is_none_or(is_typ) {
            return Err(Flaw::Malformed);
        }
        let algorithm = match alg.as_str() {
            "HS256" => Algorithm::HS256,
            "EdDSA" => Algorithm::EdDSA,
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            _ => return Err(Flaw::Algorithm),
        };
        if kid.as_deref().is_none_or(is_kid) { Ok(Self { algorithm, kid }) } else { Err(Flaw::KeyUnknown) }
    }

    /// Whether a token's head is one the node's own secret may have signed, which has no id.
    fn is_own(token: &str) -> bool {
        Self::of(token).is_ok_and(|head| head.algorithm == Algorithm::HS256 && head.kid.is_none())
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
fn name(sub: &str) -> Option<String> {
    ((1..=128).contains(&sub.len()) && sub.bytes().all(|b| b.is_ascii_graphic())).then(|| sub.to_owned())
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
        let ends = |time| u64::try_from(since_epoch(time).as_millis()).unwrap();
        let role = Role::Player(player);
        let principal = Principal { role, scopes, guest: true, sid: None, expires_at: ends(expires_at) };
        assert_eq!(key().verify(&token), Some(principal.clone()));
        let sid = Some(Uuid::now_v7());
        let (token, expires_at) = key().mint(&Grantee { sid, ..grantee.clone() }, Duration::from_mins(1));
        assert_eq!(key().verify(&token), Some(Principal { sid, expires_at: ends(expires_at), ..principal }));
        assert!((now()..=now() + 60).contains(&since_epoch(expires_at).as_secs()));
        assert_eq!(TokenKey::from_secret(&[7; 32]).verify(&token), None, "another node's key");
        let mints = || key().mint(&grantee, Duration::from_mins(1)).0;
        assert_ne!(mints(), mints(), "in the same second, too");
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
            with("scope", json!(["play", "unheard:of"])),
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
            with("scope", json!(["play", 7])),
            with("scope", json!(7)),
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
