//! What each side of a fight in the fog has got to know. Whoever looks at such a fight over REST must not notice, by a sum, a
//! sequence or a time, what those do whom its side does not see; and what was seen of the past cannot be found out later. So it
//! is noted with every step, as the engine cuts the step for each side.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tiltyard_combat::audience::Named;
use tiltyard_combat::fight::Totals;
use tiltyard_combat::{Audience, Event, Fight, Slot, Step};

use crate::limits;

/// The team of those who are on nobody's side: no participant's, for there are at most 128 of these.
pub const NOBODY: u8 = u8::MAX;

/// What the sides of one fight know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fog {
    /// Nobody's side first.
    sides: SmallVec<[Side; 3]>,
    /// Who was told of the events that the session remembers, in the same order.
    recent: VecDeque<Witnesses>,
}

/// What one side knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    pub team: u8,
    /// Sequence of the newest delta that showed it something.
    pub seq: u64,
    /// How many did.
    pub deltas: u64,
    /// Unix milliseconds of the newest change that it was shown.
    pub updated_at: u64,
    /// Its own actions, applied and refused.
    pub actions: u64,
    pub refused: u64,
    /// Damage it has seen dealt.
    pub damage: u64,
}

/// To whom an event names those it is about: a bit for each team, and whether to nobody's side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Witnesses {
    by: (u128, bool),
    to: (u128, bool),
}

impl Fog {
    /// Of a fight that is created at `wall`; `None` where there is no fog.
    pub fn of(fight: &Fight, wall: u64) -> Option<Box<Self>> {
        let nobody = Side { team: NOBODY, seq: 0, deltas: 0, updated_at: wall, actions: 0, refused: 0, damage: 0 };
        let fog = || Box::new(Self { sides: SmallVec::from_iter([nobody]), recent: VecDeque::new() });
        (fight.rules().sight_cm > 0).then(fog)
    }

    /// Notes a step that has just been taken, with what it added to the fight's sums.
    pub fn note(&mut self, fight: &Fight, step: &Step, added: Totals, wall: u64) {
        self.seat(fight);
        for side in &mut self.sides {
            let audience = Audience::Team(side.team);
            let cut = fight.cut(step, audience);
            let own = step.changed().iter().any(|&(slot, _)| team_of(fight, slot) == Some(side.team));
            let shown = own
                || !cut.patches().is_empty()
                || cut.events().iter().any(Option::is_some)
                || !step.things().is_empty()
                || step.modifiers_changed()
                || step.phase_changed();
            if shown {
                (side.seq, side.updated_at, side.deltas) = (fight.seq(), wall, side.deltas + 1);
            }
            side.damage += seen_damage(step, cut.events(), added.damage);
        }
        for event in step.events() {
            if self.recent.len() == limits::RECENT_EVENTS {
                self.recent.pop_front();
            }
            self.recent.push_back(self.witnesses(fight, step, event));
        }
    }

    /// Notes an action of the participant in `slot`.
    pub fn note_action(&mut self, fight: &Fight, slot: Slot, added: Totals) {
        self.seat(fight);
        let team = team_of(fight, slot);
        if let Some(side) = self.sides.iter_mut().find(|side| Some(side.team) == team) {
            side.actions += added.actions;
            side.refused += added.refused;
        }
    }

    /// Something changed that everybody knows.
    pub fn note_open(&mut self, wall: u64) {
        for side in &mut self.sides {
            side.updated_at = wall;
        }
    }

    /// What `team` knows; what everybody knows where that is no team of a player.
    pub fn side(&self, team: u8) -> &Side {
        self.sides.iter().find(|side| side.team == team).unwrap_or(&self.sides[0])
    }

    /// Whom the remembered event in `place` names to `team`; `None` where it was not told of it.
    pub fn named(&self, place: usize, team: u8) -> Option<Named> {
        let told = |(teams, nobody): (u128, bool)| if team == NOBODY { nobody } else { teams & bit(team) != 0 };
        let Witnesses { by, to } = *self.recent.get(place)?;
        let named = Named { by: told(by), to: told(to) };
        (named.by || named.to).then_some(named)
    }

