//! Whose turn it is to have a fight told. Every caller has a share of what is told at once, and callers wait in turn: what one
//! of them asks for besides is that one's own backlog.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::auth::{Principal, Role};
use crate::limits;

/// Turns of one node.
#[derive(Debug, Default)]
pub struct Turns {
    /// Players, services, administrators: none of them takes room from another kind.
    pools: Mutex<[Pool; 3]>,
    taken: AtomicU64,
    /// Over their own share, and over what all may have waiting.
    refused: [AtomicU64; 2],
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Option<Arc<Turns>>,
    payer: Payer,
}

/// Who has to wait where too much is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payer {
    kind: usize,
    caller: Uuid,
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The caller has as much waiting as one may have.
    Backlog,
    /// All together have, or it took too long.
    Busy,
}

/// Turns of callers of one kind.
#[derive(Debug, Default)]
struct Pool {
    running: usize,
    /// Those who have something running or waiting.
    shares: HashMap<Uuid, Share>,
    /// Those who have something waiting, the next one first.
    order: VecDeque<Uuid>,
}

#[derive(Debug, Default)]
struct Share {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// How much callers of one kind may have.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    running: usize,
    running_each: usize,
    waiting_each: usize,
}

const BOUNDS: [Bounds; 3] = [
    Bounds { running: limits::STORIES, running_each: 1, waiting_each: limits::STORIES_WAITING_PER_PLAYER },
    Bounds {
        running: limits::STORIES,
        running_each: limits::STORIES,
        waiting_each: limits::STORIES_WAITING_PER_SERVICE,
    },
    Bounds { running: 1, running_each: 1, waiting_each: limits::STORIES_WAITING_PER_SERVICE },
];

impl Payer {
    pub fn of(caller: &Principal) -> Self {
        let kind = match caller.role {
            Role::Player(_) => 0,
            Role::Service(_) => 1,
            Role::Admin(_) => 2,
        };
        Self { kind, caller: caller.owner() }
    }
}

impl Turns {
    /// Waits for `payer`'s turn. Who stops waiting has lost nothing of anybody else's.
    pub async fn take(self: &Arc<Self>, payer: Payer) -> Result<Turn, Refused> {
        let waited = Duration::from_millis(limits::STORY_WAIT_MS);
        let turn = match self.ask(payer) {
            Ok(waiting) => tokio::time::timeout(waited, waiting).await.ok().and_then(Result::ok).ok_or(Refused::Busy),
            Err(refused) => Err(refused),
        };
        match &turn {
            Ok(_) => self.taken.fetch_add(1, Ordering::Relaxed),
            Err(refused) => self.refused[*refused as usize].fetch_add(1, Ordering::Relaxed),
        };
        turn
    }

    /// Turns that were given.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Requests that got none.
    pub fn refused(&self, why: Refused) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    /// Requests that wait for one.
    pub fn waiting(&self) -> usize {
        self.lock().iter().map(Pool::waiting).sum()
    }

    fn ask(self: &Arc<Self>, payer: Payer) -> Result<oneshot::Receiver<Turn>, Refused> {
        let (give, waiting) = oneshot::channel();
        let mut pools = self.lock();
        let pool = &mut pools[payer.kind];
        if pool.waiting() >= limits::STORIES_WAITING {
            return Err(Refused::Busy);
        }
        let share = pool.shares.entry(payer.caller).or_default();
        // Those who have gone away count no more.
        share.waiting.retain(|waiting| !waiting.is_closed());
        if share.waiting.len() >= BOUNDS[payer.kind].waiting_each {
            return Err(Refused::Backlog);
        }
        share.waiting.push_back(give);
        if !pool.order.contains(&payer.caller) {
            pool.order.push_back(payer.caller);
        }
        pool.serve(payer.kind, self);
        Ok(waiting)
    }

