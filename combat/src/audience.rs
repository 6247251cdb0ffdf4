//! Who may see what of a fight. Everything that leaves the server is cut to an audience here, so that what is hidden is
//! never encoded for those it is hidden from.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{Bout, Event, Fields, Fight, Slot, Step};

/// Those who see the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everything: operators, and replays of fights that are over.
    All,
    /// What everybody may see. Fog hides nobody: who spectates has no side, and a ruleset with fog is spectated with a delay.
    Spectator,
    /// One team.
    Team(u8),
    /// One participant: its own fields beside its team's.
    Own(Slot),
}

/// What an audience is shown of a step. Equal cuts of one step are equal bytes, so a step is encoded once for each that
/// differs. What is no participant's (the course, covers, hazards, modifiers) is shown to everybody and not in here; a digest
/// of the whole view differs with the audience, whatever the step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    patches: SmallVec<[Patch; 4]>,
    events: SmallVec<[Option<Named>; 8]>,
}

/// What an audience is shown of a participant that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    pub slot: Slot,
    /// The fields to show: those that changed, or every visible one of a participant that came into sight.
    pub fields: Fields,
    /// Whether it is also to be told who sits there.
    pub seat: bool,
    /// Whether fog hides the participant now; `None` where that is as it was.
    pub hidden: Option<bool>,
}

/// Which participants of an event are named to an audience; those that the event does not have are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub by: bool,
    pub to: bool,
}

impl Cut {
    /// Each participant once; nobody without anything to show.
    pub fn patches(&self) -> &[Patch] {
        &self.patches
    }

    /// For each event of the step, in order: whom it names, or `None` where it is not shown.
    pub fn events(&self) -> &[Option<Named>] {
        &self.events
    }
}

impl Bout<'_> {
    /// The fields of `slot` that `audience` may see now; [`Fields::KNOWN`] alone where it does not see the participant,
    /// none where there is no such participant.
    pub fn visible(&self, audience: Audience, slot: Slot) -> Fields {
        let Some(of) = self.participant(slot) else { return Fields::NONE };
        let rules = &self.ruleset.visibility;
        match audience {
            Audience::All => Fields::SEAT,
            Audience::Spectator => rules.all,
            Audience::Own(own) if own == slot => Fields::SEAT,
            Audience::Own(_) | Audience::Team(_) if self.side(audience) == Some(of.team()) => rules.team,
            Audience::Own(_) | Audience::Team(_) if self.sees(audience, slot) => rules.all,
            Audience::Own(_) | Audience::Team(_) => Fields::KNOWN,
        }
    }

    /// Whether every audience is shown the same of the step: then one encoding does, and no cut is needed.
    pub fn same_for_all(&self, step: &Step) -> bool {
        let rules = &self.ruleset.visibility;
        let by_all = rules.all.and(rules.team);
        self.rules().sight_cm == 0 && step.changed().iter().all(|&(_, fields)| by_all.has(fields))
    }

    /// What `audience` is shown of a step that has just been taken.
    pub fn cut(&self, step: &Step, audience: Audience) -> Cut {
        let team = self.side(audience).map_or(0, team_bit);
        let sight = |slot: Slot| step.sights().iter().find(|sight| sight.of == slot);
        let mut cut = Cut::default();
        for &(slot, changed) in step.changed() {
            let fields = changed.and(self.visible(audience, slot));
            let (mut patch, seat) = (Patch { slot, fields, seat: false, hidden: None }, changed.has(Fields::SEAT));
            if seat {
                patch.seat = true;
                patch.hidden = Some(!self.sees(audience, slot));
            }
            if let Some(sight) = sight(slot) {
                self.note_sight(&mut patch, audience, sight.gained & team != 0, sight.lost & team != 0);
            }
            cut.push(patch);
        }
        for sight in step.sights() {
            if !step.changed().iter().any(|&(slot, _)| slot == sight.of) {
                let mut patch = Patch { slot: sight.of, fields: Fields::NONE, seat: false, hidden: None };
                self.note_sight(&mut patch, audience, sight.gained & team != 0, sight.lost & team != 0);
                cut.push(patch);
            }
        }
        // In which order things happened to those in the fog is not told either.
        cut.patches.sort_unstable_by_key(|patch| patch.slot);
        cut.events = step.events().iter().map(|event| self.named(step, audience, event)).collect();
        cut
    }

    fn note_sight(&self, patch: &mut Patch, audience: Audience, gained: bool, lost: bool) {
        if gained {
            patch.fields = self.visible(audience, patch.slot);
            patch.seat = true;
            patch.hidden = Some(false);
        } else if lost {
            patch.hidden = Some(true);
        }
    }
}