    /// A side for every team that a player is in. One that comes later knows what everybody knows.
    fn seat(&mut self, fight: &Fight) {
        for participant in fight.participants().iter().filter(|participant| participant.enemy().is_none()) {
            let team = participant.team();
            if self.sides.iter().all(|side| side.team != team) {
                self.sides.push(Side { team, ..self.sides[0] });
            }
        }
    }

    fn witnesses(&self, fight: &Fight, step: &Step, event: &Event) -> Witnesses {
        let mut witnesses = Witnesses::default();
        for side in &self.sides {
            let Some(named) = fight.named(step, Audience::Team(side.team), event) else { continue };
            for (told, who) in [(named.by, &mut witnesses.by), (named.to, &mut witnesses.to)] {
                who.0 |= if told { bit(side.team) } else { 0 };
                who.1 |= told && side.team == NOBODY;
            }
        }
        witnesses
    }
}

const fn bit(team: u8) -> u128 {
    if team < 128 { 1 << team } else { 0 }
}

fn team_of(fight: &Fight, slot: Slot) -> Option<u8> {
    fight.participants().get(usize::from(slot)).map(tiltyard_combat::Participant::team)
}

/// Damage of the step as one who is told of these of its events knows it: where that is all of it, what was really taken.
fn seen_damage(step: &Step, told: &[Option<Named>], taken: u64) -> u64 {
    let (mut seen, mut all) = (0, true);
    for (event, told) in step.events().iter().zip(told) {
        let (Event::Hit { by, to, damage, .. } | Event::Suffered { by, to, damage, .. }) = *event else { continue };
        match told {
            Some(_) if by != to => seen += u64::from(damage),
            Some(_) => {}
            None => all = false,
        }
    }
    if all { taken } else { seen }
}

#[cfg(test)]
mod tests {
    use super::{Fog, NOBODY};
    use tiltyard_combat::{Action, Fight, Input, Point, Rules, Step};

    /// Two on their own sides, far from each other in a fog.
    fn fight() -> Fight {
        let rules = Rules { sight_cm: 1, preparation_ms: 0, ..Rules::default() };
        Fight::plain(rules, 2, &[11, 12], 7)
    }

    fn act(fight: &mut Fight, fog: &mut Fog, at: u64, input: Input) {
        let (mut step, before) = (Step::default(), *fight.totals());
        let _ = fight.handle(at, input, &mut step);
        let added = fight.totals().since(before);
        if !step.is_empty() {
            fog.note(fight, &step, added, at);
        }
        if let Input::Act { slot, .. } = input {
            fog.note_action(fight, slot, added);
        }
    }

    #[test]
    fn what_the_hidden_do_moves_nothing_of_the_others() {
        let mut fight = fight();
        let mut fog = *Fog::of(&fight, 0).unwrap();
        for slot in 0..2 {
            act(&mut fight, &mut fog, 1, Input::Ready { slot });
        }
        assert!(fight.lifecycle().is_fighting());
        let (first, nobody) = (*fog.side(0), *fog.side(NOBODY));
        act(&mut fight, &mut fog, 900, Input::Act { slot: 1, id: 1, action: Action::Defend });
        let away = Action::Move { to: Point::new(1, 1) };
        act(&mut fight, &mut fog, 901, Input::Act { slot: 1, id: 2, action: away });
        assert_eq!((*fog.side(0), *fog.side(NOBODY)), (first, nobody));
        assert_eq!(fog.side(1).actions + fog.side(1).refused, 2, "its own are its own");
        assert!(fog.side(1).updated_at >= 900 && fog.side(1).seq > first.seq);
        let newest = fog.recent.len() - 1;
        assert_eq!(fog.named(newest, 0), None);
        assert!(fog.named(newest, 1).is_some());
    }
}
