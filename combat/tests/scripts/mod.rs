//! Fights as scripts, read line by line.
//!
//! ```text
//! rules health=50 armor=0           settings other than `EASY_RULES`
//! spot 1 2500 2000                  where team 1 begins
//! wall 2400 1900 size 20 200        or soft, or hard; `health 60` behind it if it can be destroyed
//! seats 4 taken 1                   a fight of four seats with p0 in the first; all are taken without `taken`
//! at 100 p0 attack p1 id 7 -> ok, p1 hp 75
//! at 5000 -> phase active           a tick
//! ```
//!
//! [`check_in`] runs one under a ruleset; there participants also `move to 100 200` (`facing 90`, `going 300 -400` behind it), `strike cover 0`, `use 1`, `use 1 on p2`,
//! `use 1 at 100 200`, and `item 1` likewise: by its number or its name.
//!
//! `at` is the host's time. After the arrow stands the answer, `ok` or the refusal in words; then, after commas, what
//! is true after it. A tick has no answer. `unchanged` means by the input: what its time brought about does not count.

use std::fmt::Debug;
use std::sync::Arc;

use crate::hosted::Hosted;
use crate::watched::Watched;
use tiltyard_combat::ruleset::{AbilityId, Cover, CoverKind, EffectId, Spot};
use tiltyard_combat::{
    Action, Answer, Arrival, Audience, BodyPart, Event, Input, Millis, Mode, Participant, Parting, PlayerId, Point,
    Refusal, Rules, Ruleset, Setup, Slot, Step, Target, Thing, Velocity,
};

/// Every hit takes 25 of 100 health, so four are enough.
const EASY_RULES: &str = "health=100 armor=0 critical_percent=0 attack_damage_min=25 attack_damage_max=25 attack_interval_ms=100 \
     afk_ms=0 regular_ms=0";

/// Runs a script and compares each line with what came of it.
#[allow(dead_code)] // Some files have scripts under a ruleset alone.
pub fn check(script: &str) {
    check_in(&Ruleset::plain(), Mode::Pvp, script);
}

/// The same under a ruleset, whose own numbers the script's are put over.
pub fn check_in(ruleset: &Arc<Ruleset>, mode: Mode, script: &str) {
    let mut ruleset = Ruleset::clone(ruleset);
    let mut rules = ruleset.rules.clone();
    set(&mut rules, EASY_RULES);
    let mut fight = None;
    for (number, text) in script.lines().map(str::trim).enumerate() {
        let line = || format!("line {number}: {text}");
        match text.split_once(' ') {
            None => assert!(text.is_empty(), "{}", line()),
            Some(("//", _)) => {}
            Some(("rules", settings)) => set(&mut rules, settings),
            Some(("spot", spot)) => {
                let words: Vec<&str> = spot.split_whitespace().collect();
                let [team, x, y] = words[..] else { panic!("spot team x y") };
                ruleset.environment.spawns.push(Spot { team: small_in(team), at: point_in(x, y) });
            }
            Some((kind @ ("soft" | "hard" | "wall"), cover)) => ruleset.environment.covers.push(cover_in(kind, cover)),
            Some(("seats", seats)) => {
                let (seats, taken) = seats.split_once(" taken ").unwrap_or((seats, seats));
                let players: Vec<PlayerId> = (0..number_in(taken)).map(player).collect();
                let seats = u8::try_from(number_in(seats)).expect("a number of seats");
                let setup =
                    Setup { mode, rules: rules.clone(), seats, participants: players, teams: Vec::new(), seed: 7 };
                fight = Some(Watched::new(Hosted::new(Arc::new(ruleset.clone()), setup)));
            }
            Some(("at", rest)) => run_line(fight.as_mut().expect("seats come first"), rest, &line()),
            Some((other, _)) => panic!("no line starts with {other}"),
        }
    }
}

