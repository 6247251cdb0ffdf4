//! `CreateSessionRequest`, read and validated: what is created depends on its type.

use smallvec::SmallVec;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::fields::Fields;
use super::new_fight;
use crate::auth::{Operation, Principal, Scope};
use crate::limits;
use crate::records::{Body, Login, Member, NewRecord, Presence, Room};
use crate::rules::Library;
use crate::session::Kind;
use crate::shard::NewFight;

/// What is to be created.
#[derive(Debug)]
pub enum NewSession {
    Record(Box<NewRecord>),
    Fight(Box<NewFight>),
}

/// Milliseconds in a second.
const SECOND_MS: u64 = 1000;

/// Reads a request that comes at `now`, in Unix milliseconds. What is created will have the id `id`.
pub fn new_session(
    mut body: Fields,
    caller: &Principal,
    id: Uuid,
    now: u64,
    library: &Library,
) -> Result<NewSession, ApiError> {
    let kind = body.text("type", Kind::NAMES, Kind::named);
    let kind = body.need("type", kind);
    let player = body.uuid("player_id");
    let player = body.need("player_id", player);
    let metadata = body.document("metadata");
    let given = body.object("settings");
    let settings = given.clone().and_then(|members| body.kept("settings", members));
    let mut read = Fields::inside("settings", given.unwrap_or_default());
    let Some(kind) = kind else {
        // The faults of settings depend on the type.
        body.finish()?;
        return Err(Reason::ValidationFailed.into());
    };
    // Where it is a fault, what is made with this one is thrown away, and only other faults are found.
    let player = player.unwrap_or_default();
    let mut replace = false;
    let of_type = match kind {
        Kind::Combat => {
            let fight = new_fight::from_settings(&mut read, caller.player(), player, library);
            body.absorb(read);
            body.finish()?;
            let fight = fight.ok_or(Reason::ValidationFailed)?;
            allowed(caller, kind, player)?;
            let (metadata, settings) = (text(metadata), text(settings));
            return Ok(NewSession::Fight(Box::new(NewFight { id, creator: player, metadata, settings, ..fight })));
        }
        Kind::Player => {
            replace = read.boolean("replace").unwrap_or_default();
            Body::Player(presence(&mut read))
        }
        Kind::Auth => Body::Auth(Box::new(login(&mut read, now))),
        Kind::Custom => Body::Custom(Box::new(room(&mut read, player, now))),
    };
    body.absorb(read);
    body.finish()?;
    allowed(caller, kind, player)?;
    Ok(NewSession::Record(Box::new(NewRecord { id, player, body: of_type, metadata, settings, replace, key: None })))
}

/// The settings that a type reads when a session is created: they stay as they were then.
pub const fn fixed(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Combat => &["mode", "participants", "ruleset", "max_duration", "difficulty", "rules", "seats", "teams"],
        Kind::Player => &["replace", "heartbeat_seconds", "reconnect_seconds"],
        Kind::Auth => &["idle_seconds", "absolute_seconds", "scope"],
        Kind::Custom => &["ttl_seconds", "max_members", "members"],
    }
}

/// Logins are what a login service makes: a player who could would turn a short token into a long one. The others players make
/// for themselves.
fn allowed(caller: &Principal, kind: Kind, player: Uuid) -> Result<(), ApiError> {
    caller.may(if kind == Kind::Auth { Operation::CreateLogin } else { Operation::CreateSession })?;
    if caller.player().is_some_and(|own| own != player) {
        return Err(ApiError::new(Reason::Forbidden).message("A player creates sessions only for itself."));
    }
    Ok(())
}

fn presence(read: &mut Fields) -> Presence {
    let ms = |seconds: u64| u32::try_from(seconds * SECOND_MS).expect("within range");
    Presence {
        heartbeat_ms: ms(read.whole("heartbeat_seconds", 5, 300).unwrap_or(30)),
        reconnect_ms: ms(read.whole("reconnect_seconds", 5, 3600).unwrap_or(60)),
    }
}

fn login(read: &mut Fields, now: u64) -> Login {
    let idle = read.whole("idle_seconds", 60, 30 * 86_400).unwrap_or(30 * 60);
    let absolute = read.whole("absolute_seconds", 60, 365 * 86_400).unwrap_or(30 * 86_400);
    let is_player_scope = |name: &str| matches!(name.parse(), Ok(Scope::Play | Scope::PlayArena));
    let scope = |text: &str| text.split(' ').all(is_player_scope).then(|| text.into());
    let scope = read.text("scope", "scopes of a player, play or play:arena, separated by blanks", scope);
    Login {
        idle_ms: idle * SECOND_MS,
        absolute_at: now + absolute * SECOND_MS,
        scope: scope.unwrap_or_else(|| Scope::Play.name().into()),
        generation: 0,
        seen_at: now,
    }
}

fn room(read: &mut Fields, owner: Uuid, now: u64) -> Room {
    let ttl = read.whole("ttl_seconds", 60, 30 * 86_400).unwrap_or(86_400);
    let max_members = read.whole("max_members", 1, limits::MEMBERS as u64).unwrap_or(100);
    let mut players = read.uuids("members", 0, limits::MEMBERS).unwrap_or_default();
    if !players.contains(&owner) {
        players.insert(0, owner);
    }
    if players.len() as u64 > max_members {
        read.fault("members", format!("must have at most {max_members} members, the owner among them"));
    }
    let members: SmallVec<[Member; 2]> = players.into_iter().map(|player| Member { player, joined_at: now }).collect();
    let max_members = u32::try_from(max_members).expect("within range");
    Room { ttl_ms: ttl * SECOND_MS, max_members, members, state: "{}".into() }
}

