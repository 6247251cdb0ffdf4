//! How a fight is asked for: ruleset, mode, difficulty, teams and the request's own numbers, one over the other.

use std::sync::Arc;

use tiltyard_combat::{Difficulty, RuleError, Rules, Ruleset};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::fields::{Fields, leave_out_nulls};
use crate::auth::Principal;
use crate::clock;
use crate::json::Members;
use crate::limits;
use crate::rules::{DEFAULT, Library};
use crate::session::parse_uuid;
use crate::shard::NewFight;
use tiltyard_combat::Mode;

/// Most teams a request can name.
const TEAMS: usize = 16;

/// `CreateCombatSessionRequest`, validated.
pub fn new_fight(mut body: Fields, caller: &Principal, library: &Library) -> Result<NewFight, ApiError> {
    let mode = body.text("mode", MODES, mode);
    let mode = body.need("mode", mode);
    let participants = body.uuids("participants", 1, limits::PARTICIPANTS);
    let participants = body.need("participants", participants);
    let given = body.object("settings");
    let settings = given.clone().and_then(|members| body.kept("settings", members));
    let mut read = Fields::inside("settings", given.unwrap_or_default());
    let asked = Asked { mode, participants, by_player: caller.player().is_some() };
    let (fight, lacks) = asked.set_up(&mut read, library);
    body.absorb(read);
    if let Some(lacks) = lacks {
        body.fault("mode", lacks);
    }
    check_own(&mut body, caller.player(), asked.participants.as_deref());
    body.finish()?;
    let fight = fight.ok_or(Reason::ValidationFailed)?;
    Ok(NewFight { creator: caller.owner(), settings: settings.map(Into::into).unwrap_or_default(), ..fight })
}

/// A fight asked for in the generic view: everything is in the settings. `None` where these have a fault.
pub fn from_settings(read: &mut Fields, own: Option<Uuid>, player: Uuid, library: &Library) -> Option<NewFight> {
    let given = read.has("mode");
    let mode = read.text("mode", MODES, mode).or((!given).then_some(Mode::Pvp));
    let participants =
        if read.has("participants") { read.uuids("participants", 1, limits::PARTICIPANTS) } else { Some(vec![player]) };
    let asked = Asked { mode, participants, by_player: own.is_some() };
    let (fight, lacks) = asked.set_up(read, library);
    if let Some(lacks) = lacks {
        read.fault("mode", lacks);
    }
    check_own(read, own, asked.participants.as_deref());
    fight
}

const MODES: &str = "pvp, pve, arena or tournament";

/// The mode of this name.
pub fn mode(name: &str) -> Option<Mode> {
    Mode::ALL.into_iter().find(|mode| mode.name() == name)
}

fn check_own(body: &mut Fields, own: Option<Uuid>, participants: Option<&[Uuid]>) {
    if let (Some(player), Some(all)) = (own, participants)
        && !all.contains(&player)
    {
        body.fault("participants", "must have the player who creates the session among them");
    }
}

/// What a request has beside its settings, as far as it is valid.
struct Asked {
    mode: Option<Mode>,
    participants: Option<Vec<Uuid>>,
    by_player: bool,
}

impl Asked {
    /// The fight that the settings make of it, and what is wrong with the mode under the ruleset that they name. `None` where
    /// anything is wrong that the caller is told of.
    fn set_up(&self, settings: &mut Fields, library: &Library) -> (Option<NewFight>, Option<String>) {
        let ruleset = ruleset(settings, library);
        let difficulty = difficulty(settings);
        let of_mode = self.mode.zip(ruleset.as_ref()).map(|(mode, ruleset)| ruleset.rules_of(mode, difficulty));
        let lacks = matches!(of_mode, Some(None)).then(|| lacks(ruleset.as_deref()));
        // Without rules to start from, the request's own are checked all the same.
        let before = of_mode.flatten().unwrap_or_default();
        let most = Some(before.actions_per_second).filter(|&most| self.by_player && most > 0);
        let mut rules = numbers(settings, before, most);
        let least = self.participants.as_ref().map_or(1, Vec::len);
        let seats = settings.whole("seats", least as u64, limits::PARTICIPANTS as u64);
        let seats = u8::try_from(seats.unwrap_or(least as u64)).expect("within range");
        let teams = match (&self.participants, self.mode) {
            (Some(participants), Some(mode)) => teams(settings, participants, mode),
            _ => Vec::new(),
        };
        let count = teams.iter().max().map_or(0, |&team| u32::from(team) + 1);
        rules.teams = rules.teams.max(count);
        let (Some(mode), Some(participants), Some(ruleset)) = (self.mode, self.participants.clone(), ruleset) else {
            return (None, lacks);
        };
        let (creator, settings, metadata) = (Uuid::nil(), String::new(), String::new());
        let id = clock::new_id();
        let fight = NewFight { id, mode, creator, participants, seats, ruleset, rules, teams, settings, metadata };
        (Some(fight), lacks)
    }
}