    fn give_back(self: &Arc<Self>, payer: Payer) {
        let mut pools = self.lock();
        let pool = &mut pools[payer.kind];
        pool.running -= 1;
        if let Some(share) = pool.shares.get_mut(&payer.caller) {
            share.running -= 1;
        }
        pool.serve(payer.kind, self);
        pool.shares.retain(|_, share| share.running > 0 || !share.waiting.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, [Pool; 3]> {
        // Nothing panics while it is held.
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn waiting(&self) -> usize {
        self.shares.values().map(|share| share.waiting.iter().filter(|waiting| !waiting.is_closed()).count()).sum()
    }

    /// Gives turns as long as there are some, to one caller after the other.
    fn serve(&mut self, kind: usize, turns: &Arc<Turns>) {
        let bounds = BOUNDS[kind];
        for _ in 0..self.order.len() {
            if self.running == bounds.running {
                return;
            }
            let Some(caller) = self.order.pop_front() else { return };
            let Some(share) = self.shares.get_mut(&caller) else { continue };
            while share.running < bounds.running_each
                && self.running < bounds.running
                && let Some(waiting) = share.waiting.pop_front()
            {
                let turn = Turn { turns: Some(Arc::clone(turns)), payer: Payer { kind, caller } };
                match waiting.send(turn) {
                    Ok(()) => {
                        share.running += 1;
                        self.running += 1;
                        break;
                    }
                    // It has gone away.
                    Err(mut turn) => turn.turns = None,
                }
            }
            if !share.waiting.is_empty() {
                self.order.push_back(caller);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.give_back(self.payer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot::Receiver;
    use uuid::Uuid;

    use super::{Payer, Refused, Turn, Turns};
    use crate::limits;

    const PLAYER: usize = 0;
    const ADMIN: usize = 2;

    fn payer(kind: usize, caller: u128) -> Payer {
        Payer { kind, caller: Uuid::from_u128(caller) }
    }

    fn given(waiting: &mut Receiver<Turn>) -> Option<Turn> {
        waiting.try_recv().ok()
    }

    #[test]
    fn one_has_a_share_and_is_refused_what_is_over_it() {
        let turns = Arc::new(Turns::default());
        let greedy = payer(PLAYER, 1);
        let mut asked: Vec<_> = (0..60).map(|_| turns.ask(greedy)).collect();
        let waiting = asked.iter().filter(|asked| asked.is_ok()).count();
        assert_eq!(waiting, 1 + limits::STORIES_WAITING_PER_PLAYER, "one runs, few wait");
        assert_eq!(asked.last().unwrap().as_ref().err(), Some(&Refused::Backlog));
        let first = given(asked[0].as_mut().unwrap()).expect("nobody else has asked");
        assert!(given(asked[1].as_mut().unwrap()).is_none(), "one at a time");

        let other = given(&mut turns.ask(payer(PLAYER, 2)).unwrap());
        assert!(other.is_some(), "there is room for another one");
        let admin = given(&mut turns.ask(payer(ADMIN, 3)).unwrap());
        assert!(admin.is_some(), "and always for an administrator");
        drop(first);
        assert!(given(asked[1].as_mut().unwrap()).is_some(), "the next of its own");
    }

    #[test]
    fn callers_are_served_in_turn_however_much_each_of_them_waits_for() {
        let turns = Arc::new(Turns::default());
        let busy: Vec<_> = (0..limits::STORIES as u128)
            .map(|n| given(&mut turns.ask(payer(PLAYER, 100 + n)).unwrap()).unwrap())
            .collect();
        let mut many: Vec<_> = (0..3).map(|_| turns.ask(payer(PLAYER, 1)).unwrap()).collect();
        let mut late = turns.ask(payer(PLAYER, 2)).unwrap();
        assert_eq!(turns.waiting(), 4);
        let mut busy = busy.into_iter();
        drop(busy.next());
        let first = given(&mut many[0]).expect("who came first");
        drop(busy.next());
        let second = given(&mut late).expect("then who came second, not the second thing of the first");
        drop((first, second));
        assert!(given(&mut many[1]).is_some());
        assert!(given(&mut many[2]).is_some(), "once that one was dropped");
        assert_eq!(turns.waiting(), 0);
        assert!(turns.lock().iter().all(|pool| pool.running == 0 && pool.shares.is_empty()), "nothing is left behind");
    }

    #[test]
    fn who_goes_away_gives_its_place_back() {
        let turns = Arc::new(Turns::default());
        let one = payer(PLAYER, 1);
        let running = given(&mut turns.ask(one).unwrap()).unwrap();
        for _ in 0..100 {
            drop(turns.ask(one).expect("the backlog has only who is still there"));
        }
        let mut last = turns.ask(one).unwrap();
        drop(running);
        let turn = given(&mut last).unwrap();
        // Given, and never looked at.
        let unseen = turns.ask(one).unwrap();
        drop(turn);
        drop(unseen);
        assert!(given(&mut turns.ask(one).unwrap()).is_some());
    }
}