fn run_line(fight: &mut Watched, text: &str, line: &str) {
    let (call, expected) = text.split_once("->").expect("at time input -> outcome");
    let (time, call) = call.trim().split_once(' ').unwrap_or((call.trim(), ""));
    let (at, input) = (number_in(time), input_of(fight.fight().ruleset(), call.trim()));
    let mut waited = fight.fight().clone();
    if input != Input::Tick {
        waited.handle(at, Input::Tick, &mut Step::default()).expect("a tick is never refused");
    }
    let answer = fight.handle(at, input);
    let unchanged = fight.fight().state_digest() == waited.state_digest();
    let mut expected = expected.split(',').map(str::trim);
    if input != Input::Tick {
        assert_eq!(words_of(answer), expected.next().expect("an answer"), "{line}");
    }
    for text in expected {
        match text {
            "unchanged" => assert!(unchanged, "{line}"),
            _ => assert_eq!(found(fight, answer, text), text, "{line}"),
        }
    }
}

fn set(rules: &mut Rules, settings: &str) {
    for setting in settings.split_whitespace() {
        let (name, value) = setting.split_once('=').expect("name=value");
        rules.set(name, Some(number_in(value))).expect("a setting in its range");
    }
}

fn cover_in(kind: &str, text: &str) -> Cover {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (x, y, width, height, health) = match words[..] {
        [x, y, "size", width, height] => (x, y, width, height, "0"),
        [x, y, "size", width, height, "health", health] => (x, y, width, height, health),
        _ => panic!("no cover {text}"),
    };
    let size = |text: &str| text.parse().expect("a size");
    Cover {
        name: kind.to_owned(),
        kind: match kind {
            "soft" => CoverKind::Soft,
            "hard" => CoverKind::Hard,
            _ => CoverKind::Wall,
        },
        at: point_in(x, y),
        width_cm: size(width),
        height_cm: size(height),
        health: size(health),
    }
}

fn input_of(ruleset: &Ruleset, call: &str) -> Input {
    let words: Vec<&str> = call.split_whitespace().collect();
    match words[..] {
        [] => Input::Tick,
        ["pause"] => Input::Pause,
        ["resume"] => Input::Resume,
        ["pause", "over"] => Input::PauseOver,
        ["complete"] => Input::Complete,
        ["terminate"] => Input::Terminate { force: false },
        ["terminate", "by", "force"] => Input::Terminate { force: true },
        [who, "joins"] => Input::Seat { player: player(u64::from(slot_in(who))) },
        [who, "ready"] => Input::Ready { slot: slot_in(who) },
        [who, "connects"] => Input::Connect { slot: slot_in(who) },
        [who, "disconnects"] => Input::Part { slot: slot_in(who), why: Parting::Lost },
        [who, "leaves"] => Input::Part { slot: slot_in(who), why: Parting::Left },
        [who, "disconnects", "somehow"] => Input::Disconnect { slot: slot_in(who) },
        [who, "changes", "connections"] => Input::Replace { slot: slot_in(who) },
        [who, "concedes"] => Input::Concede { slot: slot_in(who) },
        [who, ref act @ .., "id", id] => {
            Input::Act { slot: slot_in(who), id: number_in(id), action: action_of(ruleset, act) }
        }
        [who, ref act @ ..] => Input::Act { slot: slot_in(who), id: 0, action: action_of(ruleset, act) },
    }
}

fn action_of(ruleset: &Ruleset, words: &[&str]) -> Action {
    let attack = |whom: &str, part| Action::Attack { target: Some(slot_in(whom)), part };
    match words {
        ["attack"] => Action::Attack { target: None, part: BodyPart::Torso },
        ["attack", whom] => attack(whom, BodyPart::Torso),
        ["attack", whom, "head"] => attack(whom, BodyPart::Head),
        ["attack", whom, "limb"] => attack(whom, BodyPart::Limb),
        ["defend"] => Action::Defend,
        ["move", "to", x, y] => Action::Move { to: point_in(x, y) },
        ["move", "to", x, y, how @ ..] => {
            let (facing, how) = match how {
                ["facing", degrees, rest @ ..] => (Some(degrees.parse().expect("degrees")), rest),
                _ => (None, how),
            };
            let velocity = match how {
                ["going", x, y] => velocity_in(x, y),
                [] => Velocity::ZERO,
                _ => panic!("no motion {how:?}"),
            };
            Action::Walk { to: point_in(x, y), facing, velocity }
        }
        ["strike", "cover", cover] => Action::Break { thing: Thing::Cover(small_in(cover)) },
        ["strike", "hazard", hazard] => Action::Break { thing: Thing::Hazard(small_in(hazard)) },
        [how @ ("use" | "item"), ability, aim @ ..] => {
            let aim = match aim {
                [] => Target::default(),
                ["on", whom] => Target { slot: Some(slot_in(whom)), at: None },
                ["at", x, y] => Target { slot: None, at: Some(point_in(x, y)) },
                ["on", whom, "at", x, y] => Target { slot: Some(slot_in(whom)), at: Some(point_in(x, y)) },
                _ => panic!("no aim {aim:?}"),
            };
            Action::Use { ability: ability_in(ruleset, ability), item: *how == "item", aim }
        }
        ["dance"] => Action::Unavailable,
        _ => panic!("no action {words:?}"),
    }
}

