//! What a shard writes in `MessagePack`: a delta as the general encoder does, whose fields have to be counted first, and by hand what is in
//! front of it.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use tiltyard_combat::Participant;
use tiltyard_combat::audience::Patch;
use tiltyard_protocol::Encoding;

use super::form::Own;
use super::publish::DeltaOf;
use super::shown::{self, Count, Entries};
use super::wire::phase_of;

/// In front of the size of the payload's map, and behind that.
const OWN: [u8; 11] = *b"\x82\xA1t\xA5delta\xA1d";
const OWN_ID: [u8; 3] = *b"\xA2id";
/// The bits of a small map's size that say that it is one.
const SMALL_MAP: u8 = 0x80;
/// Where the size of the map is that the payload of a `joined` is: behind `{"t": "joined", "d":`.
const JOINED_AT: usize = b"\x82\xA1t\xA6joined\xA1d".len();

/// Appends the payload of a delta without `id`, with the size that it has without it.
pub(super) fn delta(delta: &DeltaOf<'_>, out: &mut Vec<u8>) {
    Encoding::MsgPack.encode(delta, out);
}

/// What is in front of `common`, but for its size, which is one more.
pub(super) fn own<'a>(id: u64, common: &'a [u8], own: &mut Own) -> &'a [u8] {
    let Some((&size, fields)) = common.split_first() else { return common };
    debug_assert!((SMALL_MAP..SMALL_MAP + 15).contains(&size), "a map with room for one more field");
    put_number(id, own);
    own.put(OWN_ID);
    own.put([size + 1]);
    own.put(OWN);
    fields
}

/// As short as it can be, as the general encoder does.
#[allow(clippy::cast_possible_truncation)] // Each branch has bounded it.
fn put_number(number: u64, own: &mut Own) {
    match number {
        0..=0x7F => own.put([number as u8]),
        0x80..=0xFF => own.put([0xCC, number as u8]),
        0x100..=0xFFFF => {
            own.put((number as u16).to_be_bytes());
            own.put([0xCD]);
        }
        0x1_0000..=0xFFFF_FFFF => {
            own.put((number as u32).to_be_bytes());
            own.put([0xCE]);
        }
        _ => {
            own.put(number.to_be_bytes());
            own.put([0xCF]);
        }
    }
}

/// Adds the last field of the `joined` that begins at `start`: behind it there is nothing.
pub(super) fn add_rules(rules: &[u8], start: usize, out: &mut Vec<u8>) {
    debug_assert!((SMALL_MAP..SMALL_MAP + 15).contains(&out[start + JOINED_AT]), "a map with room for one more field");
    out[start + JOINED_AT] += 1;
    out.extend_from_slice(b"\xA5rules");
    out.extend_from_slice(rules);
}

/// The payload without `id`.
impl Serialize for DeltaOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (events, patches) = (Items::of(self.events()), Items::of(self.patches().map(PatchOf)));
        let (covers, hazards) = (Items::of(self.covers()), Items::of(self.hazards()));
        let (phase_changed, left, modifiers) = (self.step.phase_changed(), self.left(), self.modifiers());
        let there = [
            !events.is_empty(),
            !patches.is_empty(),
            phase_changed,
            left.is_some(),
            !covers.is_empty(),
            !hazards.is_empty(),
            modifiers.is_some(),
            self.digest.is_some(),
        ];
        let fields = 4 + there.into_iter().filter(|&there| there).count();
        let mut body = serializer.serialize_struct("Delta", fields)?;
        body.serialize_field("s", &self.handle)?;
        body.serialize_field("q", &self.fight.seq())?;
        body.serialize_field("at", &self.fight.now())?;
        body.serialize_field("time", &self.time)?;
        if !events.is_empty() {
            body.serialize_field("ev", &events)?;
        }
        if !patches.is_empty() {
            body.serialize_field("p", &patches)?;
        }
        if phase_changed {
            body.serialize_field("ph", &phase_of(self.fight))?;
        }
        if let Some(left) = left {
            body.serialize_field("n", &left)?;
        }
        if !covers.is_empty() {
            body.serialize_field("c", &covers)?;
        }
        if !hazards.is_empty() {
            body.serialize_field("z", &hazards)?;
        }
        if let Some(modifiers) = modifiers {
            body.serialize_field("m", modifiers)?;
        }
        if let Some(digest) = self.digest {
            body.serialize_field("h", &digest)?;
        }
        body.end()
    }
}

/// A list that is gone through twice: to count, and to encode.
struct Items<I> {
    items: I,
    length: usize,
}

impl<I: Iterator + Clone> Items<I> {
    fn of(items: I) -> Self {
        Self { length: items.clone().count(), items }
    }

    const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Items<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.length))?;
        for item in self.items.clone() {
            list.serialize_element(&item)?;
        }
        list.end()
    }
}

struct PatchOf<'a>((Patch, &'a Participant));

impl Serialize for PatchOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (patch, participant) = self.0;
        let mut fields = Count::default();
        shown::put_patch(patch, participant, &mut fields);
        let mut map = serializer.serialize_map(Some(1 + fields.0))?;
        map.serialize_entry("i", &patch.slot)?;
        let mut entries = Entries { map: &mut map, outcome: Ok(()) };
        shown::put_patch(patch, participant, &mut entries);
        entries.outcome?;
        map.end()
    }
}
