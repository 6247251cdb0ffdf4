//! Other issuers' keys, made afresh in every run, and tokens signed with them: good ones and forged ones. Shared by the
//! library's tests, the tests over real sockets and the benchmarks.

// Not every user needs all of it, and one that cannot go on has failed.
#![allow(dead_code, clippy::unwrap_used)]

pub mod serve;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

/// The issuer of every good token here.
pub const ISSUER: &str = "https://login.example";

/// A key with its id.
pub struct Signer {
    pub kid: &'static str,
    pair: Pair,
}

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Secret([u8; 32]),
}

impl Signer {
    pub fn ed25519(kid: &'static str) -> Self {
        Self { kid, pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    pub fn p256(kid: &'static str) -> Self {
        Self { kid, pair: Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()) }
    }

    pub fn rsa(kid: &'static str) -> Self {
        Self { kid, pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    pub fn secret(kid: &'static str) -> Self {
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).unwrap();
        Self { kid, pair: Pair::Secret(secret) }
    }

    /// One of each kind with a public key.
    pub fn public() -> [Self; 3] {
        [Self::ed25519("ed"), Self::p256("ec"), Self::rsa("rsa")]
    }

    pub fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ed(_) => "EdDSA",
            Pair::Ec(_) => "ES256",
            Pair::Rsa(_) => "RS256",
            Pair::Secret(_) => "HS256",
        }
    }

    /// As a JWKS lists it.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                let bytes = |number: &[u8]| text(number);
                json!({"kty": "RSA", "n": bytes(n.big_endian_without_leading_zero()),
                    "e": bytes(e.big_endian_without_leading_zero())})
            }
            Pair::Secret(secret) => json!({"kty": "oct", "k": text(secret)}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg());
        jwk["use"] = json!("sig");
        jwk
    }

    /// Every form in which the public key may be mistaken for a secret.
    pub fn public_forms(&self) -> Vec<Vec<u8>> {
        let (raw, der): (Vec<u8>, PublicKeyX509Der) = match &self.pair {
            Pair::Ed(pair) => (pair.public_key().as_ref().to_vec(), pair.public_key().as_der().unwrap()),
            Pair::Ec(pair) => (pair.public_key().as_ref().to_vec(), pair.public_key().as_der().unwrap()),
            Pair::Rsa(pair) => (pair.public_key().as_ref().to_vec(), pair.public_key().as_der().unwrap()),
            Pair::Secret(_) => return Vec::new(),
        };
        let der = der.as_ref().to_vec();
        let jwk = self.jwk();
        let mut forms = vec![raw, der.clone(), jwk.to_string().into_bytes(), jwks(&[self]).into_bytes()];
        for name in ["x", "y", "n"] {
            if let Some(part) = jwk[name].as_str() {
                forms.push(part.as_bytes().to_vec());
                forms.push(URL_SAFE_NO_PAD.decode(part).unwrap());
            }
        }
        let base64 = STANDARD.encode(&der);
        let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
        forms.extend([format!("{pem}\n").into_bytes(), pem.into_bytes(), base64.into_bytes()]);
        forms
    }

    /// A token of exactly this head and these claims.
    pub fn raw(&self, head: &str, claims: &str) -> String {
        let signed = signed_part(head, claims);
        let bytes = signed.as_bytes();
        let signature = match &self.pair {
            Pair::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
                signature
            }
            Pair::Secret(secret) => return hs256(secret, head, claims),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token of these claims, with the key's id and algorithm in its head.
    pub fn sign(&self, claims: &Value) -> String {
        let head = json!({"alg": self.alg(), "typ": "JWT", "kid": self.kid});
        self.raw(&head.to_string(), &claims.to_string())
    }
}

/// A token signed with a secret.
pub fn hs256(secret: &[u8], head: &str, claims: &str) -> String {
    let signed = signed_part(head, claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signed_part(head: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims))
}

/// A JWKS of these keys.
pub fn jwks(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Good claims of a player.
pub fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "tiltyard:player", "sub": Uuid::now_v7(), "exp": now() + 600, "scope": "play"})
}

