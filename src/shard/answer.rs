//! What a session answers to an action, in the words of the wire.

use tiltyard_combat::ruleset::Resource;
use tiltyard_combat::{Answer, Refusal as Refused, Slot};
use tiltyard_protocol::server::{Ack, Forgotten, Refused as RefusedNotice};
use tiltyard_protocol::{Reason, ServerMessage};

use super::session::Session;
use crate::session::Refusal;

/// What is said of a velocity beside that it is too fast.
const OVERSPEED: &str = "vx, vy: that is faster than the player can move.";

/// The answer to action `id` of `slot`.
pub fn answer_of(session: &Session, slot: Slot, id: u64, answer: Answer) -> ServerMessage {
    let s = session.handle();
    match answer {
        Ok(q) => ServerMessage::Ack(Ack { s, id, q, ..Ack::default() }),
        Err(Refused::StaleId) => ServerMessage::Forgotten(forgotten(session, slot, id)),
        Err(refused) => {
            let Refusal { reason, retry_ms, .. } = refusal(refused, session.fight.now());
            let notice = RefusedNotice { retry_ms, ..RefusedNotice::new(s, id, reason) };
            ServerMessage::Refused(match refused {
                Refused::TooFast => with_allowed(notice, session, slot),
                Refused::Overspeed => {
                    RefusedNotice { message: Some(OVERSPEED.to_owned()), ..with_allowed(notice, session, slot) }
                }
                _ => notice,
            })
        }
    }
}

/// What is known of an action whose answer is not.
fn forgotten(session: &Session, slot: Slot, id: u64) -> Forgotten {
    let answers = session.fight.participant(slot).map(tiltyard_combat::Participant::answers);
    let never = answers.is_some_and(|answers| answers.was_never_applied(id));
    let last_id = answers.map_or(0, tiltyard_combat::Remembered::last_id);
    Forgotten { s: session.handle(), id, applied: never.then_some(false), last_id }
}

/// With where the participant is, and how far it can be from there.
fn with_allowed(notice: RefusedNotice, session: &Session, slot: Slot) -> RefusedNotice {
    let at = session.fight.participant(slot).map(tiltyard_combat::Participant::at);
    let allowed_cm = session.fight.allowed_cm(&session.ruleset, slot);
    let allowed_cm = Some(u32::try_from(allowed_cm).unwrap_or(u32::MAX));
    RefusedNotice { x: at.map(|at| at.x), y: at.map(|at| at.y), allowed_cm, ..notice }
}

/// What the outside calls a fight's refusal, at session time `now`.
pub fn refusal(refused: Refused, now: u64) -> Refusal {
    let (reason, until) = match refused {
        Refused::Ended => (Reason::SessionEnded, None),
        Refused::WrongPhase => (Reason::WrongPhase, None),
        Refused::InvalidTransition => (Reason::InvalidTransition, None),
        Refused::Paused => (Reason::Paused, None),
        Refused::NoSeat => (Reason::NotAParticipant, None),
        Refused::Full => (Reason::SessionFull, None),
        Refused::AlreadySeated => (Reason::AlreadySeated, None),
        Refused::Eliminated => (Reason::Eliminated, None),
        Refused::StaleId => (Reason::StaleActionId, None),
        Refused::Unavailable => (Reason::ActionUnavailable, None),
        Refused::NeedsTarget => (Reason::NeedsTarget, None),
        Refused::NoSuchTarget => (Reason::NoSuchTarget, None),
        Refused::InvalidTarget => (Reason::InvalidTarget, None),
        Refused::Cooldown { until } => (Reason::Cooldown, Some(until)),
        Refused::Stamina { until } => (Reason::NotEnoughStamina, Some(until)),
        Refused::RateLimited { until } => (Reason::RateLimited, Some(until)),
        Refused::Failed => (Reason::Internal, None),
        Refused::NotEnough { of, until } => (lacking(of), Some(until)),
        Refused::Reloading { until } => (Reason::Reloading, Some(until)),
        Refused::UsedUp => (Reason::UsedUp, None),
        Refused::NeedsPlace => (Reason::NeedsPlace, None),
        Refused::OutOfRange => (Reason::OutOfRange, None),
        Refused::NoSight => (Reason::NoSight, None),
        Refused::TooFast | Refused::Overspeed => (Reason::TooFast, None),
        Refused::OutOfBounds => (Reason::OutOfBounds, None),
        Refused::Blocked => (Reason::Blocked, None),
        Refused::Stunned => (Reason::Stunned, None),
        Refused::Denied => (Reason::Denied, None),
        Refused::Busy => (Reason::Busy, None),
        Refused::NotYourTurn => (Reason::NotYourTurn, None),
    };
    let retry_ms = until.and_then(|until| u32::try_from(until.saturating_sub(now)).ok());
    Refusal { retry_ms, ..Refusal::from(reason) }
}

const fn lacking(of: Resource) -> Reason {
    match of {
        Resource::Stamina => Reason::NotEnoughStamina,
        Resource::Energy => Reason::NotEnoughEnergy,
        Resource::Charge => Reason::NotEnoughCharge,
        Resource::Ammo => Reason::NotEnoughAmmo,
    }
}
