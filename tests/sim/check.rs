//! Whether what clients were told can be: for each session there is one order of its actions in which everybody was answered rightly.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::failover::QUARANTINE_US;
use super::faults::Which;
use super::notes;
use super::shard::{Said, What, short};
use super::state::{Done, State};

/// What a client asked, and what became of it.
#[derive(Debug, Clone)]
pub struct Op {
    pub client: u8,
    pub session: Uuid,
    pub what: What,
    pub began: u64,
    pub ended: Option<u64>,
    pub said: Option<Said>,
    pub epoch: u64,
    /// Who has answered.
    pub life: usize,
}

/// A node from a start to its end, with what was wrong with it when; with what of a store, or of itself.
#[derive(Debug)]
pub struct Life {
    pub node: usize,
    pub owner: String,
    /// Since when it serves, if it has.
    pub serves_since: Option<u64>,
    pub died: Option<u64>,
    pub troubles: Vec<(u64, u64, Option<Which>)>,
}

impl Life {
    pub const fn new(node: usize, owner: String) -> Self {
        Self { node, owner, serves_since: None, died: None, troubles: Vec::new() }
    }

    /// Whether something was wrong with it in this time, but for its way to another store than this.
    pub fn had_trouble(&self, from: u64, until: u64, store: Option<Which>) -> bool {
        self.troubles.iter().any(|(began, ended, which)| {
            *began <= until && *ended >= from && (store.is_none() || which.is_none() || *which == store)
        })
    }
}

/// What the store of the log has lost of a session.
#[derive(Debug)]
pub struct Rollback {
    pub session: Uuid,
    pub down: u64,
    pub up: u64,
    pub owner: String,
    /// Who had the session then.
    pub holders: Vec<usize>,
    /// When its owner has said it anew.
    pub mended: Option<u64>,
}

/// Why something of a session may be lost, if it may: the store has lost something, and its owner could not say it anew in time.
pub fn excuse(session: Uuid, rollbacks: &[Rollback], lives: &[Life], downs: &[(u64, u64)]) -> Option<&'static str> {
    rollbacks.iter().filter(|of| of.session == session).find_map(|of| {
        let until = of.mended.unwrap_or(of.up + QUARANTINE_US);
        let [owner] = of.holders[..] else { return Some("nobody had it, or more than one") };
        let owner = &lives[owner];
        if owner.owner != of.owner {
            return Some("its owner did not have it");
        }
        if owner.died.is_some_and(|died| died <= until) {
            return Some("its owner died");
        }
        if owner.had_trouble(of.down, until, Some(Which::Log)) {
            return Some("its owner could not say it anew");
        }
        let again = downs.iter().any(|(from, to)| *from != of.down && *from <= until && *to >= of.down);
        again.then_some("the store was away again")
    })
}

/// Holds a session's history against what its actions are in the end.
pub fn history(session: Uuid, ops: &[&Op], done: &[Done], loss: Option<&'static str>, problems: &mut Vec<String>) {
    let mut problem = |what: String| problems.push(format!("{}: {what}", short(session)));
    let mut seen = BTreeSet::new();
    for (place, of) in (1..).zip(done) {
        if !seen.insert((of.client, of.id)) {
            problem(format!("action {} of client {} is done twice, again as number {place}", of.id, of.client));
        }
        if !ops.iter().any(|op| op.client == of.client && op.what == What::Act(of.id)) {
            problem(format!("action {} of client {} was never asked for", of.id, of.client));
        }
    }
    if loss.is_none()
        && let Some(two) = done.windows(2).find(|two| two[0].epoch > two[1].epoch)
    {
        problem(format!("an action under {} stands before one under {}", two[0].epoch, two[1].epoch));
    }
    // What was answered and is there, each with its place in the order: that of an action, and of a read that of the last it has read.
    let (mut acts, mut reads, mut gone) = (Vec::new(), Vec::new(), 0);
    for op in ops {
        let (is_there, of_its_kind, place) = match (op.what, op.said) {
            (What::Act(id), Some(Said::Done { place })) => {
                (done.get(place - 1).is_some_and(|of| of.client == op.client && of.id == id), &mut acts, place)
            }
            (What::Read, Some(Said::Read { count, digest })) => {
                (done.get(..count).is_some_and(|done| State::digest(done) == digest), &mut reads, count)
            }
            _ => continue,
        };
        if is_there {
            of_its_kind.push((place, *op));
        } else if loss.is_some() {
            gone += 1;
        } else {
            problem(format!("{:?} of client {} was answered {:?}, and is lost", op.what, op.client, op.said));
        }
    }
    if let Some(why) = loss {
        notes::count(why);
        notes::count("session of which something may be lost");
        notes::count_more("answer that was lost with store and owner", gone);
        return;
    }
    // Actions that nobody was told of stand where they stand.
    for (place, of) in (1..).zip(done) {
        let asked = ops.iter().find(|op| op.client == of.client && op.what == What::Act(of.id) && op.said.is_none());
        acts.extend(asked.map(|op| (place, *op)));
    }
    acts.sort_by_key(|(place, _)| *place);
    let mut newest = 0;
    for (_, op) in &acts {
        newest = newest.max(op.began);
        if op.ended.is_some_and(|ended| ended < newest) {
            problem(format!("{:?} of client {} ended before what stands before it began", op.what, op.client));
        }
    }
    for (count, read) in &reads {
        let is_before = |op: &Op, other: &Op| op.ended.is_some_and(|ended| ended < other.began);
        if acts.iter().any(|(place, act)| place <= count && is_before(read, act)) {
            problem(format!("a read of client {} has what was not asked for yet", read.client));
        }
        let is_old = acts.iter().any(|(place, act)| place > count && is_before(act, read))
            || reads.iter().any(|(more, other)| more > count && is_before(other, read));
        // A session that its owner has lost without having heard of it is read as it was.
        if is_old && done.get(*count).is_some_and(|next| u64::from(next.epoch) > read.epoch) {
            notes::count("read of what was no longer so");
        } else if is_old {
            problem(format!("a read of client {} lacks what was answered before", read.client));
        }
    }
}