/// What is the case now, in the form of the expectation.
fn found(watched: &Watched, answer: Answer, expectation: &str) -> String {
    let (fight, step) = (watched.fight(), watched.step());
    let life = fight.lifecycle();
    let words: Vec<&str> = expectation.split_whitespace().collect();
    match words[..] {
        ["status", ..] => format!("status {}", spaced(life.status())),
        ["phase", ..] => format!("phase {}", spaced(life.phase())),
        ["end", ..] => format!("end {}", life.end().map_or("open".to_owned(), spaced)),
        ["winner", ..] => format!("winner {}", life.winner().map_or("nobody".to_owned(), |slot| format!("p{slot}"))),
        ["due", ..] => format!("due {}", due(fight).map_or("never".to_owned(), |due| due.to_string())),
        ["left", ..] => format!("left {}", life.remaining(fight.now())),
        ["fought", ..] => format!("fought {}", life.active_ms(fight.now())),
        ["refused", ..] => format!("refused {}", fight.totals().refused),
        ["in", "step", ..] => answer.map_or("refused".to_owned(), |seq| format!("in step {seq}")),
        ["first", ..] => {
            format!("first {}", fight.standings().iter().map(|s| format!("p{s}")).collect::<Vec<_>>().join(" "))
        }
        ["team", "won", ..] => {
            format!("team won {}", life.winning_team().map_or("nobody".to_owned(), |team| team.to_string()))
        }
        ["flags", ..] if step.flags().is_empty() => "flags nobody".to_owned(),
        ["flags", ..] => {
            let flags: Vec<_> = step.flags().iter().map(|(slot, flag)| format!("p{slot} {}", flag.name())).collect();
            format!("flags {}", flags.join(" + "))
        }
        ["cover", cover, ..] => {
            let health = fight.field().covers()[usize::from(small_in(cover))];
            format!("cover {cover} {health}")
        }
        ["hazard", hazard, ..] => match fight.field().hazards()[usize::from(small_in(hazard))] {
            gone if gone.is_gone() => format!("hazard {hazard} gone"),
            there => format!("hazard {hazard} {}", there.health()),
        },
        ["participants", ..] => format!("participants {}", fight.participants().len()),
        ["shows", ..] if step.is_empty() => "shows nothing".to_owned(),
        ["shows", ..] => {
            let words = |&event: &Event| event_words(fight.ruleset(), event);
            format!("shows {}", step.events().iter().map(words).collect::<Vec<_>>().join(" + "))
        }
        [who, "seen", "by", ..] => {
            let of = slot_in(who);
            let team = fight.participants()[usize::from(of)].team();
            let others = (0_u8..).zip(fight.participants()).filter(|(_, p)| p.team() != team);
            let seeing = others.filter(|&(slot, _)| fight.sees(Audience::Own(slot), of));
            let seeing: Vec<_> = seeing.map(|(slot, _)| format!("p{slot}")).collect();
            format!("{who} seen by {}", if seeing.is_empty() { "nobody".to_owned() } else { seeing.join(" ") })
        }
        [who, what, ..] => {
            let slot = slot_in(who);
            found_of(fight, slot, what)
        }
        _ => panic!("no expectation {expectation}"),
    }
}

/// When something happens by itself: a fight may ask for a tick sooner, and only then learn when that is.
fn due(fight: &Hosted) -> Option<Millis> {
    let (mut ticked, mut step) = (fight.clone(), Step::default());
    loop {
        let due = ticked.deadline()?;
        ticked.handle(due, Input::Tick, &mut step).expect("a tick is never refused");
        if !step.is_empty() {
            return Some(due);
        }
    }
}

