//! What a client is told of a session's rules when it joins.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use tiltyard_combat::ruleset::{
    Ability, AbilityKind, Affects, CoverKind, Effect, Element, Enemy, EnemyId, Modifiers, Rank, Resource, Shape,
    Stacking,
};
use tiltyard_combat::{ActionKind, Bout};
use tiltyard_protocol::rules::{self as wire, AbilityView, CoverView, EffectView, EnemyView, FieldView, HazardView};
use tiltyard_protocol::{Encoding, RulesView};

use crate::session::hex;

/// Of the hash over rules: enough that no two are taken for each other.
const HASH_DIGITS: usize = 32;

/// The rules of a fight.
pub fn rules_of(fight: Bout<'_>) -> RulesView {
    let mut rules = unsealed(fight);
    let mut bytes = Vec::new();
    Encoding::Json.encode(&rules, &mut bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    rules.hash = hex(&hash);
    rules.hash.truncate(HASH_DIGITS);
    rules
}

/// What a client says is the hash of rules, as a number; `None` where it cannot be one.
pub fn hash_of(text: &str) -> Option<u128> {
    u128::from_str_radix(text, 16).ok()
}

fn unsealed(fight: Bout<'_>) -> RulesView {
    let (ruleset, rules) = (fight.ruleset, fight.rules());
    RulesView {
        name: ruleset.name.clone(),
        title: ruleset.title.clone(),
        ruleset: hex(&ruleset.hash),
        hash: String::new(),
        mode: fight.mode().name().to_owned(),
        health: rules.health,
        shield: rules.shield,
        armor: rules.armor,
        stamina: rules.stamina,
        stamina_per_second: rules.stamina_per_second,
        energy: rules.energy,
        energy_per_second: rules.energy_per_second,
        ammo: rules.ammo,
        reload_ms: rules.reload_ms,
        attack_interval_ms: rules.attack_interval_ms,
        attack_range_cm: rules.attack_range_cm,
        defend_cost: rules.defend_cost,
        defend_ms: rules.defend_ms,
        defend_cooldown_ms: rules.defend_cooldown_ms,
        speed_cm_per_s: rules.speed_cm_per_s,
        actions_per_second: rules.actions_per_second,
        sight_cm: rules.sight_cm,
        rounds: rules.rounds,
        score_limit: rules.score_limit,
        turn_ms: rules.turn_ms,
        kit: ruleset.kit,
        states: ruleset.activity.states.iter().map(|state| state.name.clone()).collect(),
        abilities: ruleset.abilities.iter().map(ability).collect(),
        effects: ruleset.effects.iter().map(effect).collect(),
        enemies: (0..).zip(&ruleset.enemies).map(|(id, of)| enemy(fight, id, of)).collect(),
        field: field(fight),
    }
}

fn ability(ability: &Ability) -> AbilityView {
    let (mut radius_cm, mut width_cm, mut degrees) = (None, None, None);
    let shape = match ability.shape {
        Shape::Single => wire::Shape::Single,
        Shape::Area { radius_cm: radius } => {
            radius_cm = Some(radius);
            wire::Shape::Area
        }
        Shape::Line { width_cm: width } => {
            width_cm = Some(width);
            wire::Shape::Line
        }
        Shape::Cone { degrees: angle } => {
            degrees = Some(angle);
            wire::Shape::Cone
        }
    };
    let resource = |resource| match resource {
        Resource::Stamina => "stamina",
        Resource::Energy => "energy",
        Resource::Charge => "charge",
        Resource::Ammo => "ammo",
    };
    AbilityView {
        name: ability.name.clone(),
        kind: match ability.kind {
            AbilityKind::Ability => wire::AbilityKind::Ability,
            AbilityKind::Item => wire::AbilityKind::Item,
            AbilityKind::Passive => wire::AbilityKind::Passive,
        },
        key: ability.key.clone(),
        cost: ability.cost.iter().map(|&(of, points)| (resource(of).to_owned(), points)).collect(),
        cooldown_ms: ability.cooldown_ms,
        uses: ability.uses,
        cast_ms: ability.cast_ms,
        channel: ability.channel,
        affects: match ability.affects {
            Affects::Own => wire::Affects::Own,
            Affects::Allies => wire::Affects::Allies,
            Affects::Enemies => wire::Affects::Enemies,
            Affects::Others => wire::Affects::Others,
            Affects::Fallen => wire::Affects::Fallen,
        },
        shape,
        range_cm: ability.range_cm,
        radius_cm,
        width_cm,
        degrees,
        targets: (ability.shape != Shape::Single).then_some(ability.targets),
        sight: ability.sight,
        every_ms: said(ability.every_ms),
        broken_by: ability.broken_by,
        below_percent: said(ability.below_percent),
    }
}

fn effect(effect: &Effect) -> EffectView {
    use tiltyard_protocol::ActionKind as Wire;
    let kind = |kind: &ActionKind| match kind {
        ActionKind::Attack => Wire::Attack,
        ActionKind::Defend => Wire::Defend,
        ActionKind::Ability => Wire::Ability,
        ActionKind::Move => Wire::Move,
        ActionKind::ItemUse => Wire::ItemUse,
    };
    let element = |element: Element| Element::ALL.iter().find(|(_, known)| *known == element).map(|(name, _)| *name);
    EffectView {
        name: effect.name.clone(),
        element: effect.element.and_then(element).map(str::to_owned),
        stuns: effect.stuns,
        denies: ActionKind::ALL.iter().filter(|&&kind| effect.denies.has(kind)).map(kind).collect(),
        ms: effect.ms,
        stacks: matches!(effect.stacking, Stacking::Intensify | Stacking::Separate).then_some(effect.stacks),
        tick_ms: said(effect.tick_ms),
        tick_damage: said(effect.tick_damage),
        tick_heal: said(effect.tick_heal),
        changes: changes(effect.modifiers),
        absorbs_percent: said(effect.absorbs_percent),
        fragile: effect.fragile,
    }
}

/// What changes, by its name.
fn changes(modifiers: Modifiers) -> BTreeMap<String, i32> {
    let Modifiers { damage_dealt, damage_taken, rage, speed, accuracy, armor, healing, regeneration } = modifiers;
    let all = [
        ("damage_dealt", damage_dealt),
        ("damage_taken", damage_taken),
        ("rage", rage),
        ("speed", speed),
        ("accuracy", accuracy),
        ("armor", armor),
        ("healing", healing),
        ("regeneration", regeneration),
    ];
    all.into_iter().filter(|(_, percent)| *percent != 0).map(|(name, percent)| (name.to_owned(), percent)).collect()
}

/// A number that is nothing where it is 0.
fn said<N: Default + PartialEq>(number: N) -> Option<N> {
    Some(number).filter(|number| *number != N::default())
}

fn enemy(fight: Bout<'_>, id: EnemyId, enemy: &Enemy) -> EnemyView {
    EnemyView {
        name: enemy.name.clone(),
        rank: match enemy.rank {
            Rank::Normal => wire::Rank::Normal,
            Rank::Elite => wire::Rank::Elite,
            Rank::Boss => wire::Rank::Boss,
        },
        health: fight.enemy_health(fight.ruleset, id),
        phases: enemy.phases.iter().map(|phase| phase.name.clone()).collect(),
    }
}

fn field(fight: Bout<'_>) -> FieldView {
    let environment = &fight.ruleset.environment;
    let covers = environment.covers.iter().map(|cover| CoverView {
        name: cover.name.clone(),
        kind: match cover.kind {
            CoverKind::Soft => wire::CoverKind::Soft,
            CoverKind::Hard => wire::CoverKind::Hard,
            CoverKind::Wall => wire::CoverKind::Wall,
        },
        x: cover.at.x,
        y: cover.at.y,
        w: cover.width_cm,
        h: cover.height_cm,
        health: cover.health,
    });
    let hazards = environment.hazards.iter().map(|hazard| HazardView {
        name: hazard.name.clone(),
        x: hazard.at.x,
        y: hazard.at.y,
        r: hazard.radius_cm,
        health: hazard.health,
        everywhere: hazard.radius_cm == 0,
    });
    FieldView {
        name: environment.name.clone(),
        width_cm: environment.width_cm,
        height_cm: environment.height_cm,
        covers: covers.collect(),
        hazards: hazards.collect(),
    }
}
