//! A player whose connection is cut again and again: what it has of its fight, what it has asked for, and whether what it is told fits both.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Serialize;
use tiltyard_protocol::client::Join;
use tiltyard_protocol::server::{Ack, Resume, ResumeWhy};
use tiltyard_protocol::{ClientMessage, ServerMessage, View};
use uuid::Uuid;

use crate::quick;
use tiltyard_loadtest::words::as_told;

/// What all have been told together.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Counts {
    pub cuts: u64,
    /// Who came back: by the deltas that it had missed, or by a snapshot and why.
    pub by_deltas: u64,
    pub by_snapshot: BTreeMap<String, u64>,
    pub sent: u64,
    /// Of these, those that were sent again as the first had no answer.
    pub again: u64,
    pub acked: u64,
    pub refused: BTreeMap<String, u64>,
    pub deltas: u64,
    pub digests: u64,
}

/// The player.
#[derive(Debug)]
pub struct Guest {
    id: Uuid,
    slot: u8,
    players: u8,
    handle: u32,
    view: View,
    /// The newest sequence it has, and the epoch under which it was told that; 0 before the first.
    pub seq: u64,
    epoch: u64,
    /// The highest of its actions that the view shows.
    applied: u64,
    next_id: u64,
    /// Its actions that have no answer, and at whom they are aimed.
    waiting: BTreeMap<u64, u8>,
    pub acked: u64,
    /// The newest sequence that an answer of it named.
    pub newest: u64,
    /// In the session, and with its view.
    pub is_in: bool,
}

impl Guest {
    pub fn new(id: Uuid, slot: u8, players: u8) -> Self {
        Self {
            id,
            slot,
            players,
            handle: 0,
            view: View::default(),
            seq: 0,
            epoch: 0,
            applied: 0,
            next_id: 1,
            waiting: BTreeMap::new(),
            acked: 0,
            newest: 0,
            is_in: false,
        }
    }

    pub fn waits(&self) -> usize {
        self.waiting.len()
    }

    /// Health that all in its fight have lost, as it sees it.
    pub fn damage(&self, health: u64) -> u64 {
        self.view.participants.iter().map(|of| health.saturating_sub(of.hp.into())).sum()
    }

    /// Its connection is gone.
    pub const fn is_cut(&mut self) {
        self.is_in = false;
    }

    /// With what it has, if it has anything.
    pub fn join(&self) -> ClientMessage {
        let has = |number: u64| (number > 0).then_some(number);
        let join = Join { seq: has(self.epoch).map(|_| self.seq), epoch: has(self.epoch), ..Join::new(self.id) };
        ClientMessage::Join(join)
    }

    /// Writes another action, at one of the others.
    pub fn act(&mut self, other: u64, text: &mut Vec<u8>) {
        let players = u64::from(self.players);
        let to = (u64::from(self.slot) + 1 + other % (players - 1)) % players;
        let (id, to) = (self.next_id, u8::try_from(to).unwrap_or_default());
        self.next_id += 1;
        self.waiting.insert(id, to);
        quick::attack(text, self.handle, id, to);
    }

    /// Writes each action that has no answer.
    pub fn act_again(&self, mut write: impl FnMut(&dyn Fn(&mut Vec<u8>))) {
        for (&id, &to) in &self.waiting {
            write(&|text: &mut Vec<u8>| quick::attack(text, self.handle, id, to));
        }
    }

    /// Takes a message; `true` where it is in now, and says again what had no answer. An error is something that no server of this protocol
    /// says.
    pub fn take(&mut self, message: ServerMessage, counts: &mut Counts) -> Result<bool> {
        match message {
            ServerMessage::Joined(joined) => {
                ensure!(joined.slot == self.slot, "was given slot {} where {} was its seat", joined.slot, self.slot);
                let was_in = self.epoch > 0;
                (self.handle, self.epoch) = (joined.s, joined.epoch);
                match (joined.resume, joined.why) {
                    (Resume::Deltas, None) if was_in => {
                        counts.by_deltas += 1;
                        self.is_in = true;
                        return Ok(true);
                    }
                    (Resume::Snapshot, why) => {
                        ensure!(why != Some(ResumeWhy::RolledBack), "the session was set back");
                        if was_in {
                            let why = why.map_or_else(|| "unasked".to_owned(), |why| as_told(&why));
                            *counts.by_snapshot.entry(why).or_default() += 1;
                        }
                    }
                    (how, why) => bail!("it is resumed by {}, and why is {}", as_told(&how), as_told(&why)),
                }
            }
            ServerMessage::Snapshot(snapshot) => {
                ensure!(snapshot.q >= self.seq && snapshot.id >= self.applied, "a snapshot from before");
                (self.seq, self.applied) = (snapshot.q, snapshot.id);
                self.view = snapshot.verified()?;
                counts.digests += 1;
                return Ok(!std::mem::replace(&mut self.is_in, true));
            }
            ServerMessage::Delta(delta) => {
                ensure!(self.is_in && delta.s == self.handle, "a delta to one who is not in");
                ensure!(delta.id >= self.applied, "action {} is applied, and {} was before", delta.id, self.applied);
                counts.deltas += 1;
                counts.digests += u64::from(delta.h.is_some());
                self.applied = delta.id;
                self.seq = self.view.apply(self.seq, &delta)?;
            }
            ServerMessage::Ack(ack) => self.acked(&ack, counts)?,
            ServerMessage::Refused(refused) => {
                ensure!(self.waiting.remove(&refused.id).is_some(), "an answer too many to {}", refused.id);
                ensure!(refused.id > self.applied, "{} is refused, and the view shows it", refused.id);
                *counts.refused.entry(refused.reason.name().to_owned()).or_default() += 1;
            }
            ServerMessage::Forgotten(forgotten) => bail!("action {} is forgotten", forgotten.id),
            ServerMessage::Error(error) => bail!("{}: {}", error.reason, error.message),
            ServerMessage::Pong(_) | ServerMessage::Expiring(_) => {}
            other => bail!("{}", as_told(&other)),
        }
        Ok(false)
    }