impl Fight {
    /// Whether fog does not hide the participant in `slot` from `audience`.
    pub fn sees(&self, audience: Audience, slot: Slot) -> bool {
        let Some(of) = self.participant(slot) else { return false };
        match audience {
            _ if self.rules().sight_cm == 0 => true,
            Audience::All | Audience::Spectator => true,
            Audience::Team(_) | Audience::Own(_) => {
                self.side(audience).is_some_and(|team| team == of.team() || of.seen_by() & team_bit(team) != 0)
            }
        }
    }

    /// Whether `audience` saw the participant in a step that has just been taken: also one who was in sight until this very step,
    /// for the last thing a team sees is who strikes it down.
    pub fn saw(&self, step: &Step, audience: Audience, slot: Slot) -> bool {
        let left = |team| step.sights().iter().any(|sight| sight.of == slot && sight.lost & team_bit(team) != 0);
        self.sees(audience, slot) || self.side(audience).is_some_and(left)
    }

    /// Whom an event of a step that has just been taken names to `audience`; `None` where it is not shown at all. What
    /// happens to one in the fog is not shown to who does it either: how much it hurts would tell about the other.
    pub fn named(&self, step: &Step, audience: Audience, event: &Event) -> Option<Named> {
        let seen = |slot: Slot| self.saw(step, audience, slot);
        let (by, to) = event.of();
        let (by, to) = (by.is_none_or(seen), to.is_none_or(seen));
        match event {
            // Seats, status and score are known of those in the fog too.
            Event::Eliminated { .. }
            | Event::Perished { .. }
            | Event::Seated { .. }
            | Event::Ready { .. }
            | Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Came { .. }
            | Event::Went { .. }
            | Event::Forfeited { .. }
            | Event::Turn { .. } => Some(Named { by: true, to: true }),
            Event::Revived { .. } => Some(Named { by, to: true }),
            // Of these `by` is the one that it is about.
            Event::Used { .. }
            | Event::Guard { .. }
            | Event::Casting { .. }
            | Event::Broken { .. }
            | Event::Struck { .. }
            | Event::Destroyed { .. }
            | Event::Spawned { .. }
            | Event::Enraged { .. } => by.then_some(Named { by, to }),
            Event::Hit { .. }
            | Event::Missed { .. }
            | Event::Suffered { .. }
            | Event::Burned { .. }
            | Event::Healed { .. }
            | Event::Affected { .. }
            | Event::Faded { .. } => to.then_some(Named { by, to }),
            Event::Round { .. } | Event::Phase => Some(Named { by, to }),
        }
    }

    /// How many events of a step that has just been taken an audience is told.
    pub fn told_events(&self, step: &Step, audience: Audience) -> usize {
        step.events().iter().filter(|event| self.named(step, audience, event).is_some()).count()
    }

    /// The team that an audience looks with; `None` for those who have no side.
    fn side(&self, audience: Audience) -> Option<u8> {
        match audience {
            Audience::All | Audience::Spectator => None,
            Audience::Team(team) => Some(team),
            Audience::Own(own) => self.participant(own).map(crate::Participant::team),
        }
    }
}

impl Cut {
    fn push(&mut self, patch: Patch) {
        if patch.seat || patch.hidden.is_some() || !patch.fields.is_empty() {
            self.patches.push(patch);
        }
    }
}

