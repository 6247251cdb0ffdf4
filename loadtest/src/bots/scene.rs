//! A fight as one of its players sees it, at a moment of its session time.

use tiltyard_protocol::rules::{AbilityView, CoverKind, CoverView};
use tiltyard_protocol::server::{ParticipantStatus, PhaseName, SessionStatus};
use tiltyard_protocol::view::ParticipantView;
use tiltyard_protocol::{RulesView, View};

/// A place, in centimetres.
pub type Place = (i32, i32);

/// What a player sees.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub rules: &'a RulesView,
    pub view: &'a View,
    /// The player's own.
    pub slot: u8,
    /// Session time.
    pub now: u64,
}

impl<'a> Scene<'a> {
    pub fn me(&self) -> Option<&'a ParticipantView> {
        self.view.participants.get(usize::from(self.slot))
    }

    /// Whether the player is in a fight that is on.
    pub fn fights(&self) -> bool {
        let on = self.view.phase.status == SessionStatus::Active && self.view.phase.phase == PhaseName::Active;
        let turn = self.view.phase.turn.is_none_or(|slot| slot == self.slot);
        on && turn && self.me().is_some_and(|me| me.status != ParticipantStatus::Eliminated)
    }

    /// Whether the player has still to say that it is ready.
    pub fn waits_for_ready(&self) -> bool {
        self.view.phase.phase == PhaseName::Preparation && self.me().is_some_and(|me| !me.ready)
    }

    /// Everybody with its slot.
    fn all(&self) -> impl Iterator<Item = (u8, &'a ParticipantView)> + use<'a> {
        (0_u8..).zip(&self.view.participants)
    }

    /// Those on other sides who stand and are seen, nearest first.
    pub fn foes(&self) -> Vec<(u8, &'a ParticipantView)> {
        let Some(me) = self.me() else { return Vec::new() };
        let stands = |one: &ParticipantView| one.status != ParticipantStatus::Eliminated && !one.hidden;
        let mut foes: Vec<_> = self.all().filter(|(_, one)| one.team != me.team && stands(one)).collect();
        foes.sort_by_key(|(_, foe)| squared(place(me), place(foe)));
        foes
    }

    /// The player and those on its side: who stands, or who has fallen.
    pub fn allies(&self, fallen: bool) -> Vec<(u8, &'a ParticipantView)> {
        let Some(me) = self.me() else { return Vec::new() };
        let out = |one: &ParticipantView| one.status == ParticipantStatus::Eliminated;
        self.all().filter(|(_, one)| one.team == me.team && out(one) == fallen).collect()
    }

    /// Whether the player is stunned or casts.
    pub fn busy(&self) -> bool {
        let Some(me) = self.me() else { return true };
        let casts = me.cast.0.is_some_and(|(_, until)| until > self.now);
        casts || self.bears(|effect| effect.stuns)
    }

    /// Whether an effect on the player forbids this.
    pub fn denied(&self, kind: tiltyard_protocol::ActionKind) -> bool {
        self.bears(|effect| effect.denies.contains(&kind))
    }

    fn bears(&self, what: impl Fn(&tiltyard_protocol::rules::EffectView) -> bool) -> bool {
        let Some(me) = self.me() else { return false };
        let lasts = |until: u64| until == 0 || until > self.now;
        let effects = me.effects.iter().filter(|&&(_, _, until)| lasts(until));
        effects.filter_map(|&(effect, ..)| self.rules.effects.get(usize::from(effect))).any(what)
    }

    /// What the player can use now: cooled down, not used up, and paid for.
    pub fn usable(&self) -> Vec<(u8, &'a AbilityView)> {
        let Some(me) = self.me() else { return Vec::new() };
        let kit = (0_u8..self.rules.kit).zip(&self.rules.abilities);
        kit.filter(|&(id, ability)| self.is_ready(me, id, ability) && self.can_pay(me, ability)).collect()
    }

    fn is_ready(&self, me: &ParticipantView, id: u8, ability: &AbilityView) -> bool {
        me.used
            .iter()
            .find(|&&(used, ..)| used == id)
            .is_none_or(|&(_, times, ready_at)| ready_at <= self.now && (ability.uses == 0 || times < ability.uses))
    }

    fn can_pay(&self, me: &ParticipantView, ability: &AbilityView) -> bool {
        ability.cost.iter().all(|(resource, &points)| {
            let have = match resource.as_str() {
                "stamina" => pool(me.stamina, me.stamina_at, me.stamina_rate, self.rules.stamina, self.now),
                "energy" => pool(me.energy, me.energy_at, me.energy_rate, self.rules.energy, self.now),
                "charge" => me.charge,
                "ammo" => me.ammo,
                _ => 0,
            };
            have >= points
        })
    }

    /// Whether the player can raise its guard.
    pub fn can_guard(&self) -> bool {
        let Some(me) = self.me() else { return false };
        let stamina = pool(me.stamina, me.stamina_at, me.stamina_rate, self.rules.stamina, self.now);
        let cooldown = u64::from(self.rules.defend_cooldown_ms.saturating_sub(self.rules.defend_ms));
        let ready_at = if me.guard_until == 0 { 0 } else { me.guard_until + cooldown };
        stamina >= self.rules.defend_cost && ready_at <= self.now
    }

    /// Whether a wall that still stands is on the way.
    pub fn walled(&self, from: Place, to: Place) -> bool {
        let covers = self.rules.field.covers.iter().zip(&self.view.covers);
        let walls =
            covers.filter(|(cover, health)| cover.kind == CoverKind::Wall && (cover.health == 0 || **health > 0));
        walls.into_iter().any(|(wall, _)| crosses(wall, from, to))
    }

    /// The place on the field nearest to this one.
    pub fn on_field(&self, (x, y): Place) -> Place {
        let field = &self.rules.field;
        let most = |length: u32| i32::try_from(length).unwrap_or(i32::MAX);
        (x.clamp(0, most(field.width_cm)), y.clamp(0, most(field.height_cm)))
    }
}