    /// The view shows an action exactly where it is at the sequence that the answer names.
    fn acked(&mut self, ack: &Ack, counts: &mut Counts) -> Result<()> {
        ensure!(self.waiting.remove(&ack.id).is_some(), "an answer too many to {}", ack.id);
        let (is_shown, is_named) = (ack.id <= self.applied, ack.q <= self.seq);
        ensure!(
            is_shown == is_named,
            "{} is at {}, and the view shows {} at {}",
            ack.id,
            ack.q,
            self.applied,
            self.seq
        );
        self.newest = self.newest.max(ack.q);
        self.acked += 1;
        counts.acked += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::server::{Delta, Joined, Left, LeftWhy, Snapshot};

    use super::*;

    fn guest(counts: &mut Counts) -> Guest {
        let (mut guest, before) = (Guest::new(Uuid::nil(), 1, 4), counts.by_deltas);
        let joined = Joined { s: 5, slot: 1, epoch: 1, ..Joined::default() };
        assert!(!guest.take(ServerMessage::Joined(joined.clone()), counts).unwrap());
        let snapshot = Snapshot { s: 5, q: 7, epoch: 1, h: View::default().digest(), ..Snapshot::default() };
        assert!(guest.take(ServerMessage::Snapshot(snapshot), counts).unwrap());
        let mut text = Vec::new();
        (0..3).for_each(|other| guest.act(other, &mut text));
        guest.is_cut();
        let resumed = Joined { resume: Resume::Deltas, ..joined };
        assert!(guest.take(ServerMessage::Joined(resumed), counts).unwrap(), "at once, and says it all again");
        let mut again = 0;
        guest.act_again(|_| again += 1);
        assert_eq!((again, guest.waits(), counts.by_deltas), (3, 3, before + 1));
        guest
    }

    fn delta(q: u64, id: u64) -> ServerMessage {
        ServerMessage::Delta(Delta { s: 5, q, id, ..Delta::default() })
    }

    #[test]
    fn an_answer_fits_what_the_view_shows_and_comes_once() {
        let counts = &mut Counts::default();
        let ack = |id, q| ServerMessage::Ack(Ack { s: 5, id, q, ..Ack::default() });
        let mut good = guest(counts);
        good.take(delta(8, 1), counts).unwrap();
        good.take(ack(1, 8), counts).unwrap();
        good.take(ack(2, 9), counts).unwrap();
        good.take(delta(9, 2), counts).unwrap();
        assert_eq!((good.acked, good.newest, good.waits()), (2, 9, 1));
        assert!(good.take(ack(2, 9), counts).is_err(), "twice");
        for (shown, q) in [(1, 9), (0, 8)] {
            let mut bad = guest(counts);
            bad.take(delta(8, shown), counts).unwrap();
            assert!(bad.take(ack(1, q), counts).is_err(), "{shown} {q}");
        }
        assert!(guest(counts).take(delta(9, 0), counts).is_err(), "one is missing");
        let mut back = guest(counts);
        back.take(delta(8, 2), counts).unwrap();
        assert!(back.take(delta(9, 1), counts).is_err(), "what is applied does not go back");
    }

    #[test]
    fn what_is_counted_and_what_is_wrong_is_told_in_the_words_of_the_wire() {
        let counts = &mut Counts::default();
        let mut back = guest(counts);
        for why in [Some(ResumeWhy::TooOld), Some(ResumeWhy::OtherEncoding), None] {
            let joined = Joined { s: 5, slot: 1, epoch: 1, why, ..Joined::default() };
            back.take(ServerMessage::Joined(joined), counts).unwrap();
        }
        assert_eq!(counts.by_snapshot.keys().collect::<Vec<_>>(), ["other_encoding", "too_old", "unasked"]);
        let left = Left { s: 5, why: LeftWhy::Replaced };
        let wrong = back.take(ServerMessage::Left(left), counts).unwrap_err().to_string();
        assert_eq!(wrong, r#"{"t":"left","d":{"s":5,"why":"replaced"}}"#);
    }
}
