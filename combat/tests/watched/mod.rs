//! A fight under watch: every input goes through here, and whatever must be true of every step is checked.

use crate::hosted::Hosted;
use tiltyard_combat::motion::FULL_TURN;
use tiltyard_combat::ruleset::EffectId;
use tiltyard_combat::status::Active;
use tiltyard_combat::{
    ActionKind, Answer, EndReason, Event, Fields, Input, Millis, Mode, Participant, ParticipantStatus, Slot, Step,
    Thing,
};

pub struct Watched {
    fight: Hosted,
    step: Step,
}

impl Watched {
    pub fn new(fight: Hosted) -> Self {
        Self { fight, step: Step::default() }
    }

    pub fn fight(&self) -> &Hosted {
        &self.fight
    }

    pub fn step(&self) -> &Step {
        &self.step
    }

    pub fn handle(&mut self, at: Millis, input: Input) -> Answer {
        let before = self.fight.clone();
        self.step.clear();
        let answer = self.fight.handle(at, input, &mut self.step);
        let watch = Watch { before: &before, after: &self.fight, step: &self.step, at, input, answer };
        watch.numbers_stay_in_bounds();
        watch.health_is_accounted_for();
        watch.sequence_counts_the_steps_that_show_something();
        watch.clock_goes_on_unless_paused();
        watch.deadline_is_ahead();
        watch.eliminated_are_out();
        watch.every_change_is_named();
        watch.who_cannot_move_stands();
        watch.decided_once();
        watch.ended_shows_nothing();
        if answer.is_err() {
            watch.refused_is_as_if_only_time_had_passed();
        }
        answer
    }
}

/// One step, before and after.
struct Watch<'a> {
    before: &'a Hosted,
    after: &'a Hosted,
    step: &'a Step,
    at: Millis,
    input: Input,
    answer: Answer,
}

