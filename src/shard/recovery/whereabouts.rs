//! Which journal has what was done last to a session. A session that was handed over is in two for a while, and at stake with the one of the
//! shard that it went to, wherever it is at home. This is looked for only where something cannot be read: all that is whole, also behind damage.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use uuid::Uuid;

use crate::log::frame;
use crate::log::marks::Marked;
use crate::log::segment;
use crate::shard::Entry;
use crate::shard::entry;
use crate::shard::recovery::error::RecoveryError;
use crate::shard::recovery::reading::{Head, frames_of};

/// Where the sessions of a generation are, as far as its journals can be read.
#[derive(Debug, Default)]
pub(super) struct Whereabouts(HashMap<Uuid, Newest>);

/// The journal that has a session under the highest epoch.
#[derive(Debug, Clone, Copy)]
struct Newest {
    shard: usize,
    epoch: u64,
}

impl Whereabouts {
    /// Those of the generation in `folder`. A journal that cannot be read has no session, as far as anybody knows.
    pub(super) fn of(folder: &Path) -> Self {
        let (mut all, marked) = (Self::default(), Marked::look(folder.parent().unwrap_or(folder)));
        for (shard, segments) in segment::all(folder).unwrap_or_default() {
            // By their numbers, which are those of the whole generation.
            let mut there = HashMap::new();
            for path in segments.values() {
                let Ok(bytes) = fs::read(path) else { continue };
                if let Some((head, frames)) = frames_of(path, &bytes, &marked) {
                    look_through(frames, head, &mut there);
                }
            }
            for (id, epoch) in there.into_values() {
                all.note(id, Newest { shard, epoch });
            }
        }
        all
    }

    fn note(&mut self, id: Uuid, newest: Newest) {
        let known = self.0.entry(id).or_insert(newest);
        // Those with the same epoch are the same.
        if known.epoch < newest.epoch {
            *known = newest;
        }
    }

    /// Whether what was done last to a session may be in the journal of `shard`, and nowhere else.
    pub(super) fn may_be_at(&self, id: Uuid, shard: usize) -> bool {
        self.0.get(&id).is_none_or(|newest| newest.shard == shard)
    }

    /// Those that are here under a higher epoch than `epoch_of` says, which says nothing of those that are gone.
    pub(super) fn above(&self, epoch_of: impl Fn(&Uuid) -> Option<u64>) -> impl Iterator<Item = Uuid> {
        let above =
            move |(id, newest): (&Uuid, &Newest)| epoch_of(id).is_some_and(|epoch| epoch < newest.epoch).then_some(*id);
        self.0.iter().filter_map(above)
    }
}

/// Notes the sessions, and their epochs, that whole frames in `bytes` leave behind, wherever they begin.
fn look_through(mut bytes: &[u8], Head { salt, form }: Head, there: &mut HashMap<u32, (Uuid, u64)>) {
    while !bytes.is_empty() {
        let Ok(Some(payload)) = frame::next(&mut bytes, salt) else {
            bytes = &bytes[frame::skip(bytes, salt)..];
            continue;
        };
        for entry in entry::entries(payload, form).map_or_else(|_| Vec::new(), |(_, entries)| entries) {
            match entry {
                Entry::Session { no, record } => {
                    there.insert(no, (record.id, record.epoch));
                }
                Entry::Claim { no, epoch, .. } => {
                    if let Some((_, known)) = there.get_mut(&no) {
                        *known = epoch;
                    }
                }
                Entry::Forget { no } => {
                    there.remove(&no);
                }
                Entry::Input { .. } | Entry::Describe { .. } | Entry::CheckpointEnd | Entry::Follows { .. } => {}
            }
        }
    }
}

/// Which sessions an error is about.
#[derive(Debug)]
pub struct AtStake {
    /// The shard whose journal it is about, if it is about one.
    of: Option<(usize, Whereabouts)>,
}

impl RecoveryError {
    /// Reads all journals beside the one that it is about, to tell which sessions that one alone has.
    pub fn at_stake(&self) -> AtStake {
        AtStake { of: self.journal().map(|(folder, shard)| (shard, Whereabouts::of(folder))) }
    }
}

impl AtStake {
    /// Whether it is about a session, which somebody has known under `epoch`: where no journal has it under that or a higher one, what was
    /// done last to it is lost.
    pub fn concerns(&self, session: Uuid, epoch: u64) -> bool {
        let Some((shard, whereabouts)) = &self.of else { return true };
        let is_known = whereabouts.0.get(&session).is_some_and(|newest| newest.epoch >= epoch);
        !is_known || whereabouts.may_be_at(session, *shard)
    }
}
