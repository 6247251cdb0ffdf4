//! What each side of a fight in the fog has got to know. Whoever looks at such a fight over REST must not notice, by a sum, a
//! sequence or a time, what those do whom its side does not see; and what was seen of the past cannot be found out later. So it
//! is noted with every step, as the engine cuts the step for each side.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tiltyard_combat::audience::Named;
use tiltyard_combat::fight::Totals;
use tiltyard_combat::{Audience, Bout, Event, Fight, Slot, Step};

use super::session::remember;
use crate::session::{Known, NOBODY};

/// What the sides of one fight know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fog {
    /// Nobody's side first.
    sides: SmallVec<[Side; 3]>,
}

/// What one side knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    team: u8,
    #[serde(with = "KnownInLog")]
    pub known: Known,
    /// The newest events that it was told of: its own, or those of others would push out one another's.
    pub recent: VecDeque<Witnessed>,
}

/// [`Known`] as the log has it. Another field is another form of the log.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Known")]
struct KnownInLog {
    seq: u64,
    deltas: u64,
    updated_at: u64,
    actions: u64,
    refused: u64,
    damage: u64,
}

/// An event as a side was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// Unix milliseconds.
    pub at: u64,
    pub event: Event,
    pub named: Named,
}

impl Fog {
    /// Of a fight that is created at `wall`; `None` where there is no fog.
    pub fn of(fight: &Fight, wall: u64) -> Option<Box<Self>> {
        let known = Known { updated_at: wall, ..Known::default() };
        let nobody = Side { team: NOBODY, known, recent: VecDeque::new() };
        (fight.rules().sight_cm > 0).then(|| Box::new(Self { sides: SmallVec::from_iter([nobody]) }))
    }

    /// Notes a step that has just been taken.
    pub fn note(&mut self, fight: Bout<'_>, step: &Step, wall: u64) {
        self.seat(&fight);
        for Side { team, known, recent } in &mut self.sides {
            let audience = Audience::Team(*team);
            let cut = fight.cut(step, audience);
            let own = step.changed().iter().any(|&(slot, _)| team_of(&fight, slot) == Some(*team));
            let shown = own
                || !cut.patches().is_empty()
                || cut.events().iter().any(Option::is_some)
                || !step.things().is_empty()
                || step.modifiers_changed()
                || step.phase_changed();
            if shown {
                (known.seq, known.updated_at, known.deltas) = (fight.seq(), wall, known.deltas + 1);
            }
            let seen = step.taken().iter().filter(|&&(of, _)| fight.saw(step, audience, of));
            known.damage += seen.map(|&(_, taken)| u64::from(taken)).sum::<u64>();
            for (&event, named) in step.events().iter().zip(cut.events()) {
                if let Some(named) = *named {
                    remember(recent, Witnessed { at: wall, event, named });
                }
            }
        }
    }

    /// Notes an action of the participant in `slot`.
    pub fn note_action(&mut self, fight: &Fight, slot: Slot, added: Totals) {
        self.seat(fight);
        let team = team_of(fight, slot);
        if let Some(side) = self.sides.iter_mut().find(|side| Some(side.team) == team) {
            side.known.actions += added.actions;
            side.known.refused += added.refused;
        }
    }

    /// Something changed that everybody knows.
    pub fn note_open(&mut self, wall: u64) {
        for side in &mut self.sides {
            side.known.updated_at = wall;
        }
    }

    /// What `team` knows; what everybody knows where that is no team of a player.
    pub fn side(&self, team: u8) -> &Side {
        self.sides.iter().find(|side| side.team == team).unwrap_or(&self.sides[0])
    }

    /// A side for every team that a player is in. One that comes later knows what everybody knows.
    fn seat(&mut self, fight: &Fight) {
        for participant in fight.participants().iter().filter(|participant| participant.enemy().is_none()) {
            let team = participant.team();
            if self.sides.iter().all(|side| side.team != team) {
                let nobody = self.sides[0].clone();
                self.sides.push(Side { team, ..nobody });
            }
        }
    }
}

fn team_of(fight: &Fight, slot: Slot) -> Option<u8> {
    fight.participants().get(usize::from(slot)).map(tiltyard_combat::Participant::team)
}

#[cfg(test)]
mod tests {
    use super::Fog;
    use crate::limits;
    use crate::session::NOBODY;
    use tiltyard_combat::{Action, Bout, Event, Fight, Input, Point, Rules, Ruleset, Step};

    /// Two on their own sides, far from each other in a fog.
    fn fight() -> Fight {
        let rules = Rules { sight_cm: 1, preparation_ms: 0, ..Rules::default() };
        Fight::plain(rules, 2, &[11, 12], 7)
    }

    fn act(fight: &mut Fight, fog: &mut Fog, at: u64, input: Input) {
        let (mut step, before) = (Step::default(), *fight.totals());
        let _ = fight.handle(&Ruleset::plain(), at, input, &mut step);
        let added = fight.totals().since(before);
        if !step.is_empty() {
            fog.note(Bout { fight, ruleset: &Ruleset::plain() }, &step, at);
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
        let (first, nobody) = (fog.side(0).clone(), fog.side(NOBODY).clone());
        for n in 0..2 * limits::RECENT_EVENTS as u64 {
            act(&mut fight, &mut fog, 900 + 5_000 * n, Input::Act { slot: 1, id: 2 * n + 1, action: Action::Defend });
            let away = Action::Move { to: Point::new(1, 1) };
            act(&mut fight, &mut fog, 901 + 5_000 * n, Input::Act { slot: 1, id: 2 * n + 2, action: away });
        }
        assert_eq!((fog.side(0), fog.side(NOBODY)), (&first, &nobody));
        let own = fog.side(1);
        assert_eq!(own.known.actions + own.known.refused, 4 * limits::RECENT_EVENTS as u64, "its own are its own");
        assert!(own.known.updated_at >= 900 && own.known.seq > first.known.seq);
        assert_eq!(own.recent.len(), limits::RECENT_EVENTS);
        assert!(matches!(own.recent.back().unwrap().event, Event::Guard { by: 1 }));
        assert!(!first.recent.is_empty() && first.recent.iter().all(|told| !matches!(told.event, Event::Guard { .. })));
    }
}
