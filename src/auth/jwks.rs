//! A JWKS (RFC 7517) to keys that check tokens. What a key may be used for is read here, once: its kind says its one
//! algorithm, and a key that says otherwise, or that is too weak, is left out.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use thiserror::Error;

use super::token::is_kid;
use crate::limits;

/// The keys of one JWKS.
#[derive(Debug, Default)]
pub struct KeySet {
    /// Which set of its ring it is, counted from none on.
    pub(super) generation: u64,
    pub(super) keys: Vec<Key>,
    /// The numbers of the keys that were left out, from 0, and why.
    pub(super) left_out: Vec<(usize, Unfit)>,
    /// Of the text, so that the same one is known again.
    pub(super) hash: [u8; 32],
}

/// A key and the one algorithm it is used with.
#[derive(Debug)]
pub(super) struct Key {
    pub kid: Option<String>,
    pub algorithm: Algorithm,
    pub checking: DecodingKey,
}

/// Where a JWKS comes from: what comes over a network holds no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    File,
    Url,
}

/// Why a JWKS is refused as a whole.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum JwksError {
    #[error("more than {} bytes", limits::JWKS_BYTES)]
    TooLong,
    #[error("no JWKS: {0}")]
    Malformed(String),
    #[error("more than {} keys", limits::JWKS_KEYS)]
    TooMany,
    #[error("two keys have the kid {0:?}")]
    SameKid(String),
}

/// Why a key is left out.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum Unfit {
    #[error("its kid is empty, too long or not in the letters of base64")]
    Kid,
    #[error("its use or key_ops is not to check signatures")]
    Use,
    #[error("it holds the private key, which anybody who reads it could sign with")]
    Private,
    #[error("it is a shared secret, which only a file may hold")]
    SecretFromUrl,
    #[error("its secret has less than {SECRET_BYTES_MIN} bytes")]
    WeakSecret,
    #[error("its modulus has not 2048 to 8192 bits, or it is no RSA key")]
    Rsa,
    #[error("it is no point of its curve")]
    Point,
    #[error("only EdDSA with Ed25519, ES256, RS256 and, in a file, HS256 are known")]
    Algorithm,
}

/// Bytes of an HS256 secret at least, the width of the hash: RFC 7518, 3.2.
const SECRET_BYTES_MIN: usize = 32;

/// Bytes of a coordinate of P-256, and of a point of Ed25519.
const COORDINATE_BYTES: usize = 32;

#[derive(Debug, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

/// The members that matter here; others are for others.
#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    k: Option<String>,
    #[serde(default)]
    d: Option<String>,
}

impl KeySet {
    /// Reads a JWKS.
    pub fn parse(text: &[u8], origin: Origin) -> Result<Self, JwksError> {
        if text.len() > limits::JWKS_BYTES {
            return Err(JwksError::TooLong);
        }
        let document: Document =
            serde_json::from_slice(text).map_err(|error| JwksError::Malformed(error.to_string()))?;
        if document.keys.len() > limits::JWKS_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut kids: Vec<&str> = document.keys.iter().filter_map(|key| key.kid.as_deref()).collect();
        kids.sort_unstable();
        if let Some(same) = kids.windows(2).find(|pair| pair[0] == pair[1]) {
            // A set that does not say which of the two is meant is a mistake of its maker.
            return Err(JwksError::SameKid(same[0].to_owned()));
        }
        let mut set = Self::default();
        set.hash.copy_from_slice(digest::digest(&digest::SHA256, text).as_ref());
        for (number, jwk) in document.keys.into_iter().enumerate() {
            match jwk.key(origin) {
                Ok(key) => set.keys.push(key),
                Err(unfit) => set.left_out.push((number, unfit)),
            }
        }
        Ok(set)
    }