impl Watch<'_> {
    fn numbers_stay_in_bounds(&self) {
        let (rules, totals) = (self.after.rules(), self.after.totals());
        let everybody = self.after.participants();
        for p in everybody {
            let most = p.enemy().map_or(rules.health, |_| u32::MAX);
            assert!(p.hp() <= most);
            assert!(p.stamina().milli() <= rules.stamina * 1000);
            assert!(p.stamina().at() <= self.after.now());
            assert!(p.energy().milli() <= rules.energy * 1000);
            assert!(p.energy().at() <= self.after.now());
            assert!(p.charge() <= 100);
            assert!(p.ammo() <= rules.ammo);
            assert!(p.effects().len() <= 16);
            assert!(p.hp() > 0 || p.status() == ParticipantStatus::Eliminated);
            assert!(p.facing() < FULL_TURN);
        }
        let players = everybody.iter().take_while(|p| p.enemy().is_none());
        assert!(players.count() <= usize::from(self.after.seats()));
        // Enemies that are gone have taken what they did with them.
        let sum = everybody.iter().map(Participant::damage).sum::<u64>();
        assert!(sum <= totals.damage);
        assert!(sum == totals.damage || self.after.mode() == Mode::Pve);
        assert!(everybody.iter().map(Participant::eliminations).sum::<u32>() <= totals.eliminations);
    }

    /// Health goes and comes for a reason, and what is taken is counted as damage.
    fn health_is_accounted_for(&self) {
        let mut lost = 0;
        for (slot, was, is) in self.both() {
            let all_new = self.named(slot, Fields::SEAT);
            let hurt = |event: &Event| match *event {
                Event::Hit { to, damage, .. }
                | Event::Suffered { to, damage, .. }
                | Event::Burned { to, damage, .. } => to == slot && damage > 0,
                _ => false,
            };
            // Enemies of the round before are sent away.
            let dismissed = is.enemy().is_some() && is.hp() == 0 && self.step.phase_changed();
            let healed =
                |event: &Event| matches!(*event, Event::Healed { to, .. } | Event::Revived { to, .. } if to == slot);
            assert!(
                is.hp() >= was.hp() || all_new || dismissed || self.step.events().iter().any(hurt),
                "p{slot} lost health"
            );
            assert!(is.hp() <= was.hp() || all_new || self.step.events().iter().any(healed), "p{slot} gained health");
            lost += u64::from(was.hp().saturating_sub(is.hp()));
        }
        let mended = self.step.events().iter().any(|event| match event {
            // What one does to oneself, as a hazard's effect does, is nobody's merit.
            Event::Suffered { by, to, .. } => by == to,
            Event::Healed { .. } | Event::Revived { .. } | Event::Burned { .. } | Event::Affected { .. } => true,
            _ => false,
        });
        let shields = self.both().any(|(_, was, is)| was.shield() != is.shield());
        let all_new = self.step.changed().iter().any(|(_, fields)| fields.has(Fields::SEAT));
        if !mended && !shields && !all_new {
            assert_eq!(self.after.totals().damage - self.before.totals().damage, lost, "damage is the health taken");
        }
    }

    fn sequence_counts_the_steps_that_show_something(&self) {
        assert_eq!(self.after.seq(), self.before.seq() + u64::from(!self.step.is_empty()));
        let Input::Act { slot, id, .. } = self.input else {
            assert!(self.answer.is_err() || self.answer == Ok(self.after.seq()));
            return;
        };
        match self.before.remembered(slot, id) {
            Some(first) => {
                assert_eq!(self.answer, first, "a repeat gets the first answer");
                let counted = |fight: &Hosted| (fight.totals().actions, fight.totals().refused);
                assert_eq!(counted(self.after), counted(self.before), "and counts once");
            }
            None if id > 0 && usize::from(slot) < self.after.participants().len() => {
                let for_good = self.answer.is_ok() || self.answer.is_err_and(|refusal| refusal.until().is_none());
                assert_eq!(self.after.remembered(slot, id), for_good.then_some(self.answer));
            }
            None => assert!(self.answer.is_err() || self.answer == Ok(self.after.seq())),
        }
    }

    fn clock_goes_on_unless_paused(&self) {
        assert!(self.after.now() >= self.before.now());
        if self.before.lifecycle().is_paused() {
            assert_eq!(self.after.now(), self.before.now(), "paused, so no time passed");
        }
        if !self.after.lifecycle().is_paused() {
            assert_eq!(self.after.host_now(), self.at, "no time is lost or gained");
        }
    }

    fn deadline_is_ahead(&self) {
        let life = self.after.lifecycle();
        let due = self.after.deadline();
        assert_eq!(due.is_none(), life.is_paused() || life.is_ended());
        // What takes no time, as a reconnect window of zero, is due in the next tick; after a tick nothing is.
        let soonest = if self.input == Input::Tick { self.at + 1 } else { self.at };
        assert!(due.is_none_or(|due| due >= soonest), "due {due:?} at {}", self.at);
    }

    fn eliminated_are_out(&self) {
        for (slot, was, is) in self.both() {
            let back = self.step.events().iter().any(|event| matches!(*event, Event::Revived { to, .. } if to == slot));
            if was.status() != ParticipantStatus::Eliminated || back || self.named(slot, Fields::SEAT) {
                continue;
            }
            assert_eq!(is.status(), ParticipantStatus::Eliminated);
            assert_eq!((was.at(), was.shield(), was.ammo()), (is.at(), is.shield(), is.ammo()));
            assert!(is.effects().is_empty() && is.cast().is_none(), "p{slot} is out");
            for &event in self.step.events() {
                let acted = matches!(
                    event,
                    Event::Guard { by } | Event::Casting { by, .. } | Event::Used { by, .. } | Event::Missed { by, .. }
                    if by == slot
                );
                let hit = matches!(
                    event,
                    Event::Hit { to, .. } | Event::Suffered { to, .. } | Event::Eliminated { to, .. } if to == slot
                );
                assert!(!acted && !hit, "p{slot} is out: {event:?}");
            }
        }
    }

    /// Clients are only sent what a step names: each field that changed has to be among them.
    fn every_change_is_named(&self) {
        let (before, after) = (self.before.participants(), self.after.participants());
        for slot in before.len()..after.len() {
            assert!(self.named(u8::try_from(slot).expect("a slot"), Fields::SEAT));
        }
        assert!(after.len() >= before.len() || self.step.phase_changed());
        for (slot, was, is) in self.both() {
            let told = |same: bool, fields: Fields| assert!(same || self.named(slot, fields), "p{slot}: {fields:?}");
            told(was.player() == is.player(), Fields::SEAT);
            told(was.team() == is.team() && was.enemy() == is.enemy(), Fields::SEAT);
            told(was.status() == is.status(), Fields::STATUS);
            told(was.is_ready() == is.is_ready(), Fields::READY);
            told(was.hp() == is.hp(), Fields::HP);
            told(was.armor() == is.armor(), Fields::ARMOR);
            told(was.shield() == is.shield(), Fields::SHIELD);
            told(was.stamina() == is.stamina(), Fields::STAMINA);
            told(was.energy() == is.energy(), Fields::ENERGY);
            told(was.charge() == is.charge(), Fields::CHARGE);
            told((was.ammo(), was.reload_at()) == (is.ammo(), is.reload_at()), Fields::AMMO);
            told(was.guard_until() == is.guard_until(), Fields::GUARD);
            told(was.score() == is.score(), Fields::SCORE);
            told(was.at() == is.at(), Fields::PLACE);
            told(was.facing() == is.facing(), Fields::PLACE.or(Fields::FACING));
            told(was.velocity() == is.velocity(), Fields::PLACE.or(Fields::VELOCITY));
            told(was.effects().iter().map(shown).eq(is.effects().iter().map(shown)), Fields::EFFECTS);
            let cast = |p: &Participant| p.cast().map(|cast| (cast.ability(), cast.until()));
            told(cast(was) == cast(is), Fields::CAST);
            told(was.used() == is.used(), Fields::COOLDOWNS);
            told(was.activity() == is.activity(), Fields::ACTIVITY);
            told(was.enemy_phase() == is.enemy_phase(), Fields::RAGE);
        }
        assert!(self.before.lifecycle() == self.after.lifecycle() || self.step.phase_changed());
        self.every_change_of_the_field_is_named();
    }

    fn every_change_of_the_field_is_named(&self) {
        let (was, is) = (self.before.field(), self.after.field());
        let told = |same: bool, thing: Thing| assert!(same || self.step.things().contains(&thing), "{thing:?}");
        for (cover, (was, is)) in (0_u8..).zip(was.covers().iter().zip(is.covers())) {
            told(was == is, Thing::Cover(cover));
        }
        for (hazard, (was, is)) in (0_u8..).zip(was.hazards().iter().zip(is.hazards())) {
            told((was.health(), was.is_gone()) == (is.health(), is.is_gone()), Thing::Hazard(hazard));
        }
        assert!(was.modifiers() == is.modifiers() || self.step.modifiers_changed());
    }

    /// Everybody who was there before and is there still.
    fn both(&self) -> impl Iterator<Item = (Slot, &Participant, &Participant)> {
        let both = self.before.participants().iter().zip(self.after.participants());
        (0_u8..).zip(both).map(|(slot, (was, is))| (slot, was, is))
    }

    fn named(&self, slot: Slot, fields: Fields) -> bool {
        self.step.changed().iter().any(|&(changed, set)| changed == slot && set.has(fields))
    }

    /// Whoever goes somewhere can: it stands, is there, and nothing that it is doing or suffering forbids it.
    fn who_cannot_move_stands(&self) {
        let (life, ruleset) = (self.after.lifecycle(), self.after.ruleset());
        let fought = life.is_fighting() && !life.is_paused();
        for (slot, p) in (0_u8..).zip(self.after.participants()) {
            if p.velocity().is_zero() {
                continue;
            }
            let effects = p.effects().iter().map(Active::effect).chain(self.after.field().modifiers().iter().copied());
            let denied = effects.into_iter().any(|effect| ruleset.effect(effect).denies.has(ActionKind::Move));
            let allowed = ruleset.activity.state(p.activity()).is.allows.has(ActionKind::Move);
            let has_turn = self.after.turn().is_none_or(|turn| turn.slot() == slot);
            let can = fought && p.status() == ParticipantStatus::Active && allowed && !denied && has_turn;
            assert!(can, "p{slot} cannot move and goes {:?}", p.velocity());
        }
    }

    fn decided_once(&self) {
        let (was, is) = (self.before.lifecycle(), self.after.lifecycle());
        assert_eq!(self.step.decided(), was.end().is_none() && is.end().is_some());
        if was.end().is_some() {
            assert_eq!((was.end(), was.winner()), (is.end(), is.winner()), "a result stays");
            assert_eq!(self.before.standings(), self.after.standings(), "a result stays");
        }
        if let Some(winner) = is.winner() {
            // Rounds that were won before, an effect that outlives who put it there, and that all others leave between two
            // rounds also wins for the fallen.
            let fallen = self.after.participants()[usize::from(winner)].status() == ParticipantStatus::Eliminated;
            assert!(
                !fallen || matches!(is.end(), Some(EndReason::RoundsWon | EndReason::ScoreLimit | EndReason::Forfeit)),
                "{:?}",
                is.end()
            );
            assert_eq!(self.after.standings().first(), Some(&winner));
        }
    }

    fn ended_shows_nothing(&self) {
        if self.before.lifecycle().is_ended() {
            assert!(self.step.is_empty(), "shown after the end: {:?}", self.step);
        }
    }

    fn refused_is_as_if_only_time_had_passed(&self) {
        let (mut waited, mut step) = (self.before.clone(), Step::default());
        assert!(waited.handle(self.at, Input::Tick, &mut step).is_ok());
        assert_eq!((step.events(), step.changed()), (self.step.events(), self.step.changed()));
        assert_eq!(waited.lifecycle(), self.after.lifecycle());
        assert_eq!(waited.deadline(), self.after.deadline());
        assert!(waited.participants().iter().map(view).eq(self.after.participants().iter().map(view)));
    }
}

/// What a client is shown of an effect.
fn shown(effect: &Active) -> (EffectId, u8, Millis) {
    (effect.effect(), effect.stacks(), effect.until())
}

/// All of a participant but its last answers and what fair play counts.
pub fn view(p: &Participant) -> impl PartialEq + std::fmt::Debug + use<> {
    let seat = (p.player(), p.team(), p.enemy(), p.enemy_phase(), p.status(), p.is_ready(), p.is_connected());
    let body = (p.hp(), p.armor(), p.shield(), p.stamina(), p.energy(), p.charge(), p.ammo(), p.reload_at());
    let motion = (p.facing(), p.velocity());
    let doing = (p.at(), p.activity(), p.guard_until(), p.cast().copied(), p.effects().to_vec(), p.used().to_vec());
    (seat, body, (doing, motion), p.score(), p.eliminations(), p.damage())
}
