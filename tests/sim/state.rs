//! What a session is here: the actions that were done, in order. An action is answered with its place among them.

use uuid::Uuid;

use crate::log::Append;
use crate::log::redis::start::Stored;

/// An action that was done: whose, which, and under which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Done {
    pub client: u8,
    pub id: u32,
    pub epoch: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub done: Vec<Done>,
}

/// What becomes of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is to be done.
    New,
    /// It was done: the place that it had.
    Again(usize),
    /// A later one of its player was done: nobody waits for it.
    Late,
}

impl State {
    pub fn look(&self, client: u8, id: u32) -> Act {
        let Some(last) = self.done.iter().rposition(|done| done.client == client) else { return Act::New };
        match self.done[last].id.cmp(&id) {
            std::cmp::Ordering::Less => Act::New,
            std::cmp::Ordering::Equal => Act::Again(last + 1),
            std::cmp::Ordering::Greater => Act::Late,
        }
    }

    /// Does it; its place.
    pub fn act(&mut self, client: u8, id: u32, epoch: u64) -> usize {
        self.done.push(Done { client, id, epoch: u32::try_from(epoch).expect("a small epoch") });
        self.done.len()
    }

    /// What tells whether two are the same up to here.
    pub fn digest(done: &[Done]) -> u64 {
        done.iter().fold(0xCBF2_9CE4_8422_2325, |digest, done| {
            let word = u64::from(done.client) << 40 | u64::from(done.id);
            (digest ^ word).wrapping_mul(0x0100_0000_01B3).rotate_left(17)
        })
    }
}

/// What the log is told.
#[derive(Debug)]
pub enum Entry<'a> {
    Whole(&'a State),
    Act { client: u8, id: u32 },
    Claim,
}

impl Append for Entry<'_> {
    fn append_to(&self, payload: &mut Vec<u8>) {
        match self {
            Self::Whole(state) => {
                payload.push(0);
                for Done { client, id, epoch } in &state.done {
                    payload.push(*client);
                    payload.extend_from_slice(&id.to_le_bytes());
                    payload.extend_from_slice(&epoch.to_le_bytes());
                }
            }
            Self::Act { client, id } => {
                payload.extend_from_slice(&[1, *client]);
                payload.extend_from_slice(&id.to_le_bytes());
            }
            Self::Claim => payload.push(2),
        }
    }
}

/// A session with the name of its newest entry.
#[derive(Debug, Clone)]
pub struct Session {
    pub state: State,
    pub epoch: u64,
    pub number: u64,
    /// Entries since its snapshot.
    pub grown: u64,
}

/// A session as the store has it.
///
/// # Errors
///
/// What is wrong with it.
pub fn rebuild(session: Uuid, stored: Stored) -> Result<Session, String> {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let mut found: Option<Session> = None;
    for entry in stored.snapshot.into_iter().chain(stored.entries) {
        let (epoch, number) = (entry.key.epoch, entry.key.number);
        let payload = entry.payload.map_or_else(|| vec![0, 0, 0, 0, 0, 0, 0, 0, 2], |(_form, payload)| payload);
        match (payload[8..].split_first(), &mut found) {
            (Some((0, rest)), place) => {
                let done =
                    rest.chunks_exact(9).map(|of| Done { client: of[0], id: word(&of[1..5]), epoch: word(&of[5..]) });
                let state = State { done: done.collect() };
                *place = Some(Session { state, epoch, number, grown: 0 });
                continue;
            }
            (_, None) => return Err(format!("{session}: {number} without a beginning")),
            (_, Some(found)) if found.number + 1 != number => {
                return Err(format!("{session}: {number} behind {}", found.number));
            }
            (_, Some(found)) if found.epoch > epoch => {
                return Err(format!("{session}: epoch {epoch} behind {}", found.epoch));
            }
            (Some((1, rest)), Some(found)) => {
                found.state.act(rest[0], word(&rest[1..5]), epoch);
                (found.epoch, found.number) = (epoch, number);
            }
            (_, Some(found)) => (found.epoch, found.number) = (epoch, number),
        }
        if let Some(found) = &mut found {
            found.grown += 1;
        }
    }
    let found = found.ok_or_else(|| format!("{session}: there is nothing of it"))?;
    if found.number == stored.head { Ok(found) } else { Err(format!("{session}: {} of {}", found.number, stored.head)) }
}