    /// The key of this id.
    pub(super) fn named(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid.as_deref() == Some(kid))
    }

    /// The key for this algorithm, if there is exactly one.
    pub(super) fn only(&self, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

impl Jwk {
    fn key(self, origin: Origin) -> Result<Key, Unfit> {
        if self.kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
            return Err(Unfit::Kid);
        }
        let checks = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") || !checks {
            return Err(Unfit::Use);
        }
        if self.d.is_some() {
            return Err(Unfit::Private);
        }
        let (algorithm, checking) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, self.ed25519()?),
            ("EC", Some("P-256")) => (Algorithm::ES256, self.p256()?),
            ("RSA", _) => (Algorithm::RS256, self.rsa()?),
            ("oct", _) if origin == Origin::Url => return Err(Unfit::SecretFromUrl),
            ("oct", _) => (Algorithm::HS256, self.secret()?),
            _ => return Err(Unfit::Algorithm),
        };
        let says = |alg: &str| alg == format!("{algorithm:?}") || (alg == "Ed25519" && algorithm == Algorithm::EdDSA);
        if self.alg.as_deref().is_some_and(|alg| !says(alg)) {
            return Err(Unfit::Algorithm);
        }
        Ok(Key { kid: self.kid, algorithm, checking })
    }

    fn ed25519(&self) -> Result<DecodingKey, Unfit> {
        let point = coordinate(self.x.as_deref())?;
        ParsedPublicKey::new(&ED25519, &point).map_err(|_| Unfit::Point)?;
        Ok(DecodingKey::from_ed_der(&point))
    }

    fn p256(&self) -> Result<DecodingKey, Unfit> {
        // Uncompressed: SEC 1, 2.3.3.
        let (x, y) = (coordinate(self.x.as_deref())?, coordinate(self.y.as_deref())?);
        let point = [&[4], &x[..], &y[..]].concat();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| Unfit::Point)?;
        Ok(DecodingKey::from_ec_der(&point))
    }

    fn rsa(&self) -> Result<DecodingKey, Unfit> {
        let number = |text: Option<&str>| decode(text).filter(|bytes| bytes.first().is_some_and(|first| *first != 0));
        let (n, e) = number(self.n.as_deref()).zip(number(self.e.as_deref())).ok_or(Unfit::Rsa)?;
        let bits = n.len() * 8 - n[0].leading_zeros() as usize;
        let exponent = e.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // With 1 as the exponent everybody can sign.
        let usual = e.len() <= 5 && exponent >= 3 && exponent % 2 == 1;
        let parts = RsaPublicKeyComponents { n: &n, e: &e };
        let parsed = parts.to_parsed_public_key(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256);
        if !(2048..=8192).contains(&bits) || !usual || parsed.is_err() {
            return Err(Unfit::Rsa);
        }
        Ok(DecodingKey::from_rsa_raw_components(&n, &e))
    }

    fn secret(&self) -> Result<DecodingKey, Unfit> {
        let secret = decode(self.k.as_deref()).filter(|secret| secret.len() >= SECRET_BYTES_MIN);
        secret.map(|secret| DecodingKey::from_secret(&secret)).ok_or(Unfit::WeakSecret)
    }
}

fn coordinate(text: Option<&str>) -> Result<Vec<u8>, Unfit> {
    decode(text).filter(|bytes| bytes.len() == COORDINATE_BYTES).ok_or(Unfit::Point)
}

