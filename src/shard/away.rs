//! Seats whose connections are gone: as long as they are kept, what is made is kept for them, too.

use std::collections::HashMap;

use smallvec::SmallVec;
use tiltyard_combat::Slot;
use tiltyard_protocol::Encoding;

use super::session::{Session, SessionKey};
use crate::limits;

/// All of a shard. A session knows whether it has any, so nobody looks for those of others.
#[derive(Debug, Default)]
pub struct Aways(HashMap<SessionKey, SmallVec<[Away; 2]>>);

/// A seat without a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    pub slot: Slot,
    /// In which its last connection was told.
    pub encoding: Encoding,
    /// The shard's time from which on nothing more is kept for it.
    pub until: u64,
}

impl Aways {
    /// A seat's connection is gone, at the shard's time `now`.
    pub fn leaves(&mut self, key: SessionKey, session: &mut Session, (slot, encoding): (Slot, Encoding), now: u64) {
        let kept_ms = u64::from(session.fight.rules().reconnect_ms).min(limits::HISTORY_MS);
        session.has_away = true;
        let seats = self.0.entry(key).or_default();
        seats.retain(|away| away.slot != slot);
        seats.push(Away { slot, encoding, until: now + kept_ms });
    }

    /// A seat has a connection, or is somebody else's.
    pub fn comes(&mut self, key: SessionKey, session: &mut Session, slot: Slot) {
        if session.has_away {
            self.keep(key, session, |away| away.slot != slot);
        }
    }

    /// Those of a session, at the shard's time `now`.
    pub fn of(&mut self, key: SessionKey, session: &mut Session, now: u64) -> SmallVec<[Away; 2]> {
        if !session.has_away {
            return SmallVec::new();
        }
        self.keep(key, session, |away| away.until > now);
        self.0.get(&key).cloned().unwrap_or_default()
    }

    fn keep(&mut self, key: SessionKey, session: &mut Session, is_kept: impl Fn(&Away) -> bool) {
        if let Some(seats) = self.0.get_mut(&key) {
            seats.retain(|away| is_kept(away));
            if seats.is_empty() {
                self.0.remove(&key);
            }
        }
        session.has_away = self.0.contains_key(&key);
    }

    /// Forgets those whose time is over, also of sessions that are no more.
    pub fn sweep(&mut self, now: u64) {
        self.0.retain(|_, seats| seats.iter().any(|away| away.until > now));
        self.0.shrink_to(self.0.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use slotmap::SlotMap;
    use tiltyard_combat::{Mode, Rules};
    use tiltyard_protocol::Encoding;
    use uuid::Uuid;

    use super::{Away, Aways};
    use crate::limits;
    use crate::rules::Library;
    use crate::shard::session::SessionKey;
    use crate::shard::{NewFight, Session};

    fn session(reconnect_ms: u32) -> Session {
        let new = NewFight {
            id: Uuid::now_v7(),
            mode: Mode::Pvp,
            creator: Uuid::nil(),
            participants: (1..=4).map(Uuid::from_u128).collect(),
            seats: 4,
            ruleset: Arc::clone(Library::built_in().by_name("default").unwrap()),
            rules: Rules { reconnect_ms, ..Rules::default() },
            teams: Vec::new(),
            settings: String::new(),
            metadata: String::new(),
        };
        Session::new(new, 7, 0, 0)
    }

    #[test]
    fn a_seat_without_a_connection_is_away_until_it_has_one_or_is_not_kept_any_more() {
        let (mut aways, mut keys) = (Aways::default(), SlotMap::<SessionKey, ()>::with_key());
        let (key, other) = (keys.insert(()), keys.insert(()));
        let (mut session, mut of_other) = (session(100), session(u32::MAX));
        let away = |slot, encoding, until| Away { slot, encoding, until };
        aways.leaves(key, &mut session, (1, Encoding::Json), 0);
        aways.leaves(key, &mut session, (2, Encoding::Json), 50);
        aways.leaves(key, &mut session, (2, Encoding::MsgPack), 60);
        aways.leaves(other, &mut of_other, (2, Encoding::Json), 60);
        let both = [away(1, Encoding::Json, 100), away(2, Encoding::MsgPack, 160)];
        assert_eq!(aways.of(key, &mut session, 50)[..], both, "as it was told last");
        assert_eq!(aways.of(key, &mut session, 100)[..], both[1..]);
        aways.comes(key, &mut session, 3);
        assert!(session.has_away);
        aways.comes(key, &mut session, 2);
        assert!(!session.has_away && aways.of(key, &mut session, 0).is_empty());
        // Of a session that is gone nobody asks.
        assert_eq!(aways.0.len(), 1);
        aways.sweep(60 + limits::HISTORY_MS - 1);
        assert_eq!(aways.0.len(), 1);
        aways.sweep(60 + limits::HISTORY_MS);
        assert_eq!(aways.0.len(), 0);
        assert!(aways.of(other, &mut of_other, 0).is_empty() && !of_other.has_away);
    }
}
