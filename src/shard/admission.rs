//! Joins that wait for their turn. A welcome costs a shard as much as hundreds of actions, so they are taken at a rate that it can carry,
//! after the fights' own messages: in order for each player, in turn between players, and no more of one player than it may ask for.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tiltyard_protocol::client::Join;
use uuid::Uuid;

use super::connection::ConnKey;
use super::rulebook::hash_of;
use crate::limits;

/// A join that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub conn: ConnKey,
    pub session: Uuid,
    pub has: Has,
}

/// What a client says that it has of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Has {
    /// Its newest sequence.
    pub seq: Option<u64>,
    /// The epoch under which it was told that.
    pub epoch: Option<u64>,
    /// The hash of the rules it has.
    pub rules: Option<u128>,
}

impl From<&Join> for Has {
    fn from(join: &Join) -> Self {
        Self { seq: join.seq, epoch: join.epoch, rules: join.rules.as_deref().and_then(hash_of) }
    }
}

impl Has {
    /// Whether that is more than a session has that is at this sequence and epoch.
    pub fn is_ahead_of(&self, seq: u64, epoch: u64) -> bool {
        self.seq.is_some_and(|has| has > seq) || self.epoch.is_some_and(|has| has > epoch)
    }
}

/// The joins of a shard.
#[derive(Debug, Default)]
pub struct Admission {
    players: HashMap<Uuid, Player>,
    /// Those of them who wait, each once; the first is next.
    order: VecDeque<Uuid>,
    waiting: usize,
    /// Until when joins have had their share of the shard's time.
    rests_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Player {
    /// Rarely more than one: a player has a connection, which waits with its next join until this one is taken.
    waiting: SmallVec<[Asked; 1]>,
    /// The shard's time at which it may ask for as many joins at once as ever.
    rested_at: u64,
}

impl Admission {
    /// Whether `player` may ask to join once more, at the shard's time `now`; that is then counted.
    pub fn charge(&mut self, player: Uuid, now: u64) -> bool {
        let player = self.players.entry(player).or_default();
        let rested_at = player.rested_at.max(now) + limits::JOIN_EVERY_MS;
        let may = rested_at - now <= limits::JOINS_AT_ONCE * limits::JOIN_EVERY_MS;
        if may {
            player.rested_at = rested_at;
        }
        may
    }

    /// Has a join of `player` wait; `false` where too many do.
    pub fn push(&mut self, player: Uuid, asked: Asked) -> bool {
        if self.waiting >= limits::JOINS_WAITING {
            return false;
        }
        let its = self.players.entry(player).or_default();
        if its.waiting.is_empty() {
            self.order.push_back(player);
        }
        its.waiting.push(asked);
        self.waiting += 1;
        true
    }

    /// The next to be taken.
    pub fn next(&mut self) -> Option<Asked> {
        let player = self.order.pop_front()?;
        let its = self.players.get_mut(&player)?;
        let asked = its.waiting.remove(0);
        if !its.waiting.is_empty() {
            self.order.push_back(player);
        }
        self.waiting -= 1;
        Some(asked)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How long at `now` until joins are taken; `None` where none wait.
    pub fn due(&self, now: Instant) -> Option<Duration> {
        let rest = self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        (self.waiting > 0).then_some(rest)
    }

    /// Joins took `spent` up to `now`: the others have the rest of the shard's time first.
    pub fn rest(&mut self, spent: Duration, now: Instant) {
        self.rests_until = Some(now + spent * (limits::JOINS_SHARE - 1));
    }

    /// Forgets, at the shard's time `now`, the players of whom there is nothing to remember.
    pub fn sweep(&mut self, now: u64) {
        self.players.retain(|_, player| player.rested_at > now || !player.waiting.is_empty());
        self.players.shrink_to(self.players.len() * 2);
        self.order.shrink_to(self.order.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use slotmap::SlotMap;
    use uuid::Uuid;

    use super::{Admission, Asked, ConnKey, Has};
    use crate::limits;

    fn player(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// Joins by the numbers of their sessions, in the order in which they are taken.
    fn taken(asked: &[(u128, u128)]) -> Vec<u128> {
        let (mut admission, mut conns) = (Admission::default(), SlotMap::<ConnKey, ()>::with_key());
        for &(who, session) in asked {
            let asked = Asked { conn: conns.insert(()), session: Uuid::from_u128(session), has: Has::default() };
            assert!(admission.push(player(who), asked));
        }
        assert_eq!(admission.waiting(), asked.len());
        let taken = std::iter::from_fn(|| admission.next().map(|asked| asked.session.as_u128())).collect();
        assert_eq!(admission.waiting(), 0);
        taken
    }

    #[test]
    fn who_comes_first_is_taken_first() {
        assert_eq!(taken(&[(1, 10), (2, 20), (3, 30)]), [10, 20, 30]);
    }

    #[test]
    fn many_joins_of_one_player_wait_for_each_other_and_push_nobody_back() {
        assert_eq!(
            taken(&[(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (1, 13), (2, 21)]),
            [10, 20, 30, 11, 21, 12, 13]
        );
    }

    #[test]
    fn a_player_may_ask_for_a_few_joins_at_once_and_then_at_a_rate() {
        let mut admission = Admission::default();
        for _ in 0..limits::JOINS_AT_ONCE {
            assert!(admission.charge(player(1), 5_000));
        }
        assert!(!admission.charge(player(1), 5_000));
        assert!(admission.charge(player(2), 5_000), "others are not concerned");
        let later = 5_000 + limits::JOIN_EVERY_MS;
        assert!(admission.charge(player(1), later) && !admission.charge(player(1), later));
        admission.sweep(later);
        assert!(!admission.charge(player(1), later), "it is not forgotten before that makes no difference");
        admission.sweep(later + limits::JOINS_AT_ONCE * limits::JOIN_EVERY_MS);
        assert!(admission.players.is_empty());
    }

    #[test]
    fn joins_have_a_share_of_the_time() {
        let mut admission = Admission::default();
        let (now, spent) = (Instant::now(), Duration::from_micros(500));
        assert_eq!(admission.due(now), None, "nobody waits");
        let mut conns = SlotMap::<ConnKey, ()>::with_key();
        admission.push(player(1), Asked { conn: conns.insert(()), session: Uuid::nil(), has: Has::default() });
        assert_eq!(admission.due(now), Some(Duration::ZERO));
        admission.rest(spent, now);
        assert_eq!(admission.due(now), Some(spent * (limits::JOINS_SHARE - 1)));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut admission = Admission::default();
        let asked =
            Asked { conn: SlotMap::<ConnKey, ()>::with_key().insert(()), session: Uuid::nil(), has: Has::default() };
        for number in 0..limits::JOINS_WAITING {
            assert!(admission.push(player(number as u128), asked));
        }
        assert!(!admission.push(player(0), asked));
    }
}