fn decode(text: Option<&str>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{JwksError, KeySet, Origin, Unfit, limits};
    use crate::auth::signer::{Signer, jwks};

    fn parse(keys: &Value) -> Result<KeySet, JwksError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), Origin::File)
    }

    /// What becomes of one key after a change.
    fn unfit(signer: &Signer, change: impl FnOnce(&mut Value)) -> Option<Unfit> {
        let mut jwk = signer.jwk();
        change(&mut jwk);
        let set = parse(&json!([jwk])).unwrap();
        assert_eq!(set.keys.len() + set.left_out.len(), 1);
        set.left_out.first().map(|(_, unfit)| *unfit)
    }

    #[test]
    fn keys_are_taken_for_what_they_are() {
        let [ed, ec, rsa] = Signer::public();
        let secret = Signer::secret("s");
        for signer in [&ed, &ec, &rsa, &secret] {
            assert_eq!(unfit(signer, |_| ()), None, "{}", signer.alg());
            assert_eq!(unfit(signer, |jwk| drop(jwk.as_object_mut().unwrap().remove("alg"))), None);
            assert_eq!(unfit(signer, |jwk| jwk["key_ops"] = json!(["verify"])), None);
            assert_eq!(unfit(signer, |jwk| jwk["x5c"] = json!(["AAAA"])), None, "what is for others");
            assert_eq!(unfit(signer, |jwk| jwk["use"] = json!("enc")), Some(Unfit::Use));
            assert_eq!(unfit(signer, |jwk| jwk["key_ops"] = json!(["encrypt"])), Some(Unfit::Use));
            assert_eq!(unfit(signer, |jwk| jwk["alg"] = json!("PS256")), Some(Unfit::Algorithm));
            assert_eq!(unfit(signer, |jwk| jwk["alg"] = json!("none")), Some(Unfit::Algorithm));
            assert_eq!(unfit(signer, |jwk| jwk["kty"] = json!("AKP")), Some(Unfit::Algorithm));
            assert_eq!(unfit(signer, |jwk| jwk["kid"] = json!("../x")), Some(Unfit::Kid));
            assert_eq!(unfit(signer, |jwk| jwk["kid"] = json!("x".repeat(65))), Some(Unfit::Kid));
            assert_eq!(unfit(signer, |jwk| jwk["d"] = json!("AAAA")), Some(Unfit::Private));
        }
        assert_eq!(unfit(&ed, |jwk| jwk["alg"] = json!("Ed25519")), None);
        assert_eq!(unfit(&ed, |jwk| jwk["crv"] = json!("Ed448")), Some(Unfit::Algorithm));
        assert_eq!(unfit(&ec, |jwk| jwk["crv"] = json!("P-384")), Some(Unfit::Algorithm));
        assert_eq!(unfit(&ed, |jwk| jwk["x"] = json!("AAAA")), Some(Unfit::Point));
        assert_eq!(unfit(&ec, |jwk| jwk["y"] = jwk["x"].clone()), Some(Unfit::Point), "not on the curve");
        assert_eq!(unfit(&ec, |jwk| drop(jwk.as_object_mut().unwrap().remove("y"))), Some(Unfit::Point));
        assert_eq!(unfit(&secret, |jwk| jwk["k"] = json!("A".repeat(42))), Some(Unfit::WeakSecret));
        let (n, e) = (rsa.jwk()["n"].clone(), json!("AQAB"));
        let n = n.as_str().unwrap();
        for (n, e) in [
            (&n[..170], &e),
            (&"A".repeat(n.len())[..], &e),
            (&"_".repeat(8196 / 6)[..], &e),
            (n, &json!("")),
            (n, &json!("Ag")),
            (n, &json!("AQ")),
            (n, &json!("AQABAQAB")),
            (n, &json!("=")),
        ] {
            let changed = |jwk: &mut Value| (jwk["n"], jwk["e"]) = (json!(n), e.clone());
            assert_eq!(unfit(&rsa, changed), Some(Unfit::Rsa), "{} {e}", n.len());
        }
    }

    #[test]
    fn secrets_do_not_come_over_a_network() {
        let set = KeySet::parse(jwks(&[&Signer::secret("s")]).as_bytes(), Origin::Url).unwrap();
        assert!(set.keys.is_empty());
        assert_eq!(set.left_out, [(0, Unfit::SecretFromUrl)]);
    }

    #[test]
    fn a_set_that_is_wrong_as_a_whole_is_refused() {
        let (one, two) = (Signer::ed25519("same"), Signer::p256("same"));
        assert_eq!(parse(&json!([one.jwk(), two.jwk()])).unwrap_err(), JwksError::SameKid("same".to_owned()));
        let many: Vec<Value> = (0..=limits::JWKS_KEYS).map(|_| json!({"kty": "AKP"})).collect();
        assert!(parse(&json!(many[1..])).is_ok());
        assert_eq!(parse(&json!(many)).unwrap_err(), JwksError::TooMany);
        for bad in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"keys":[{}]}"#,
            r#"{"keys":[{"kty":"oct","kid":7}]}"#,
            r#"{"keys":[{"kty":"oct","kty":"RSA"}]}"#,
            r#"{"keys":[],"keys":[]}"#,
        ] {
            assert!(matches!(KeySet::parse(bad.as_bytes(), Origin::File), Err(JwksError::Malformed(_))), "{bad}");
        }
        let long = " ".repeat(limits::JWKS_BYTES) + r#"{"keys":[]}"#;
        assert_eq!(KeySet::parse(long.as_bytes(), Origin::File).unwrap_err(), JwksError::TooLong);
        assert!(parse(&json!([])).unwrap().keys.is_empty(), "no keys is a set, too");
    }
}