/// Points in a pool at `now`.
fn pool(milli: u32, at: u64, per_second: u32, most: u32, now: u64) -> u32 {
    let grown = u64::from(milli) + now.saturating_sub(at) * u64::from(per_second);
    u32::try_from(grown / 1000).unwrap_or(u32::MAX).min(most)
}

/// Where somebody is.
pub fn place(one: &ParticipantView) -> Place {
    (one.x, one.y)
}

/// The square of the distance.
pub fn squared(a: Place, b: Place) -> i64 {
    let (dx, dy) = (i64::from(a.0) - i64::from(b.0), i64::from(a.1) - i64::from(b.1));
    dx * dx + dy * dy
}

/// Whether two places are at most so far from each other.
pub fn within(a: Place, b: Place, cm: u32) -> bool {
    squared(a, b) <= i64::from(cm) * i64::from(cm)
}

/// Whether the way meets the rectangle, tried at so many places of the way that no wall is missed.
fn crosses(wall: &CoverView, from: Place, to: Place) -> bool {
    const STEPS: i64 = 64;
    let side = |length: u32| i64::from(length);
    (0..=STEPS).any(|step| {
        let at = |a: i32, b: i32| i64::from(a) + (i64::from(b) - i64::from(a)) * step / STEPS;
        let (x, y) = (at(from.0, to.0) - i64::from(wall.x), at(from.1, to.1) - i64::from(wall.y));
        (0..=side(wall.w)).contains(&x) && (0..=side(wall.h)).contains(&y)
    })
}

#[cfg(test)]
mod tests {
    use super::{crosses, pool, within};
    use tiltyard_protocol::rules::{CoverKind, CoverView};

    #[test]
    fn walls_are_in_the_way_and_pools_fill_to_their_bound() {
        let wall = CoverView { kind: CoverKind::Wall, x: 100, y: 0, w: 50, h: 400, ..CoverView::default() };
        assert!(crosses(&wall, (0, 200), (300, 200)));
        assert!(!crosses(&wall, (0, 500), (300, 500)) && !crosses(&wall, (90, 0), (90, 400)));
        assert_eq!(pool(5_000, 1_000, 10, 100, 3_500), 30);
        assert_eq!(pool(5_000, 1_000, 10, 100, 60_000), 100);
        assert!(within((0, 0), (30, 40), 50) && !within((0, 0), (30, 40), 49));
    }
}
