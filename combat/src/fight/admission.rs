//! What need not be handled: inputs that change nothing, and those that are over their participant's budget. A host that asks
//! first keeps them out of its log, so that nobody can fill it with them.

use super::{Eliminated, Fight};
use crate::budget::{Allowance, CONNECTS};
use crate::fair_play::Flag;
use crate::participant::Link;
use crate::{Input, Millis, Participant, PlayerId, Refusal, Slot};

impl Fight {
    /// What `input` would be answered at the host's time, where it would change nothing; `None` where it has to be handled. The
    /// first action over a budget has to be: it is a matter of fair play.
    pub fn turned_away(&self, host_now: Millis, input: Input) -> Option<Result<(), Refusal>> {
        match input {
            Input::Act { slot, .. } => self.is_over_budget(host_now, slot).map(Err),
            Input::Connect { slot } => {
                let participant = self.player(slot)?;
                if participant.link == Link::Up {
                    return Some(Ok(()));
                }
                participant.connects.left(host_now, CONNECTS).err().map(|wait| Err(self.limited(host_now, wait)))
            }
            Input::Replace { slot } => {
                let participant = self.player(slot)?;
                if participant.link == Link::Up && self.lifecycle.is_ended() {
                    return Some(Ok(()));
                }
                participant.connects.left(host_now, CONNECTS).err().map(|wait| Err(self.limited(host_now, wait)))
            }
            Input::Disconnect { slot } | Input::Part { slot, .. } => {
                (self.player(slot)?.link != Link::Up).then_some(Ok(()))
            }
            // Time may have to bring something about first.
            _ if self.deadline().is_some_and(|due| due <= host_now) => None,
            Input::Ready { slot } => match self.expect_unready(slot) {
                Ok(ready) => ready.then_some(Ok(())),
                Err(refusal) => Some(Err(refusal)),
            },
            Input::Seat { player } => self.expect_free_seat(player).err().map(Err),
            Input::Concede { slot } => self.expect_seat_to_give_up(slot).err().map(Err),
            _ => None,
        }
    }

    fn is_over_budget(&self, host_now: Millis, slot: Slot) -> Option<Refusal> {
        let allowed = Allowance::per_second(self.rules.actions_per_second)?;
        let participant = self.player(slot)?;
        let wait = participant.actions.left(host_now, allowed).err()?;
        // That nobody acts now is said before that this one has acted too often.
        if let Err(refusal) = self.lifecycle.expect_fighting() {
            return Some(refusal);
        }
        let raises = participant.conduct.quiet_until(Flag::Rate) <= self.time_at(host_now);
        (!raises).then(|| self.limited(host_now, wait))
    }

    fn limited(&self, host_now: Millis, wait: Millis) -> Refusal {
        Refusal::RateLimited { until: self.time_at(host_now).saturating_add(wait) }
    }

    fn player(&self, slot: Slot) -> Option<&Participant> {
        self.expect_player(slot).ok()
    }

    /// Whether a participant who can say that it is ready has said so already.
    pub(super) fn expect_unready(&self, slot: Slot) -> Result<bool, Refusal> {
        let participant = self.expect_player(slot)?;
        self.lifecycle.expect_preparing()?;
        if participant.status == Eliminated { Err(Refusal::Eliminated) } else { Ok(participant.ready) }
    }

    /// Whether there is a seat that a player can give up: in a fight that is not decided.
    pub(super) fn expect_seat_to_give_up(&self, slot: Slot) -> Result<(), Refusal> {
        let participant = self.expect_player(slot)?;
        if self.lifecycle.is_ended() {
            return Err(Refusal::Ended);
        }
        if self.lifecycle.is_paused() {
            return Err(Refusal::Paused);
        }
        if self.lifecycle.end().is_some() {
            return Err(Refusal::WrongPhase);
        }
        if participant.forfeited { Err(Refusal::Eliminated) } else { Ok(()) }
    }

    /// Whether there is a seat for the player, and which.
    pub(super) fn expect_free_seat(&self, player: PlayerId) -> Result<Slot, Refusal> {
        if self.rules.late_join == 0 || !self.lifecycle.is_fighting() {
            self.lifecycle.expect_preparing()?;
        }
        self.free_seat(player)
    }
}