/// How hard the enemies are; as usual where nothing is said about it.
pub fn difficulty(settings: &mut Fields) -> Difficulty {
    let known = |name: &str| Difficulty::ALL.into_iter().find(|difficulty| difficulty.name() == name);
    settings.text("difficulty", "easy, normal, hard or expert", known).unwrap_or_default()
}

/// The ruleset that is named, or the default one; `None` where there is none of that name.
pub fn ruleset(settings: &mut Fields, library: &Library) -> Option<Arc<Ruleset>> {
    if !settings.has("ruleset") {
        return library.by_name(DEFAULT).cloned();
    }
    settings.text("ruleset", &format!("one of {}", library.names().join(", ")), |name| library.by_name(name).cloned())
}

fn lacks(ruleset: Option<&Ruleset>) -> String {
    let has = |mode: &&Mode| ruleset.is_some_and(|ruleset| ruleset.modes[mode.index()].is_some());
    let names: Vec<&str> = Mode::ALL.iter().filter(has).map(|mode| mode.name()).collect();
    format!("must be one of the ruleset's modes: {}", names.join(", "))
}

/// The team of every participant, in the order of their seats; none where the request names none, or wrong ones.
fn teams(settings: &mut Fields, participants: &[Uuid], mode: Mode) -> Vec<u8> {
    let Some(lists) = settings.array("teams") else { return Vec::new() };
    let mut teams = vec![None; participants.len()];
    if mode == Mode::Pve {
        settings.fault("teams", "must not be given in mode pve: all players are one team");
        return Vec::new();
    }
    if !(2..=TEAMS).contains(&lists.len()) {
        settings.fault("teams", format!("must have from 2 to {TEAMS} items"));
        return Vec::new();
    }
    for (number, list) in (0_u8..).zip(&lists) {
        let path = format!("teams[{number}]");
        let Some(members) = list.as_list().filter(|members| !members.is_empty()) else {
            settings.fault(&path, "must be an array of players, at least one");
            continue;
        };
        for (index, member) in members.iter().enumerate() {
            let player = member.as_str().and_then(parse_uuid);
            match player.and_then(|player| participants.iter().position(|other| *other == player)) {
                Some(seat) if teams[seat].is_none() => teams[seat] = Some(number),
                Some(_) => settings.fault(&format!("{path}[{index}]"), "is in a team already"),
                None => settings.fault(&format!("{path}[{index}]"), "must be one of the participants"),
            }
        }
    }
    if teams.iter().any(Option::is_none) {
        settings.fault("teams", "must have every participant in them");
    }
    teams.into_iter().flatten().collect()
}

/// The rules with the request's own numbers; `most` actions a second are all that a player may ask for.
fn numbers(settings: &mut Fields, mut rules: Rules, most: Option<u32>) -> Rules {
    if let Some(seconds) = settings.whole("max_duration", 60, 3600) {
        rules.max_duration_ms = u32::try_from(seconds).expect("within range") * 1000;
    }
    if let Some(mut named) = settings.object("rules") {
        leave_out_nulls(&mut named);
        apply(settings, &mut rules, &named, most);
    }
    rules
}

