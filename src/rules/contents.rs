//! What there is in a ruleset, in tables: numbers, abilities, effects, enemies.

use std::fmt::{self, Display, Write};

use tiltyard_combat::action::ActionKind;
use tiltyard_combat::ruleset::{Ability, AbilityKind, Affects, Effect, Op, Shape};
use tiltyard_combat::{Difficulty, Mode, Rules, Ruleset};

/// What differs from the engine's defaults, and what modes and difficulties set otherwise.
pub(super) fn write_numbers(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    let modes = Mode::ALL.into_iter().filter_map(|mode| Some((mode.name(), ruleset.modes[mode.index()].as_deref()?)));
    let modes: Vec<(&str, &[(u16, u32)])> = modes.collect();
    let offered: Vec<&str> = modes.iter().map(|(name, _)| *name).collect();
    let difficulties = Difficulty::ALL.into_iter().zip(&ruleset.difficulties);
    let difficulties = difficulties.map(|(difficulty, list)| (difficulty.name(), list.as_slice()));
    let layers: Vec<(&str, &[(u16, u32)])> = modes.into_iter().chain(difficulties).collect();
    writeln!(out, "\n## Numbers\n\nModes: {}.\n", offered.join(", "))?;
    writeln!(out, "A setting without a line has its default; where a cell is empty, the column `all` counts.\n")?;
    let head: Vec<&str> = ["Setting", "all"].into_iter().chain(layers.iter().map(|(name, _)| *name)).collect();
    writeln!(out, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()))?;
    for ((place, setting), value) in (0_u16..).zip(Rules::SETTINGS).zip(ruleset.rules.values()) {
        let set = |list: &[(u16, u32)]| list.iter().rev().find(|(other, _)| *other == place).map(|&(_, value)| value);
        if value == setting.default && layers.iter().all(|(_, list)| set(list).is_none()) {
            continue;
        }
        write!(out, "| {} | {value} |", setting.name)?;
        for (_, list) in &layers {
            write!(out, " {} |", set(list).map(|value| value.to_string()).unwrap_or_default())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

pub(super) fn write_abilities(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    if ruleset.abilities.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Abilities and items\n")?;
    writeln!(
        out,
        "| Name | Whose | Key | Costs | Cooldown | Cast | Reaches | Does |\n|---|---|---|---|---|---|---|---|"
    )?;
    for (place, ability) in ruleset.abilities.iter().enumerate() {
        let whose = if place < usize::from(ruleset.kit) { "players" } else { "enemies" };
        let costs: Vec<String> =
            ability.cost.iter().map(|(of, points)| format!("{points} {of:?}").to_lowercase()).collect();
        let cast = if ability.cast_ms > 0 { format!("{} ms", ability.cast_ms) } else { String::new() };
        let does: Vec<String> = ability.does.iter().map(|op| op_text(ruleset, op)).collect();
        let Ability { name, key, cooldown_ms, .. } = ability;
        let costs = costs.join(", ");
        let (reaches, does) = (reach_text(ability), does.join("; "));
        writeln!(out, "| {name} | {whose} | {key} | {costs} | {cooldown_ms} ms | {cast} | {reaches} | {does} |")?;
    }
    Ok(())
}

fn reach_text(ability: &Ability) -> String {
    if ability.kind == AbilityKind::Passive {
        return "always".to_owned();
    }
    let whom = match ability.affects {
        Affects::Own => "oneself",
        Affects::Allies => "allies",
        Affects::Enemies => "enemies",
        Affects::Others => "others",
        Affects::Fallen => "fallen allies",
    };
    let far = Metres(ability.range_cm);
    match ability.shape {
        Shape::Single if ability.affects == Affects::Own => whom.to_owned(),
        Shape::Single => format!("one of {whom} up to {far} away"),
        Shape::Area { radius_cm } if ability.range_cm == 0 => format!("{whom} within {}", Metres(radius_cm)),
        Shape::Area { radius_cm } => format!("{whom} within {} of a place up to {far} away", Metres(radius_cm)),
        Shape::Line { width_cm } => format!("{whom} in a line of {far} x {}", Metres(width_cm)),
        Shape::Cone { degrees } => format!("{whom} in a cone of {far} and {degrees} degrees"),
    }
}

fn op_text(ruleset: &Ruleset, op: &Op) -> String {
    let effect = |id: u8| ruleset.effects.get(usize::from(id)).map_or("", |effect| effect.name.as_str());
    let lasting = |ms: u32| if ms > 0 { format!(" for {ms} ms") } else { String::new() };
    match *op {
        Op::Damage { min, max, element } => {
            let element = element.map(|element| format!(" of {element:?}").to_lowercase()).unwrap_or_default();
            format!("{min} to {max} damage{element}")
        }
        Op::Heal { percent, points: 0 } => format!("heals {percent} %"),
        Op::Heal { points, .. } => format!("heals {points}"),
        Op::Revive { percent } => format!("revives with {percent} %"),
        Op::Refill { resource, points } => format!("{points} {resource:?}").to_lowercase(),
        Op::Apply { effect: id, ms } => format!("{}{}", effect(id), lasting(ms)),
        Op::Gain { effect: id, ms } => format!("gains {}{}", effect(id), lasting(ms)),
        Op::Cleanse => "cleanses".to_owned(),
        Op::Dash { cm } => format!("dashes {}", Metres(cm)),
        Op::Pull { cm } => format!("pulls {}", Metres(cm)),
        Op::Push { cm } => format!("pushes {}", Metres(cm)),
        Op::Summon { enemy, count } => {
            let name = ruleset.enemies.get(usize::from(enemy)).map_or("", |enemy| enemy.name.as_str());
            format!("summons {count} {name}")
        }
    }
}

pub(super) fn write_effects(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    if ruleset.effects.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Effects\n\n| Name | Element | Stacking | Lasts | Is |\n|---|---|---|---|---|")?;
    for effect in &ruleset.effects {
        let element = effect.element.map(|element| format!("{element:?}").to_lowercase()).unwrap_or_default();
        let stacking = format!("{:?}", effect.stacking).to_lowercase();
        let stacks = if effect.stacks > 1 { format!(" up to {}", effect.stacks) } else { String::new() };
        let lasts = if effect.ms > 0 { format!("{} ms", effect.ms) } else { String::new() };
        let is = effect_text(ruleset, effect);
        writeln!(out, "| {} | {element} | {stacking}{stacks} | {lasts} | {} |", effect.name, is.join("; "))?;
    }
    Ok(())
}

fn effect_text(ruleset: &Ruleset, effect: &Effect) -> Vec<String> {
    let denied: Vec<&str> =
        ActionKind::ALL.into_iter().filter(|kind| effect.denies.has(*kind)).map(ActionKind::name).collect();
    let changes = &effect.modifiers;
    let percents = [
        ("damage dealt", changes.damage_dealt),
        ("damage taken", changes.damage_taken),
        ("rage", changes.rage),
        ("speed", changes.speed),
        ("accuracy", changes.accuracy),
        ("armor", changes.armor),
        ("healing", changes.healing),
        ("regeneration", changes.regeneration),
    ];
    let ticks = |points: u32, what: &str| (points > 0).then(|| format!("{points} {what} every {} ms", effect.tick_ms));
    let mut is: Vec<String> =
        [ticks(effect.tick_damage, "damage"), ticks(effect.tick_heal, "health")].into_iter().flatten().collect();
    is.extend(effect.stuns.then(|| "stuns".to_owned()));
    is.extend((!denied.is_empty()).then(|| format!("no {}", denied.join(", no "))));
    is.extend((effect.absorbs_percent > 0).then(|| format!("absorbs {} %", effect.absorbs_percent)));
    is.extend(percents.iter().filter(|(_, by)| *by != 0).map(|(what, by)| format!("{what} {by:+} %")));
    is.extend(effect.fragile.then(|| "ends at the first damage".to_owned()));
    is.extend(effect.then.map(|then| format!("then {}", ruleset.effect(then).name)));
    is
}

pub(super) fn write_enemies(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    if ruleset.enemies.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Enemies\n\n| Name | Rank | Health | Damage | Phases |\n|---|---|---|---|---|")?;
    for enemy in &ruleset.enemies {
        let phases: Vec<String> =
            enemy.phases.iter().map(|phase| format!("{} from {} %", phase.name, phase.from_percent)).collect();
        let rank = format!("{:?}", enemy.rank).to_lowercase();
        let (name, health, phases) = (&enemy.name, enemy.health, phases.join(", "));
        let damage = format!("{} to {}", enemy.damage_min, enemy.damage_max);
        writeln!(out, "| {name} | {rank} x{} % | {health} | {damage} | {phases} |", enemy.rank.percent())?;
    }
    for (place, wave) in (1..).zip(&ruleset.waves) {
        let come: Vec<String> = wave
            .spawns
            .iter()
            .map(|&(enemy, from, to)| {
                let count = if from == to { from.to_string() } else { format!("{from} to {to}") };
                format!("{count} {}", ruleset.enemy(enemy).name)
            })
            .collect();
        let lead = if place == 1 { "\n" } else { "" };
        writeln!(out, "{lead}{place}. Wave after {} ms: {}.", wave.delay_ms, come.join(", "))?;
    }
    Ok(())
}

struct Metres(u32);

impl Display for Metres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (metres, 0) => write!(f, "{metres} m"),
            (metres, cm) if cm % 10 == 0 => write!(f, "{metres}.{} m", cm / 10),
            (metres, cm) => write!(f, "{metres}.{cm:02} m"),
        }
    }
}