fn text(document: Option<Box<str>>) -> String {
    document.map(Into::into).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{NewSession, new_session};
    use crate::auth::{Principal, Role, Scope};
    use crate::records::Body;
    use crate::rest::ApiError;
    use crate::rest::fields::Fields;
    use crate::rules::Library;
    use serde_json::{Value, json};
    use tiltyard_protocol::Reason;
    use uuid::Uuid;

    const PLAYER: Uuid = Uuid::from_u128(1);

    fn read(role: Role, body: Value) -> Result<NewSession, ApiError> {
        let scopes = vec![Scope::Play, Scope::SessionsWrite];
        let caller = Principal { role, scopes, guest: false, sid: None, expires_at: u64::MAX };
        new_session(Fields::of(body).unwrap(), &caller, Uuid::now_v7(), 1_000, &Library::built_in())
    }

    fn player(body: Value) -> Result<NewSession, ApiError> {
        read(Role::Player(PLAYER), body)
    }

    fn service(body: Value) -> Result<NewSession, ApiError> {
        read(Role::Service("login".into()), body)
    }

    fn body(created: Result<NewSession, ApiError>) -> Body {
        match created.unwrap() {
            NewSession::Record(record) => record.body,
            NewSession::Fight(fight) => panic!("{fight:?}"),
        }
    }

    #[test]
    fn types_have_their_settings() {
        let Body::Player(presence) = body(player(json!({"type": "player", "player_id": PLAYER}))) else { panic!() };
        assert_eq!((presence.heartbeat_ms, presence.reconnect_ms), (30_000, 60_000));
        let settings = json!({"members": [Uuid::from_u128(2)], "max_members": 2, "theme": "dark"});
        let created = body(player(json!({"type": "custom", "player_id": PLAYER, "settings": settings})));
        let Body::Custom(room) = created else { panic!() };
        assert_eq!(room.members.iter().map(|m| m.player).collect::<Vec<_>>(), [PLAYER, Uuid::from_u128(2)]);
        let settings = json!({"absolute_seconds": 60, "scope": "play play:arena"});
        let created = body(service(json!({"type": "auth", "player_id": PLAYER, "settings": settings})));
        let Body::Auth(login) = created else { panic!() };
        assert_eq!((login.absolute_at, &*login.scope), (61_000, "play play:arena"));
        let created = player(json!({"type": "combat", "player_id": PLAYER, "metadata": {"a": null}})).unwrap();
        let NewSession::Fight(fight) = created else { panic!() };
        assert_eq!(
            (fight.creator, fight.participants.as_slice(), fight.metadata.as_str()),
            (PLAYER, &[PLAYER][..], "{}")
        );
    }

    #[test]
    fn who_may_create_what() {
        let reason = |created: Result<NewSession, ApiError>| created.err().map(|error| error.reason());
        let of = |kind: &str| json!({"type": kind, "player_id": PLAYER});
        for kind in ["combat", "player", "custom"] {
            assert_eq!(reason(player(of(kind))), None, "{kind}");
            assert_eq!(
                reason(read(Role::Player(Uuid::from_u128(2)), of(kind))),
                Some(match kind {
                    "combat" => Reason::ValidationFailed,
                    _ => Reason::Forbidden,
                })
            );
            assert_eq!(reason(service(of(kind))), None, "{kind}");
        }
        assert_eq!(reason(player(of("auth"))), Some(Reason::Forbidden));
        assert_eq!(reason(service(of("auth"))), None);
    }

    #[test]
    fn faults_are_named() {
        for (kind, settings, field) in [
            ("player", json!({"heartbeat_seconds": 4}), "settings.heartbeat_seconds"),
            ("player", json!({"replace": "yes"}), "settings.replace"),
            ("auth", json!({"scope": "sessions:write"}), "settings.scope"),
            ("auth", json!({"idle_seconds": 0}), "settings.idle_seconds"),
            ("custom", json!({"ttl_seconds": 1.5}), "settings.ttl_seconds"),
            ("custom", json!({"max_members": 1, "members": [Uuid::from_u128(2)]}), "settings.members"),
            ("custom", json!({"members": ["bob"]}), "settings.members[0]"),
            ("combat", json!({"mode": "custom"}), "settings.mode"),
            ("combat", json!({"rules": {"helth": 1}}), "settings.rules.helth"),
            ("custom", json!({"x": "y".repeat(9_000)}), "settings"),
        ] {
            let error = service(json!({"type": kind, "player_id": PLAYER, "settings": settings})).unwrap_err();
            assert!(format!("{error:?}").contains(&format!("String(\"{field}\")")), "{kind} {field}: {error:?}");
        }
        let error = format!("{:?}", service(json!({"type": "x", "metadata": 1})).unwrap_err());
        assert!(["\"type\"", "\"player_id\"", "\"metadata\""].iter().all(|field| error.contains(field)), "{error}");
    }
}
