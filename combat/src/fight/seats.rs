//! Who takes part: seats, connections, forfeits.

use super::{Eliminated, Fight};
use crate::budget::CONNECTS;
use crate::participant::Link;
use crate::participant::ParticipantStatus::{Active, Disconnected};
use crate::ruleset::Activity;
use crate::{Arrival, EndReason, Event, Fields, Millis, Participant, Parting, PlayerId, Refusal, Ruleset, Slot, Step};

impl Fight {
    /// A new participant in this seat, which is the next or has been given up, of the team that the seat is dealt to.
    pub(super) fn put_player(&mut self, ruleset: &Ruleset, slot: Slot, player: PlayerId) {
        let seat = usize::from(slot);
        let team = match (self.teams.get(seat), u8::try_from(self.rules.teams)) {
            _ if self.against_server(ruleset) => 0,
            (Some(&team), _) => team,
            (None, Ok(teams)) if teams > 0 => slot % teams,
            (None, _) => slot,
        };
        let mut participant = Participant::new(player, team, &self.rules, self.clock.now);
        participant.activity = ruleset.activity.start;
        self.wake(participant.forfeit_at);
        if let Some(before) = self.participants.get_mut(slot) {
            if before.player != player {
                self.given_up.get_or_insert_default().seats.push((slot, before.player));
            }
            *before = participant;
        } else {
            self.participants.push(participant);
        }
        self.place_at_start(ruleset, slot);
    }

    /// The seats that were given up while the fight waits for others to be taken.
    pub(super) fn vacant(&self) -> impl Iterator<Item = Slot> + use<'_> {
        let waits = !self.gathered && !self.lifecycle.has_started();
        (0..).zip(&self.participants).filter(move |(_, p)| waits && p.forfeited).map(|(slot, _)| slot)
    }

    /// Where the player can sit down: a seat it has given up, or another that was, or the next.
    pub(super) fn free_seat(&self, player: PlayerId) -> Result<Slot, Refusal> {
        if let Some(slot) = self.slot_of(player) {
            return if self.is_vacant(slot) { Ok(slot) } else { Err(Refusal::AlreadySeated) };
        }
        if self.given_up().len() < super::MOST_GIVEN_UP
            && let Some(slot) = self.vacant().next()
        {
            return Ok(slot);
        }
        // Enemies have the slots behind the players': with these there, nobody can be put in front of them.
        let blocked = self.participants.last().is_some_and(|p| p.enemy.is_some());
        let next = u8::try_from(self.participants.len()).ok().filter(|&next| !blocked && next < self.seats);
        next.ok_or(Refusal::Full)
    }

    pub(super) fn seat(&mut self, ruleset: &Ruleset, player: PlayerId, step: &mut Step) -> Result<(), Refusal> {
        let slot = self.expect_free_seat(player)?;
        self.put_player(ruleset, slot, player);
        step.touch(slot, Fields::SEAT);
        step.note(Event::Seated { by: slot });
        self.look_around(ruleset, step);
        let gathered = self.seats_taken() >= usize::from(self.seats);
        if self.lifecycle.has_started() {
            self.join_turns(slot);
            self.give_passives(ruleset, slot, step);
        } else if gathered {
            self.lifecycle.prepare_until(self.clock.now + u64::from(self.rules.preparation_ms));
            step.phase();
        }
        self.gathered |= gathered;
        Ok(())
    }

    /// A participant does something: it is there, connected or not.
    pub(super) fn hear_of(&mut self, slot: Slot) {
        if self.expect_player(slot).is_ok_and(|p| p.link == Link::Awaited) {
            let participant = &mut self.participants[slot];
            participant.link = Link::Never;
            participant.forfeit_at = Millis::MAX;
        }
    }

    pub(super) fn ready(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        if !self.expect_unready(slot)? {
            self.participants[slot].ready = true;
            step.touch(slot, Fields::READY);
            step.note(Event::Ready { by: slot });
        }
        self.start_if_all_ready(ruleset, step);
        Ok(())
    }

    pub(super) fn connect(&mut self, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        if self.expect_player(slot)?.link == Link::Up {
            return Ok(());
        }
        self.spend_connect(slot)?;
        let participant = &mut self.participants[slot];
        let was = std::mem::replace(&mut participant.link, Link::Up);
        if self.lifecycle.is_ended() {
            return Ok(());
        }
        participant.forfeit_at = Millis::MAX;
        let why = if was == Link::Down { Arrival::Returned } else { Arrival::Joined };
        step.note(Event::Came { by: slot, why });
        if participant.status == Disconnected {
            participant.status = Active;
            step.touch(slot, Fields::STATUS);
        }
        Ok(())
    }

    /// A newer connection in the place of an older one: all stays as it is, and is told.
    pub(super) fn replace(&mut self, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        if self.expect_player(slot)?.link != Link::Up {
            return self.connect(slot, step);
        }
        self.spend_connect(slot)?;
        if !self.lifecycle.is_ended() {
            step.note(Event::Came { by: slot, why: Arrival::Replaced });
        }
        Ok(())
    }

    fn spend_connect(&mut self, slot: Slot) -> Result<(), Refusal> {
        let spent = self.participants[slot].connects.spend(self.clock.host, CONNECTS);
        spent.map_err(|wait| Refusal::RateLimited { until: self.clock.now.saturating_add(wait) })
    }

    /// Why it has no connection any more is not known of what older engines were told.
    pub(super) fn disconnect(&mut self, slot: Slot, why: Option<Parting>, step: &mut Step) -> Result<(), Refusal> {
        if self.expect_player(slot)?.link != Link::Up {
            return Ok(());
        }
        let participant = &mut self.participants[slot];
        participant.link = Link::Down;
        if self.lifecycle.is_ended() {
            return Ok(());
        }
        step.note(why.map_or(Event::Disconnected { by: slot }, |why| Event::Went { by: slot, why }));
        if participant.status == Active {
            let forfeit_at = self.clock.now + u64::from(self.rules.reconnect_ms);
            participant.status = Disconnected;
            participant.forfeit_at = forfeit_at;
            step.touch(slot, Fields::STATUS);
            self.wake(forfeit_at);
        }
        Ok(())
    }

    /// Everybody whose time to come back was over by `due`.
    pub(super) fn forfeit_late(&mut self, ruleset: &Ruleset, due: Millis, step: &mut Step) {
        for slot in self.slots() {
            if self.participants[slot].forfeit_at <= due {
                self.forfeit(ruleset, slot, step);
            }
        }
    }

    /// A participant gives up, whether it stands or waits for the next round.
    pub(super) fn concede(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        self.expect_seat_to_give_up(slot)?;
        self.forfeit(ruleset, slot, step);
        Ok(())
    }

    fn forfeit(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        self.participants[slot].forfeited = true;
        if self.participants[slot].status != Eliminated {
            self.fall(ruleset, slot, step);
        }
        step.note(Event::Forfeited { by: slot });
        self.fallen.get_or_insert(EndReason::Forfeit);
    }

    /// Out of the fight, for this round at least. Whoever calls it says why, and that it has to be judged.
    pub(super) fn fall(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let participant = &mut self.participants[slot];
        participant.status = Eliminated;
        participant.forfeit_at = Millis::MAX;
        step.touch(slot, Fields::STATUS);
        self.do_activity(ruleset, slot, Activity::Down, step);
        self.look_from(ruleset, slot, step);
    }

    /// Whoever plays in `slot`.
    pub(super) fn expect_player(&self, slot: Slot) -> Result<&Participant, Refusal> {
        self.participants.get(slot).filter(|p| p.enemy.is_none()).ok_or(Refusal::NoSeat)
    }
}