fn found_of(fight: &Hosted, slot: Slot, what: &str) -> String {
    let (p, now, rules) = (&fight.participants()[usize::from(slot)], fight.now(), fight.rules());
    match what {
        "hp" => format!("p{slot} hp {}", p.hp()),
        "score" => format!("p{slot} score {}", p.score()),
        "stamina" => format!("p{slot} stamina {}", p.stamina().milli_at(now, rules.stamina) / 1000),
        "guard" => format!("p{slot} guard {}", p.guard_until()),
        "at" => format!("p{slot} at {} {}", p.at().x, p.at().y),
        "faces" => format!("p{slot} faces {}", p.facing()),
        "goes" => format!("p{slot} goes {} {}", p.velocity().x, p.velocity().y),
        "armor" => format!("p{slot} armor {}", p.armor()),
        "shield" => format!("p{slot} shield {}", p.shield()),
        "energy" => format!("p{slot} energy {}", p.energy().milli_at(now, rules.energy) / 1000),
        "charge" => format!("p{slot} charge {}", p.charge()),
        "ammo" => format!("p{slot} ammo {}", p.ammo()),
        "enemy" => format!("p{slot} enemy {}", p.enemy().map_or("none".to_owned(), |enemy| enemy.to_string())),
        "rage" => format!("p{slot} rage {}", p.enemy_phase()),
        "does" => format!("p{slot} does {}", p.activity()),
        "is" => format!("p{slot} is {}", fight.ruleset().activity.state(p.activity()).name),
        "reloads" => format!("p{slot} reloads {}", p.reload_at()),
        "damage" => format!("p{slot} damage {}", p.damage()),
        "under" => format!("p{slot} under {}", effects_of(fight.ruleset(), p)),
        "casts" => {
            let cast = p
                .cast()
                .map(|cast| format!("{} until {}", ability_name(fight.ruleset(), cast.ability()), cast.until()));
            format!("p{slot} casts {}", cast.unwrap_or("nothing".to_owned()))
        }
        "used" => {
            let used = p.used().iter().map(|used| {
                format!("{} {}x until {}", ability_name(fight.ruleset(), used.ability()), used.times(), used.ready_at())
            });
            let used = used.collect::<Vec<_>>();
            format!("p{slot} used {}", if used.is_empty() { "nothing".to_owned() } else { used.join(" + ") })
        }
        "effects" if p.effects().is_empty() => format!("p{slot} effects none"),
        "effects" => {
            let effects: Vec<_> = p.effects().iter().map(|e| format!("{}x{}", e.effect(), e.stacks())).collect();
            format!("p{slot} effects {}", effects.join(" "))
        }
        _ => format!("p{slot} {}", spaced(p.status())),
    }
}

fn effects_of(ruleset: &Ruleset, p: &Participant) -> String {
    let words = p.effects().iter().map(|active| {
        let stacks = if active.stacks() == 1 { String::new() } else { format!(" x{}", active.stacks()) };
        let until = if active.until() == Millis::MAX { String::new() } else { format!(" until {}", active.until()) };
        format!("{}{stacks}{until}", effect_name(ruleset, active.effect()))
    });
    let words = words.collect::<Vec<_>>();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" + ") }
}

fn ability_name(ruleset: &Ruleset, ability: AbilityId) -> &str {
    &ruleset.ability(ability).expect("an ability").name
}

fn effect_name(ruleset: &Ruleset, effect: EffectId) -> &str {
    &ruleset.effect(effect).name
}