fn apply(fields: &mut Fields, rules: &mut Rules, named: &Members, most: Option<u32>) {
    for (name, value) in named {
        // Of the bounds of a setting those are told that hold for the caller.
        if let Some(most) = most.filter(|_| name == "actions_per_second")
            && !value.as_u64().is_some_and(|value| (1..=u64::from(most)).contains(&value))
        {
            let bound = format!("must be a whole number from 1 to {most}, which is the ruleset's own");
            fields.fault(&format!("rules.{name}"), bound);
            continue;
        }
        // As in a ruleset's file, what is 0 or 1 may be written as what it means.
        let flag = value.as_bool().filter(|_| Rules::is_flag(name)).map(u64::from);
        match rules.set(name, flag.or_else(|| value.as_u64())) {
            Ok(()) => {}
            Err(RuleError::Unknown(_)) => {
                fields.fault(&format!("rules.{name}"), "is no setting of the ruleset");
            }
            Err(RuleError::OutOfRange { .. }) if Rules::is_flag(name) => {
                fields.fault(&format!("rules.{name}"), "must be true or false, or 1 or 0");
            }
            Err(error) => {
                fields.fault(&format!("rules.{name}"), error.to_string());
            }
        }
    }
    if let Err(error) = rules.check() {
        fields.fault("rules", error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::new_fight;
    use crate::auth::{Principal, Role, Scope};
    use crate::rest::ApiError;
    use crate::rest::fields::Fields;
    use crate::rules::Library;
    use crate::shard::NewFight;
    use serde_json::{Value, json};
    use tiltyard_combat::Mode;
    use tiltyard_combat::Rules;
    use uuid::Uuid;

    const PLAYER: Uuid = Uuid::from_u128(1);

    fn parse(body: Value) -> Result<NewFight, ApiError> {
        let caller = Principal {
            role: Role::Player(PLAYER),
            scopes: vec![Scope::Play],
            guest: false,
            sid: None,
            expires_at: u64::MAX,
        };
        new_fight(Fields::of(body).unwrap(), &caller, &Library::built_in())
    }

    fn faults(body: Value) -> Vec<String> {
        let error = format!("{:?}", parse(body).unwrap_err());
        let mut fields: Vec<String> = error
            .split("\"field\": String(\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        fields.sort();
        fields
    }

    #[test]
    fn takes_what_the_contract_has() {
        let fight = parse(json!({
            "mode": "arena",
            "participants": [PLAYER, Uuid::from_u128(2)],
            "settings": {
                "max_duration": 60, "difficulty": "expert", "map": {"name": "dock", "note": null},
                "rules": {"health": 200, "attack_interval_ms": 0}
            }
        }))
        .unwrap();
        assert_eq!((fight.mode, fight.creator, fight.seats), (Mode::Arena, PLAYER, 2));
        assert_eq!((fight.rules.health, fight.rules.attack_interval_ms, fight.rules.max_duration_ms), (200, 0, 60_000));
        let kept: Value = serde_json::from_str(&fight.settings).unwrap();
        assert_eq!(kept["map"], json!({"name": "dock"}));
        assert_eq!(parse(json!({"mode": "pvp", "participants": [PLAYER]})).unwrap().settings, "");
    }

    #[test]
    fn a_fight_is_set_up_by_its_ruleset_mode_difficulty_and_request_in_this_order() {
        let of = |mode: &str, settings: Value| {
            parse(json!({"mode": mode, "participants": [PLAYER], "settings": settings})).unwrap()
        };
        let plain = of("pvp", json!({}));
        assert_eq!((plain.ruleset.name.as_str(), plain.rules.armor), ("default", 50));
        assert_eq!(of("pve", json!({})).rules.armor, 0, "as the mode says");
        assert_eq!(of("pve", json!({"rules": {"armor": 7}})).rules.armor, 7, "as the request says");
        assert_eq!(of("pve", json!({"difficulty": "hard"})).rules.damage_taken_percent, 125);
        let fast = of("arena", json!({"ruleset": "arena-fast"}));
        assert_eq!((fast.ruleset.name.as_str(), fast.rules.rounds), ("arena-fast", 3));
    }

    #[test]
    fn a_player_may_bound_actions_closer_than_the_ruleset_and_no_less() {
        let of = |role, rules: Value| {
            let body = json!({"mode": "pvp", "participants": [PLAYER], "settings": { "rules": rules }});
            let caller = Principal {
                role,
                scopes: vec![Scope::Play, Scope::SessionsWrite],
                guest: false,
                sid: None,
                expires_at: u64::MAX,
            };
            new_fight(Fields::of(body).unwrap(), &caller, &Library::built_in()).ok()
        };
        let most = Rules::default().actions_per_second;
        for (asked, allowed) in [(0, false), (1, true), (most, true), (most + 1, false), (1_000_000, false)] {
            let rules = json!({ "actions_per_second": asked });
            let by_player = of(Role::Player(PLAYER), rules.clone()).map(|fight| fight.rules.actions_per_second);
            assert_eq!(by_player, allowed.then_some(asked));
            let by_service = of(Role::Service("games".into()), rules).map(|fight| fight.rules.actions_per_second);
            assert_eq!(by_service, Some(asked), "who runs the games decides");
        }
        for bad in [json!(0), json!(-1), json!(most + 1), json!(2.5), json!("7"), json!(true)] {
            let settings = json!({"rules": {"actions_per_second": bad}});
            let body = json!({"mode": "pvp", "participants": [PLAYER], "settings": settings});
            assert_eq!(faults(body.clone()), ["settings.rules.actions_per_second"]);
            let error = format!("{:?}", parse(body).unwrap_err());
            assert!(error.contains(&format!("from 1 to {most}")), "the range is the caller's own: {error}");
        }
    }

    #[test]
    fn flags_may_be_written_as_what_they_mean() {
        for setting in Rules::SETTINGS.iter().filter(|setting| (setting.min, setting.max) == (0, 1)) {
            for (value, expected) in [(json!(true), 1), (json!(false), 0), (json!(1), 1), (json!(0), 0)] {
                let settings = json!({ "rules": { setting.name: value } });
                let fight = parse(json!({"mode": "pvp", "participants": [PLAYER], "settings": settings})).unwrap();
                let mut rules = fight.rules.clone();
                rules.set(setting.name, Some(expected)).unwrap();
                assert_eq!(fight.rules, rules, "{} as {value}", setting.name);
            }
        }
    }

    #[test]
    fn teams_are_those_of_the_seats() {
        let ids: Vec<Uuid> = (1..=4).map(Uuid::from_u128).collect();
        let of = |settings: Value| parse(json!({"mode": "pvp", "participants": ids, "settings": settings}));
        let fight = of(json!({"teams": [[ids[3], ids[1]], [ids[0], ids[2]]], "seats": 6})).unwrap();
        assert_eq!((fight.teams, fight.rules.teams, fight.seats), (vec![1, 0, 1, 0], 2, 6));
        for teams in [
            json!([[ids[0], ids[1]]]),
            json!([[ids[0], ids[1]], [ids[2], ids[3]], [ids[0]]]),
            json!([[ids[0], ids[1], ids[2], ids[3]], [Uuid::from_u128(9)]]),
            json!([[], ids]),
            json!("two"),
        ] {
            let error = format!("{:?}", of(json!({"teams": teams})).unwrap_err());
            assert!(error.contains("settings.teams"), "{teams}: {error}");
        }
    }

    #[test]
    fn names_every_fault() {
        assert_eq!(faults(json!({})), ["mode", "participants"]);
        assert_eq!(faults(json!({"mode": "custom", "participants": "all"})), ["mode", "participants"]);
        let good = json!([PLAYER]);
        assert_eq!(faults(json!({"mode": 7, "participants": []})), ["mode", "participants"]);
        assert_eq!(
            faults(json!({"mode": "pvp", "participants": [PLAYER, PLAYER, "bob", 3]})),
            ["participants[1]", "participants[2]", "participants[3]"]
        );
        let many: Vec<Uuid> = (1..=101).map(Uuid::from_u128).collect();
        assert_eq!(faults(json!({"mode": "pvp", "participants": many})), ["participants"]);
        assert_eq!(faults(json!({"mode": "pvp", "participants": [Uuid::from_u128(9)]})), ["participants"]);
        for (settings, field) in [
            (json!([]), "settings"),
            (json!(null), "settings"),
            (json!({"max_duration": 59}), "settings.max_duration"),
            (json!({"max_duration": 60.5}), "settings.max_duration"),
            (json!({"max_duration": "60"}), "settings.max_duration"),
            (json!({"difficulty": "insane"}), "settings.difficulty"),
            (json!({"rules": 1}), "settings.rules"),
            (json!({"ruleset": "none such"}), "settings.ruleset"),
            (json!({"ruleset": 1}), "settings.ruleset"),
            (json!({"seats": 0}), "settings.seats"),
            (json!({"seats": 101}), "settings.seats"),
            (json!({"rules": {"helth": 1}}), "settings.rules.helth"),
            (json!({"rules": {"health": 0}}), "settings.rules.health"),
            (json!({"rules": {"health": true}}), "settings.rules.health"),
            (json!({"rules": {"late_join": 2}}), "settings.rules.late_join"),
            (json!({"rules": {"late_join": "true"}}), "settings.rules.late_join"),
            (json!({"rules": {"late_join": [null]}}), "settings.rules.late_join"),
            (json!({"rules": {"health": -1}}), "settings.rules.health"),
            (json!({"rules": {"health": 1e30}}), "settings.rules.health"),
            (json!({"rules": {"attack_damage_min": 31}}), "settings.rules"),
        ] {
            assert_eq!(
                faults(json!({"mode": "pvp", "participants": good, "settings": settings})),
                [field],
                "{settings}"
            );
        }
        assert_eq!(faults(json!({"mode": "pvp", "participants": good, "session_id": PLAYER})), ["session_id"]);
        let no_pve = json!({"mode": "pve", "participants": good, "settings": {"ruleset": "arena-fast"}});
        assert_eq!(faults(no_pve), ["mode"], "a mode that the ruleset lacks");
    }
}
