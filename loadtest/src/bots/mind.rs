//! What a bot decides to do: decent play, with a seed for every whim. No socket and no clock.

use tiltyard_client::Order;
use tiltyard_protocol::client::Degrees;
use tiltyard_protocol::rules::{AbilityKind, AbilityView, Affects, Shape};
use tiltyard_protocol::view::ParticipantView;
use tiltyard_protocol::{ActionKind, BodyPart, Reason};

use super::scene::{Place, Scene, place, squared, within};
use crate::rng::Rng;

/// Below this share of its health, in percent, a bot heals itself.
const HURT_PERCENT: u32 = 55;

/// A bot walks this much slower than it could, so that its clock may be a little ahead of the server's.
const PACE_PERCENT: u64 = 85;

/// Time that counts for one step at most.
const STEP_MS: u64 = 600;

/// How long a bot lets go of what it was refused, where the refusal does not say.
const LET_GO_MS: u64 = 1_500;

/// How long a bot walks somewhere else when something is in its way.
const DETOUR_MS: u64 = 1_500;

/// How near to its target a bot likes to be where it can strike from anywhere.
const CLOSE_CM: u32 = 1_200;

/// What a bot does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Attack { to: u8, part: BodyPart },
    Strike { hazard: u8 },
    Guard,
    Use { ability: u8, item: bool, to: Option<u8>, at: Option<Place> },
    Walk { to: Place, motion: Motion },
}

/// Which way a bot faces, and how fast it goes on from where it is, in centimetres per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Motion {
    facing: Degrees,
    vx: i32,
    vy: i32,
}

/// One bot's mind.
#[derive(Debug)]
pub struct Mind {
    rng: Rng,
    pace_percent: u64,
    stepped_at: u64,
    hp: u32,
    /// What it does not try until then; abilities by their place, everything else by none.
    let_go: Vec<(Option<u8>, u64)>,
    detour: Option<(Place, u64)>,
}