fn event_words(ruleset: &Ruleset, event: Event) -> String {
    let named = |is: bool, word: &str| if is { format!(" {word}") } else { String::new() };
    match event {
        Event::Hit { by, to, damage, absorbed, critical, guarded, reaction, ability } => {
            let with = ability.map_or(String::new(), |ability| format!(" with {}", ability_name(ruleset, ability)));
            let how = named(critical, "critical") + &named(guarded, "guarded") + &named(reaction, "reacting");
            let absorbed = named(absorbed > 0, &format!("absorbed {absorbed}"));
            format!("p{by} hits p{to} {damage}{with}{how}{absorbed}")
        }
        Event::Missed { by, to } => format!("p{by} misses p{to}"),
        Event::Suffered { by, to, effect, damage } => {
            format!("p{to} suffers {damage} from {} of p{by}", effect_name(ruleset, effect))
        }
        Event::Healed { by, to, points } => format!("p{by} heals p{to} {points}"),
        Event::Casting { by, ability, until } => {
            format!("p{by} begins {} until {until}", ability_name(ruleset, ability))
        }
        Event::Broken { by, ability } => format!("p{by} breaks {} off", ability_name(ruleset, ability)),
        Event::Used { by, ability, to } => {
            let on = to.map_or(String::new(), |to| format!(" on p{to}"));
            format!("p{by} uses {}{on}", ability_name(ruleset, ability))
        }
        Event::Affected { by, to, effect, stacks } => {
            let stacks = named(stacks > 1, &format!("x{stacks}"));
            format!("p{by} puts {}{stacks} on p{to}", effect_name(ruleset, effect))
        }
        Event::Faded { to, effect } => format!("p{to} loses {}", effect_name(ruleset, effect)),
        Event::Revived { by, to } => format!("p{by} revives p{to}"),
        Event::Eliminated { by, to } => format!("p{by} eliminates p{to}"),
        Event::Guard { by } => format!("p{by} guards"),
        Event::Seated { by } => format!("p{by} seated"),
        Event::Ready { by } => format!("p{by} ready"),
        Event::Came { by, why: Arrival::Joined } => format!("p{by} connected"),
        Event::Came { by, why: Arrival::Returned } => format!("p{by} connected again"),
        Event::Came { by, why: Arrival::Replaced } => format!("p{by} changed connections"),
        Event::Went { by, why: Parting::Lost } => format!("p{by} disconnected"),
        Event::Went { by, why: Parting::Left } => format!("p{by} left"),
        Event::Disconnected { by } => format!("p{by} disconnected somehow"),
        Event::Forfeited { by } => format!("p{by} forfeited"),
        Event::Phase => "phase".to_owned(),
        Event::Struck { by, thing, damage } => format!("p{by} strikes {} {damage}", thing_words(thing)),
        Event::Destroyed { by, thing } => format!("p{by} destroys {}", thing_words(thing)),
        Event::Burned { to, hazard, damage } => format!("hazard {hazard} burns p{to} {damage}"),
        Event::Perished { to } => format!("p{to} perishes"),
        Event::Spawned { by, enemy } => format!("p{by} comes as enemy {enemy}"),
        Event::Enraged { by, phase } => format!("p{by} enters phase {phase}"),
        other => format!("{other:?}"),
    }
}

fn thing_words(thing: Thing) -> String {
    match thing {
        Thing::Cover(cover) => format!("cover {cover}"),
        Thing::Hazard(hazard) => format!("hazard {hazard}"),
    }
}

fn words_of(answer: Answer) -> String {
    let until = |what: &str, until: Millis| match until {
        Millis::MAX => format!("{what} never"),
        until => format!("{what} until {until}"),
    };
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(Refusal::Cooldown { until: at }) => until("cooldown", at),
        Err(Refusal::Stamina { until: at }) => until("stamina", at),
        Err(Refusal::RateLimited { until: at }) => until("rate limited", at),
        Err(Refusal::Reloading { until: at }) => until("reloading", at),
        Err(Refusal::NotEnough { of, until: at }) => until(&format!("not enough {}", spaced(of)), at),
        Err(refusal) => spaced(refusal),
    }
}

/// `WrongPhase` as `wrong phase`.
fn spaced(name: impl Debug) -> String {
    let mut words = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn slot_in(text: &str) -> Slot {
    let number = text.strip_prefix('p').map(number_in).expect("p and a number");
    u8::try_from(number).expect("a slot")
}

fn ability_in(ruleset: &Ruleset, text: &str) -> AbilityId {
    let named = ruleset.abilities.iter().position(|ability| ability.name == text);
    named.map_or_else(|| small_in(text), |place| u8::try_from(place).expect("an ability"))
}

fn small_in(text: &str) -> u8 {
    u8::try_from(number_in(text)).expect("a small number")
}

fn velocity_in(x: &str, y: &str) -> Velocity {
    let cm_per_s = |text: &str| text.parse().expect("centimetres per second");
    Velocity::new(cm_per_s(x), cm_per_s(y))
}

fn point_in(x: &str, y: &str) -> Point {
    let length = |text: &str| text.parse().expect("a number of centimetres");
    Point::new(length(x), length(y))
}

fn number_in(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn player(number: u64) -> PlayerId {
    PlayerId::from(number) + 1000
}