/// Tokens that must be refused, although whoever made them has the key or knows its public half. What each is, and the
/// token; whoever follows an address in one asks `canary`.
pub fn attacks(signer: &Signer, canary: &str) -> Vec<(String, String)> {
    let good_head = json!({"alg": signer.alg(), "typ": "JWT", "kid": signer.kid});
    let mut all = Vec::new();
    for (name, value) in bad_claims() {
        let mut claims = claims();
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        all.push((format!("claims {claims}"), signer.sign(&claims)));
    }
    for twice in [r#""aud":"tiltyard:admin""#, r#""exp":9999999999"#, r#""iss":"tiltyard""#, r#""scope":"play""#] {
        let claims = claims().to_string().replacen('{', &format!("{{{twice},"), 1);
        all.push((format!("twice {twice}"), signer.raw(&good_head.to_string(), &claims)));
    }
    for (name, value) in bad_head_fields(canary) {
        let mut head = good_head.clone();
        head[name] = value;
        all.push((format!("head {head}"), signer.raw(&head.to_string(), &claims().to_string())));
    }
    let twice = good_head.to_string().replacen('{', r#"{"alg":"none","#, 1);
    all.push(("alg twice".to_owned(), signer.raw(&twice, &claims().to_string())));
    for alg in ["none", "None", "NONE", "", "HS256", "HS384", "RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA"] {
        if alg == signer.alg() {
            continue;
        }
        for kid in [true, false] {
            let head = if kid { json!({"alg": alg, "kid": signer.kid}) } else { json!({"alg": alg}) }.to_string();
            let claims = claims().to_string();
            all.push((format!("alg {alg}, own signature"), signer.raw(&head, &claims)));
            all.push((format!("alg {alg}, none"), format!("{}.", signed_part(&head, &claims))));
        }
    }
    for form in signer.public_forms() {
        for head in [good_head.clone(), json!({"alg": "HS256", "kid": signer.kid}), json!({"alg": "HS256"})] {
            for iss in [ISSUER, "tiltyard"] {
                let mut claims = claims();
                claims["iss"] = json!(iss);
                let token = hs256(&form, &head.to_string(), &claims.to_string());
                all.push((format!("{} bytes of public key as the secret, head {head}", form.len()), token));
            }
        }
    }
    let good = signer.sign(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    all.push(("no signature".to_owned(), format!("{message}.")));
    all.push(("zeros as the signature".to_owned(), format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64]))));
    all.push(("another token's signature".to_owned(), {
        let other = signer.sign(&claims());
        format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
    }));
    all.push(("four parts".to_owned(), format!("{good}.{signature}")));
    all.push(("64 KiB".to_owned(), signer.sign(&json!({"pad": "x".repeat(48 * 1024), "iss": ISSUER}))));
    all.push(("64 KiB of nothing".to_owned(), "A".repeat(64 * 1024)));
    all
}

/// `None` leaves the claim out.
fn bad_claims() -> Vec<(&'static str, Option<Value>)> {
    let exp = |value: Value| ("exp", Some(value));
    vec![
        exp(json!(now() - 60)),
        exp(json!((now() + 60).to_string())),
        exp(json!(now() + 20 * 366 * 24 * 60 * 60)),
        exp(json!(u64::MAX)),
        exp(json!(1e300)),
        exp(json!(-1)),
        exp(json!(null)),
        exp(json!(true)),
        ("exp", None),
        ("nbf", Some(json!(now() + 60))),
        ("nbf", Some(json!("0"))),
        ("iss", Some(json!("tiltyard"))),
        ("iss", Some(json!("https://login.example.evil"))),
        ("iss", Some(json!([ISSUER, "someone"]))),
        ("iss", None),
        ("aud", Some(json!("tiltyard:ticket"))),
        ("aud", Some(json!("other"))),
        ("aud", Some(json!(["tiltyard:player", "tiltyard:admin"]))),
        ("aud", Some(json!([]))),
        ("aud", None),
        ("sub", Some(json!(""))),
        ("sub", Some(json!("bob\n"))),
        ("sub", Some(json!("b".repeat(300)))),
        ("sub", Some(json!(7))),
        ("scope", Some(json!(7))),
        ("scope", Some(json!(["play", 7]))),
        ("sub", None),
        ("sid", Some(json!("not-a-uuid"))),
        ("sid", Some(json!(null))),
    ]
}

fn bad_head_fields(canary: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("x' OR '1'='1")),
        ("kid", json!(format!("{canary}/key"))),
        ("kid", json!("unknown")),
        ("kid", json!("")),
        ("kid", json!(7)),
        ("jku", json!(format!("{canary}/jwks"))),
        ("x5u", json!(format!("{canary}/cert"))),
        ("x5c", json!(["AAAA"])),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
        ("jwk", Signer::ed25519("mine").jwk()),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("typ", json!("JWS")),
    ]
}
