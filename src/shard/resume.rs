//! How who comes back to a session is brought up to date: by the deltas behind the sequence that it has, or by a snapshot, and why.

use tiltyard_combat::{Input, Slot};
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::{Resume, ResumeWhy};

use super::admission::Has;
use super::connection::LeftOut;
use super::form;
use super::history::{Acted, History, Kept, Wanted};
use super::session::Session;
use super::stats::Stats;

/// How a client is brought up to date.
#[derive(Debug)]
pub enum Course {
    Deltas(Vec<Kept>),
    /// And why, where it has said what it has.
    Snapshot(Option<ResumeWhy>),
}

impl Course {
    /// Of one who joins `session` in this slot and encoding, and has that of it; which is looked at only where it has not been told of it
    /// all along.
    pub fn of(history: &History, session: &Session, slot: Slot, encoding: Encoding, has: Has, is_new: bool) -> Self {
        let (newest, epoch) = (session.fight.seq(), session.epoch());
        if has.is_ahead_of(newest, epoch) {
            return Self::Snapshot(Some(ResumeWhy::RolledBack));
        }
        // Who says only the one does not go on from there.
        let Some((seq, its)) = has.seq.zip(has.epoch).filter(|_| is_new) else { return Self::Snapshot(None) };
        if its != epoch {
            return Self::Snapshot(Some(ResumeWhy::ChangedHands));
        }
        let applied = session.applied_by(slot).unwrap_or_default();
        match history.since(&session.history, &Wanted { slot, encoding, seq, newest, applied }) {
            Ok(kept) => Self::Deltas(kept),
            Err(why) => Self::Snapshot(Some(why)),
        }
    }

    /// As `joined` says it.
    pub const fn told(&self) -> (Resume, Option<ResumeWhy>) {
        match self {
            Self::Deltas(_) => (Resume::Deltas, None),
            Self::Snapshot(why) => (Resume::Snapshot, *why),
        }
    }

    /// What the snapshot of it stands for, where the client has sequence `seq` and the session `newest`.
    pub fn left_out(&self, seq: Option<u64>, newest: u64) -> Option<LeftOut> {
        let Self::Snapshot(Some(why)) = self else { return None };
        let from = seq.filter(|&seq| *why != ResumeWhy::RolledBack && seq < newest)? + 1;
        Some(LeftOut { from, events: None })
    }

    /// Counts it.
    pub fn count(&self, stats: &mut Stats) {
        match self {
            Self::Deltas(kept) => {
                stats.resumed += 1;
                stats.resumed_deltas += kept.len() as u64;
            }
            Self::Snapshot(None) => {}
            Self::Snapshot(Some(why)) => {
                *match why {
                    ResumeWhy::TooOld => &mut stats.resumes_too_old,
                    ResumeWhy::ChangedHands => &mut stats.resumes_changed_hands,
                    ResumeWhy::RolledBack => &mut stats.rolled_back,
                    ResumeWhy::OtherEncoding => &mut stats.resumes_other_encoding,
                    // Read, and never sent.
                    ResumeWhy::Unknown => return,
                } += 1;
            }
        }
    }
}

/// The frames of these deltas, as they were or would have been sent.
pub fn frames(history: &History, encoding: Encoding, kept: &[Kept]) -> Vec<u8> {
    let mut frames = Vec::new();
    for &(place, id) in kept {
        form::append(encoding, id, history.common(place), &mut frames);
    }
    frames
}

impl Session {
    /// The highest action of a slot's participant that is applied.
    pub fn applied_by(&self, slot: Slot) -> Option<u64> {
        self.fight.participant(slot).map(|participant| participant.answers().applied())
    }
}

/// The highest action of whoever acts that is applied.
pub fn applied_of(session: &Session, input: Input) -> Option<u64> {
    if let Input::Act { slot, .. } = input { session.applied_by(slot) } else { None }
}

/// Whose action has been applied by an input before which that was `before`.
pub fn acted(session: &Session, input: Input, before: Option<u64>) -> Acted {
    let Input::Act { slot, .. } = input else { return None };
    Some((slot, before?)).filter(|_| session.applied_by(slot) != before)
}
