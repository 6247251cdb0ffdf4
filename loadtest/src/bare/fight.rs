//! A session of the bare loop: a sequence and each slot's health.

use std::io::Write;

use tiltyard_protocol::server::{Joined, Phase, PhaseName, SessionStatus};
use tiltyard_protocol::view::{ParticipantView, player_word};
use tiltyard_protocol::{Act, RulesView, ServerMessage, Snapshot, View};
use uuid::Uuid;

use crate::lobby::bare_session;

/// Health of every slot at first; more than can be taken in a run.
const HEALTH: u32 = 1_000_000_000;

/// The session.
#[derive(Debug)]
pub struct Fight {
    id: Uuid,
    handle: u32,
    seq: u64,
    /// By slot.
    health: Vec<u32>,
    /// The connection of each slot, while it has one.
    pub members: Vec<Option<usize>>,
}

impl Fight {
    pub fn new(index: usize, players: usize) -> Self {
        let id = bare_session(index);
        Self { id, handle: player_word(id), seq: 0, health: vec![HEALTH; players], members: vec![None; players] }
    }

    /// `connection` plays `slot` from now on; what it is told.
    pub fn admit(&mut self, slot: u8, connection: usize) -> [ServerMessage; 2] {
        self.members[usize::from(slot)] = Some(connection);
        let view = self.view();
        let rules = Box::new(RulesView { health: HEALTH, ..RulesView::default() });
        let (session, s, rules) = (self.id, self.handle, Some(rules));
        let joined = Joined { session, s, slot, epoch: 1, rules, ..Joined::default() };
        let h = view.digest();
        [
            ServerMessage::Joined(joined),
            ServerMessage::Snapshot(Snapshot { s: self.handle, q: self.seq, epoch: 1, view, h, ..Snapshot::default() }),
        ]
    }

    /// Unless the slot has been taken over by another connection.
    pub fn leave(&mut self, slot: u8, connection: usize) {
        let member = &mut self.members[usize::from(slot)];
        *member = member.filter(|&taken| taken != connection);
    }

    /// Carries an action out and writes its delta, with whose action it was in place of an acknowledgement, and with `digest`
    /// where one is given. False if it has no target.
    pub fn act(&mut self, slot: u8, act: &Act, digest: Option<u32>, out: &mut Vec<u8>) -> bool {
        let Some((to, health)) = act.to.and_then(|to| Some((to, self.health.get_mut(usize::from(to))?))) else {
            return false;
        };
        *health = health.saturating_sub(1);
        self.seq += 1;
        let (s, q, id) = (self.handle, self.seq, act.id);
        let patch = format_args!(r#"{{"i":{to},"hp":{health}}}"#);
        // Writing to a vector cannot fail.
        let _ = write!(out, r#"{{"t":"delta","d":{{"s":{s},"q":{q},"at":0,"by":[{slot},{id}],"p":[{patch}]"#);
        if let Some(digest) = digest {
            let _ = write!(out, r#","h":{digest}"#);
        }
        out.extend_from_slice(b"}}");
        true
    }

    fn view(&self) -> View {
        let participant = |hp: &u32| ParticipantView { ready: true, hp: *hp, ..ParticipantView::default() };
        let phase = Phase { status: SessionStatus::Active, phase: PhaseName::Active, ..Phase::default() };
        View {
            phase,
            seats: u8::try_from(self.health.len()).unwrap_or(u8::MAX),
            participants: self.health.iter().map(participant).collect(),
            ..View::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::{Act, ActionKind, ServerMessage};

    use super::Fight;
    use crate::quick;

    #[test]
    fn a_view_built_from_its_messages_is_its_own() {
        let mut fight = Fight::new(6, 3);
        let [ServerMessage::Joined(joined), ServerMessage::Snapshot(snapshot)] = fight.admit(1, 40) else { panic!() };
        assert_eq!((joined.s, joined.slot, snapshot.q), (7, 1, 0));
        let mut view = snapshot.verified().unwrap();
        for (slot, to) in [(0, 2), (1, 2), (2, 0)] {
            let mut text = Vec::new();
            let act = Act::new(7, 1, ActionKind::Attack).at(to);
            assert!(fight.act(slot, &act, None, &mut text));
            let ServerMessage::Delta(delta) = serde_json::from_slice(&text).unwrap() else { panic!() };
            assert_eq!(quick::shown_by(&text), Some((delta.q, slot, 1)));
            assert_eq!(view.apply(delta.q - 1, &delta), Ok(delta.q));
        }
        assert_eq!(view, fight.view());
        let nowhere = Act::new(7, 2, ActionKind::Attack).at(3);
        assert!(!fight.act(0, &nowhere, None, &mut Vec::new()));
    }

    #[test]
    fn only_the_connection_that_sits_there_leaves_a_slot() {
        let mut fight = Fight::new(0, 2);
        fight.admit(0, 5);
        fight.admit(0, 6);
        fight.leave(0, 5);
        assert_eq!(fight.members, [Some(6), None]);
        fight.leave(0, 6);
        assert_eq!(fight.members, [None, None]);
    }
}