impl Mind {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), pace_percent: PACE_PERCENT, stepped_at: 0, hp: 0, let_go: Vec::new(), detour: None }
    }

    /// What to do now; `None` for nothing.
    pub fn decide(&mut self, scene: &Scene<'_>) -> Option<Deed> {
        let me = scene.me().filter(|_| scene.fights() && !scene.busy())?;
        let hurt = me.hp < self.hp;
        self.hp = me.hp;
        self.let_go.retain(|&(_, until)| until > scene.now);
        let foes = scene.foes();
        if let Some(deed) = self.heal(scene, me) {
            return Some(deed);
        }
        if hurt && scene.can_guard() && self.chance(30) && !scene.denied(ActionKind::Defend) {
            return Some(Deed::Guard);
        }
        if self.chance(35)
            && let Some(deed) = self.ability(scene, me, &foes)
        {
            return Some(deed);
        }
        if self.chance(25) {
            return self.walk(scene, me, &foes);
        }
        self.attack(scene, me, &foes).or_else(|| self.walk(scene, me, &foes))
    }

    /// Hears that `deed` was refused at `now`, and that it would be taken `retry_ms` later.
    pub fn refused(&mut self, deed: Deed, reason: Reason, retry_ms: Option<u32>, scene: &Scene<'_>) {
        let until = scene.now + retry_ms.map_or(LET_GO_MS, u64::from);
        match deed {
            Deed::Use { ability, .. } => self.let_go.push((Some(ability), until)),
            Deed::Walk { .. } if reason == Reason::TooFast => self.pace_percent = (self.pace_percent * 3 / 4).max(25),
            Deed::Walk { .. } => self.turn_aside(scene),
            Deed::Attack { .. } if matches!(reason, Reason::NoSight | Reason::OutOfRange) => self.turn_aside(scene),
            Deed::Attack { .. } | Deed::Strike { .. } | Deed::Guard => {
                self.let_go.push((None, until.min(scene.now + 400)));
            }
        }
    }

    fn heal(&mut self, scene: &Scene<'_>, me: &ParticipantView) -> Option<Deed> {
        if me.hp * 100 >= scene.rules.health * HURT_PERCENT || scene.denied(ActionKind::ItemUse) {
            return None;
        }
        let items = self.tried(scene).into_iter().filter(|(_, one)| one.kind == AbilityKind::Item);
        let own = items.into_iter().find(|(_, item)| item.affects == Affects::Own)?;
        Some(Deed::Use { ability: own.0, item: true, to: None, at: None })
    }

    fn ability(&mut self, scene: &Scene<'_>, me: &ParticipantView, foes: &[(u8, &ParticipantView)]) -> Option<Deed> {
        if scene.denied(ActionKind::Ability) || foes.is_empty() {
            return None;
        }
        let mut abilities = self.tried(scene);
        abilities.retain(|(_, one)| one.kind == AbilityKind::Ability);
        if abilities.is_empty() {
            return None;
        }
        let (id, ability) = abilities[self.below(abilities.len())];
        let (to, at) = self.aim(scene, me, foes, ability)?;
        Some(Deed::Use { ability: id, item: false, to, at })
    }

    /// What there is to use and was not refused a moment ago.
    fn tried<'a>(&self, scene: &Scene<'a>) -> Vec<(u8, &'a AbilityView)> {
        let mut usable = scene.usable();
        usable.retain(|(id, _)| !self.let_go.iter().any(|(let_go, _)| *let_go == Some(*id)));
        usable
    }

    /// Whom and where an ability goes to; `None` where there is nobody for it.
    fn aim(
        &mut self,
        scene: &Scene<'_>,
        me: &ParticipantView,
        foes: &[(u8, &ParticipantView)],
        ability: &AbilityView,
    ) -> Option<(Option<u8>, Option<Place>)> {
        let own = place(me);
        let near = |one: &ParticipantView, cm: u32| within(own, place(one), cm);
        let reach = match ability.shape {
            Shape::Area if ability.range_cm == 0 => ability.radius_cm.unwrap_or_default(),
            _ => ability.range_cm,
        };
        match ability.affects {
            // A dash needs a place; what needs none does not mind.
            Affects::Own => Some((None, Some(self.somewhere(scene, own, 900)))),
            Affects::Allies | Affects::Fallen => {
                let allies = scene.allies(ability.affects == Affects::Fallen);
                let weakest = allies.into_iter().filter(|(_, one)| near(one, reach)).min_by_key(|(_, one)| one.hp)?;
                Some((Some(weakest.0), None))
            }
            Affects::Enemies | Affects::Others => {
                let (slot, foe) = foes.iter().find(|(_, foe)| near(foe, reach) && !scene.walled(own, place(foe)))?;
                let single = ability.shape == Shape::Single;
                Some(if single { (Some(*slot), None) } else { (None, Some(place(foe))) })
            }
            // What a newer server's ability is good for is not known here.
            Affects::Unknown => None,
        }
    }

    fn attack(&mut self, scene: &Scene<'_>, me: &ParticipantView, foes: &[(u8, &ParticipantView)]) -> Option<Deed> {
        let held = self.let_go.iter().any(|(what, _)| what.is_none());
        if held || scene.denied(ActionKind::Attack) || (scene.rules.ammo > 0 && me.ammo == 0) {
            return None;
        }
        let own = place(me);
        let range = scene.rules.attack_range_cm;
        let mut reached =
            foes.iter().filter(|(_, foe)| within(own, place(foe), range) && !scene.walled(own, place(foe)));
        if self.chance(5)
            && let Some(hazard) = worth_striking(scene, own, foes)
        {
            return Some(Deed::Strike { hazard });
        }
        let nearest = reached.next()?;
        // Whoever is nearly down comes before whoever is near.
        let to =
            reached.filter(|(_, foe)| foe.hp * 3 < nearest.1.hp).map(|(slot, _)| *slot).next().unwrap_or(nearest.0);
        let part = match self.below(10) {
            0..=2 => BodyPart::Head,
            3 => BodyPart::Limb,
            _ => BodyPart::Torso,
        };
        Some(Deed::Attack { to, part })
    }

    fn walk(&mut self, scene: &Scene<'_>, me: &ParticipantView, foes: &[(u8, &ParticipantView)]) -> Option<Deed> {
        if scene.denied(ActionKind::Move) {
            return None;
        }
        let own = place(me);
        self.detour = self.detour.filter(|&(goal, until)| until > scene.now && !within(goal, own, 60));
        let (goal, keep_cm) = match (self.detour, foes.first()) {
            (Some((goal, _)), _) => (goal, 0),
            (None, Some((_, foe))) => (place(foe), scene.rules.attack_range_cm.min(CLOSE_CM) * 3 / 4),
            (None, None) => (self.somewhere(scene, middle(scene), 1_500), 0),
        };
        let goal = if within(own, goal, keep_cm) { self.somewhere(scene, own, 500) } else { goal };
        let elapsed = scene.now.saturating_sub(self.stepped_at).min(STEP_MS);
        let far = u64::from(scene.rules.speed_cm_per_s) * elapsed * self.pace_percent / 100_000;
        let step = scene.on_field(towards(own, goal, i64::try_from(far).unwrap_or(i64::MAX)));
        self.stepped_at = scene.now;
        self.pace_percent = (self.pace_percent + 1).min(PACE_PERCENT);
        if scene.walled(own, step) {
            self.turn_aside(scene);
            return None;
        }
        let speed = u64::from(scene.rules.speed_cm_per_s) * self.pace_percent / 100;
        (step != own).then(|| Deed::Walk { to: step, motion: motion(own, step, if step == goal { 0 } else { speed }) })
    }

    fn turn_aside(&mut self, scene: &Scene<'_>) {
        let Some(me) = scene.me() else { return };
        let goal = self.somewhere(scene, place(me), 1_500);
        self.detour = Some((goal, scene.now + DETOUR_MS));
    }

    /// A place on the field at most so far to each side.
    fn somewhere(&mut self, scene: &Scene<'_>, (x, y): Place, far: i32) -> Place {
        let width = u64::from(far.unsigned_abs()) * 2 + 1;
        let mut draw = || i32::try_from(self.rng.below(width)).unwrap_or_default() - far;
        let (dx, dy) = (draw(), draw());
        scene.on_field((x.saturating_add(dx), y.saturating_add(dy)))
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.rng.below(100) < percent
    }

    fn below(&mut self, bound: usize) -> usize {
        let drawn = self.rng.below(bound.max(1) as u64);
        usize::try_from(drawn).unwrap_or_default()
    }
}

