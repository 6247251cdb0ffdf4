//! How other issuers' tokens say what ours say: whom they are for, what they may be used for, and who the player is.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::{Builder, Uuid};

use super::token::Audience;
use crate::limits;
use crate::session::parse_uuid;

/// What the configuration says about tokens of others.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// `iss` of the tokens that external keys may have signed.
    pub issuers: Vec<String>,
    /// Audiences that stand for one of ours.
    pub audiences: Vec<Meant>,
    /// Claims that name scopes; whatever any of them names counts.
    pub scope_claims: Vec<String>,
    /// The claim that says who the player is.
    pub player_claim: String,
}

/// An audience of others, and which of ours it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Meant {
    pub name: String,
    pub audience: Audience,
}

/// The claims that are looked up by name; one given twice is refused.
#[derive(Debug, Default)]
pub(super) struct Others(Map<String, Value>);

impl Dialect {
    /// That of our own tokens, with these issuers.
    pub fn of(issuers: Vec<String>) -> Self {
        let scope_claims = Self::SCOPE_CLAIMS.map(str::to_owned).to_vec();
        Self { issuers, audiences: Vec::new(), scope_claims, player_claim: Self::PLAYER_CLAIM.to_owned() }
    }

    /// Where scopes are where nothing else is said.
    pub const SCOPE_CLAIMS: [&str; 2] = ["scope", "scp"];

    /// Where the player is where nothing else is said.
    pub const PLAYER_CLAIM: &str = "sub";

    /// Whether an audience's name stands for this one of ours.
    pub(super) fn means(&self, name: &str, audience: Audience) -> bool {
        self.audiences.iter().any(|meant| meant.audience == audience && meant.name == name)
    }
}

/// `NAME` for players, or `NAME=player`, `NAME=service`, `NAME=admin`.
impl FromStr for Meant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = |name| Audience::ALL.into_iter().find(|audience: &Audience| audience.role() == name);
        let (name, audience) = match text.rsplit_once('=').map(|(name, end)| (name, role(end))) {
            Some((name, Some(audience))) => (name, audience),
            _ => (text, Audience::Player),
        };
        let fits = (1..=256).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(format!("{name:?} is not 1 to 256 visible ASCII characters"));
        }
        if name.starts_with("tiltyard:") {
            return Err(format!("{name:?} is this server's own: its audiences are taken without being named"));
        }
        Ok(Self { name: name.to_owned(), audience })
    }
}

impl TryFrom<String> for Meant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.audience.role())
    }
}

impl Others {
    /// The claim of that name; where there is none, `a.b` is `b` in the object `a`.
    pub fn find(&self, path: &str) -> Option<&Value> {
        find(&self.0, path)
    }

    /// The words of a claim: a text with spaces between them, or a list of texts. `None` where it is neither.
    pub fn words(&self, path: &str) -> Option<Vec<&str>> {
        match self.find(path) {
            None => Some(Vec::new()),
            Some(Value::String(text)) => Some(text.split(' ').collect()),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            Some(_) => None,
        }
    }
}

fn find<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let nested = |at: usize| find(map.get(&path[..at])?.as_object()?, &path[at + 1..]);
    map.get(path).or_else(|| path.match_indices('.').find_map(|(at, _)| nested(at)))
}

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Others;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Others, A::Error> {
                let mut others = Map::new();
                while let Some((name, value)) = claims.next_entry::<String, Value>()? {
                    if others.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    others.insert(name, value);
                }
                Ok(Others(others))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

/// The player whom `issuer` calls `subject`: a uuid as it is; anything else has one of version 5, in the name space that the issuer has
/// among URLs, so that whoever knows both can work it out. `None` where it is no name at all.
pub(super) fn player(issuer: &str, subject: &str) -> Option<Uuid> {
    if let Some(id) = parse_uuid(subject) {
        return Some(id);
    }
    let fits = (1..=limits::SUBJECT_BYTES).contains(&subject.len()) && !subject.chars().any(char::is_control);
    fits.then(|| version_5(version_5(Uuid::NAMESPACE_URL, issuer), subject))
}

/// RFC 9562, 5.5.
fn version_5(space: Uuid, name: &str) -> Uuid {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(space.as_bytes());
    context.update(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::{Audience, Meant, Others, player};
    use crate::limits;
    use uuid::Uuid;

    #[test]
    fn audiences_stand_for_players_unless_they_say_otherwise() {
        let meant = |text: &str| text.parse::<Meant>().map(|meant| (meant.name, meant.audience));
        assert_eq!(meant("https://game.example"), Ok(("https://game.example".to_owned(), Audience::Player)));
        assert_eq!(meant("https://game.example/?a=b"), Ok(("https://game.example/?a=b".to_owned(), Audience::Player)));
        assert_eq!(meant("api://ops=admin"), Ok(("api://ops".to_owned(), Audience::Admin)));
        assert_eq!(meant("a=service"), Ok(("a".to_owned(), Audience::Service)));
        assert_eq!("a=service".parse::<Meant>().unwrap().to_string(), "a=service");
        for bad in ["", "=player", "a b", "tiltyard:admin", "tiltyard:ticket=player", &"a".repeat(257)] {
            assert!(meant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn claims_are_found_by_their_name_and_by_their_path() {
        let text = r#"{"scope":"play  other","roles":["play","sessions:read"],"realm_access":{"roles":["play"]},
            "https://game.example/roles":["play"],"resource_access":{"my.game":{"roles":["play"]}},"a":7,"b":["x",7],"c.d":"play"}"#;
        let others: Others = serde_json::from_str(text).unwrap();
        for path in ["realm_access.roles", "https://game.example/roles", "resource_access.my.game.roles", "c.d"] {
            assert_eq!(others.words(path), Some(vec!["play"]), "{path}");
        }
        assert_eq!(others.words("scope"), Some(vec!["play", "", "other"]));
        assert_eq!(others.words("roles").unwrap().len(), 2);
        for nothing in ["scp", "realm_access.none", "a.b", "roles.0", ".", ""] {
            assert_eq!(others.words(nothing), Some(vec![]), "{nothing}");
        }
        assert_eq!((others.words("a"), others.words("b"), others.words("realm_access")), (None, None, None));
        assert!(serde_json::from_str::<Others>(r#"{"roles":[],"roles":["play"]}"#).is_err(), "given twice");
    }

    #[test]
    fn any_subject_is_one_player_of_its_issuer() {
        // As Python's uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, issuer), subject) has it.
        let one = player("https://login.example/", "auth0|5f7c8ec7c33c6c004bbafe82").unwrap();
        assert_eq!(one.to_string(), "af1e687e-87a8-5f37-81c0-f9e57b54053d");
        assert_ne!(player("https://other.example/", "auth0|5f7c8ec7c33c6c004bbafe82"), Some(one));
        let id = Uuid::now_v7();
        assert_eq!(player("https://login.example/", &id.to_string()), Some(id));
        for none in ["", "a\nb", &"a".repeat(limits::SUBJECT_BYTES + 1)] {
            assert_eq!(player("https://login.example/", none), None, "{none}");
        }
    }
}