/// The bit of a team in a set of teams; no bit for what cannot be a team. There are never more than 128.
pub(crate) const fn team_bit(team: u8) -> u128 {
    if team < 128 { 1 << team } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{Audience, Named, Patch};
    use crate::{Action, BodyPart, Bout, Event, Fields, Fight, Input, Refusal, Rules, Ruleset, Step};

    fn look(fight: &Fight) -> Bout<'_> {
        Bout { fight, ruleset: Ruleset::plain_ref() }
    }

    /// Three participants on their own in a fog; the first is seen by the second alone.
    fn in_fog() -> Fight {
        let rules = Rules { sight_cm: 100, ..Rules::default() };
        let mut fight = Fight::plain(rules, 3, &[11, 12, 13], 7);
        for (slot, seen_by) in (0..).zip([0b011, 0b110, 0b100]) {
            fight.set_seen_by(slot, seen_by);
        }
        fight
    }

    #[test]
    fn what_is_not_there_is_not_seen() {
        for fight in [in_fog(), Fight::plain(Rules::default(), 2, &[11, 12], 7)] {
            for audience in [Audience::All, Audience::Spectator, Audience::Team(0), Audience::Own(0)] {
                assert_eq!(look(&fight).visible(audience, 200), Fields::NONE);
                assert!(!fight.sees(audience, 200));
            }
        }
        for nobody in [Audience::Own(200), Audience::Team(200), Audience::Team(128)] {
            assert_eq!(look(&in_fog()).visible(nobody, 0), Fields::KNOWN, "{nobody:?}");
        }
    }

    #[test]
    fn fog_leaves_what_is_known_and_shows_all_of_who_comes_into_sight() {
        let (fight, mut step) = (in_fog(), Step::default());
        step.touch(0, Fields::HP);
        step.touch(0, Fields::STATUS);
        step.touch(2, Fields::ENERGY);
        let patch = |slot, fields| Patch { slot, fields, seat: false, hidden: None };
        let seen = Fields::HP.or(Fields::STATUS);
        assert_eq!(look(&fight).cut(&step, Audience::Team(1)).patches(), [patch(0, seen)]);
        assert_eq!(look(&fight).cut(&step, Audience::Team(2)).patches(), [patch(0, Fields::STATUS)]);
        assert_eq!(
            look(&fight).cut(&step, Audience::Own(2)).patches(),
            [patch(0, Fields::STATUS), patch(2, Fields::ENERGY)]
        );

        step.sight(0, 0b010, 0b100);
        let all = Ruleset::plain().visibility.all;
        let gained = Patch { slot: 0, fields: all, seat: true, hidden: Some(false) };
        let lost = Patch { slot: 0, fields: Fields::STATUS, seat: false, hidden: Some(true) };
        assert_eq!(look(&fight).cut(&step, Audience::Own(1)).patches(), [gained]);
        assert_eq!(look(&fight).cut(&step, Audience::Team(2)).patches(), [lost]);
        assert_eq!(
            look(&fight).cut(&step, Audience::Spectator).patches(),
            [patch(0, seen)],
            "who has no side has no fog"
        );
    }

    #[test]
    fn events_name_only_who_is_seen_or_was_until_now() {
        let (fight, mut step) = (in_fog(), Step::default());
        step.note(Event::Missed { by: 0, to: 2 });
        step.note(Event::Guard { by: 0 });
        step.note(Event::Eliminated { by: 0, to: 1 });
        let (both, to) = (Some(Named { by: true, to: true }), Some(Named { by: false, to: true }));
        assert_eq!(look(&fight).cut(&step, Audience::Team(1)).events(), [None, both, both], "it missed one in the fog");
        assert_eq!(look(&fight).cut(&step, Audience::Team(2)).events(), [to, None, both]);
        let counted = [Audience::Team(1), Audience::Team(2), Audience::All].map(|of| fight.told_events(&step, of));
        assert_eq!(counted, [2, 2, 3]);
        step.sight(0, 0, 0b100);
        assert_eq!(look(&fight).cut(&step, Audience::Team(2)).events(), [both, both, both]);
    }

    #[test]
    fn who_is_in_the_fog_is_no_other_target_than_nobody() {
        for (sight_cm, nobody) in [(100, Refusal::NoSight), (0, Refusal::NoSuchTarget)] {
            let mut fight = Fight::plain(Rules { sight_cm, ..Rules::default() }, 3, &[11, 12, 13], 7);
            fight.handle(&Ruleset::plain(), 10_000, Input::Tick, &mut Step::default()).unwrap();
            let mut attack = |to| {
                let action = Action::Attack { target: Some(to), part: BodyPart::Torso };
                fight.handle(&Ruleset::plain(), 10_001, Input::Act { slot: 0, id: 0, action }, &mut Step::default())
            };
            assert_eq!((attack(77), attack(1).err()), (Err(nobody), (sight_cm > 0).then_some(nobody)));
            // Also of one that cannot attack yet.
            assert_eq!(attack(77), Err(nobody));
        }
    }

    #[test]
    fn a_step_that_hides_nothing_is_the_same_for_all() {
        let mut fight = Fight::plain(Rules::default(), 2, &[11, 12], 7);
        let mut step = Step::default();
        fight.handle(&Ruleset::plain(), 10_000, Input::Tick, &mut step).unwrap();
        assert!(fight.lifecycle().is_fighting() && !step.is_empty());
        step.touch(0, Fields::HP);
        assert!(look(&fight).same_for_all(&step));
        assert_eq!(look(&fight).cut(&step, Audience::Own(0)), look(&fight).cut(&step, Audience::All));
        step.touch(0, Fields::ENERGY);
        assert!(!look(&fight).same_for_all(&step));
        assert_ne!(look(&fight).cut(&step, Audience::Own(0)), look(&fight).cut(&step, Audience::Own(1)));
        assert_eq!(look(&fight).cut(&step, Audience::Team(0)), look(&fight).cut(&step, Audience::Own(1)));
        assert!(!look(&in_fog()).same_for_all(&Step::default()), "fog takes a cut for each");
    }
}