/// A hazard that can be set off, with a foe in its reach and not the one who does it.
fn worth_striking(scene: &Scene<'_>, own: Place, foes: &[(u8, &ParticipantView)]) -> Option<u8> {
    let hazards = (0_u8..).zip(scene.rules.field.hazards.iter().zip(&scene.view.hazards));
    let lures = |x, y, r| foes.iter().any(|(_, foe)| within((x, y), place(foe), r)) && !within((x, y), own, r);
    hazards
        .filter(|(_, (hazard, (_, gone)))| hazard.health > 0 && *gone == 0)
        .find(|(_, (hazard, _))| lures(hazard.x, hazard.y, hazard.r) && !scene.walled(own, (hazard.x, hazard.y)))
        .map(|(id, _)| id)
}

/// The middle of the field.
fn middle(scene: &Scene<'_>) -> Place {
    let half = |length: u32| i32::try_from(length / 2).unwrap_or(i32::MAX);
    (half(scene.rules.field.width_cm), half(scene.rules.field.height_cm))
}

/// The place so far from `from` on the way to `to`, or `to` where that is nearer.
fn towards(from: Place, to: Place, cm: i64) -> Place {
    let whole = squared(from, to).isqrt();
    if whole <= cm {
        return to;
    }
    let at = |a: i32, b: i32| {
        let share = i64::from(a) + (i64::from(b) - i64::from(a)) * cm / whole;
        i32::try_from(share).unwrap_or(a)
    };
    (at(from.0, to.0), at(from.1, to.1))
}

/// How one moves who has gone from `from` to `to`, which is another place, and goes on so fast.
fn motion(from: Place, to: Place, cm_per_s: u64) -> Motion {
    let (dx, dy) = (to.0.saturating_sub(from.0), to.1.saturating_sub(from.1));
    // Not less than it is, so that nobody goes faster than that.
    let whole = squared(from, to).isqrt() + 1;
    let along = |length: i32| {
        let speed = i64::try_from(cm_per_s).unwrap_or(i64::MAX).saturating_mul(length.into()) / whole;
        i32::try_from(speed).unwrap_or_default()
    };
    let degrees = f64::from(dy).atan2(f64::from(dx)).to_degrees().rem_euclid(360.0);
    // Of what is just below 0 nothing is left but 360.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let facing = Degrees::new(degrees as u16 % 360).unwrap_or_default();
    Motion { facing, vx: along(dx), vy: along(dy) }
}

impl From<Deed> for Order {
    fn from(deed: Deed) -> Self {
        match deed {
            Deed::Attack { to, part } => Self::attack(to).at_the(part),
            Deed::Strike { hazard } => Self::break_hazard(hazard),
            Deed::Guard => Self::defend(),
            Deed::Walk { to: (x, y), motion: Motion { facing, vx, vy } } => {
                Self::walk(x, y).facing(facing).going(vx, vy)
            }
            Deed::Use { ability, item, to, at } => {
                let order = if item { Self::item(ability) } else { Self::ability(ability) };
                let order = to.map_or(order.clone(), |slot| order.at(slot));
                at.map_or(order.clone(), |(x, y)| order.towards(x, y))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::client::Degrees;

    use super::{motion, towards};

    #[test]
    fn steps_are_as_long_as_they_may_be_and_end_at_the_goal() {
        assert_eq!(towards((0, 0), (300, 400), 100), (60, 80));
        assert_eq!(towards((0, 0), (-300, 0), 100), (-100, 0));
        assert_eq!(towards((0, 0), (30, 40), 100), (30, 40));
    }

    #[test]
    fn one_who_walks_faces_where_it_goes_and_goes_no_faster_than_it_says() {
        let told = |to| {
            let motion = motion((100, 100), to, 700);
            (motion.facing.get(), motion.vx, motion.vy)
        };
        assert_eq!(told((8_100, 100)), (0, 699, 0));
        assert_eq!(told((100, 8_100)), (90, 0, 699));
        assert_eq!(told((-7_900, 100)), (180, -699, 0));
        assert_eq!(told((100, -7_900)), (270, 0, -699));
        assert_eq!(told((3_100, 4_100)), (53, 419, 559));
        assert_eq!(motion((0, 0), (7, 7), 0), super::Motion { facing: Degrees::new(45).unwrap(), vx: 0, vy: 0 });
        for to in [(101, 107), (93, 88), (-5_000, 5_001), (30_000, -30_000), (1_000_000, 99)] {
            let (_, vx, vy) = told(to);
            assert!(i64::from(vx).pow(2) + i64::from(vy).pow(2) <= 700 * 700, "{to:?} {vx} {vy}");
        }
    }
}
