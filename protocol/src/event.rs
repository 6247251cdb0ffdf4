//! What happened in a step, in words for people and animations.

use serde::{Deserialize, Serialize};

/// Something that happened; which of the optional fields are there depends on `k`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub k: EventKind,
    /// Slot of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u8>,
    /// Slot of whom it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u8>,
    /// How much: damage, or health given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// A critical hit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub crit: bool,
    /// The target was guarding.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guarded: bool,
    /// An ability or item of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<u8>,
    /// An effect of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<u8>,
    /// A cover of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<u8>,
    /// A hazard of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<u8>,
    /// A small number: stacks of an effect, an enemy's phase, the number of a round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub st: Option<u8>,
    /// Session time in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The damage met an effect of another element.
    #[serde(default, skip_serializing_if = "is_false")]
    pub react: bool,
    /// How much of `n` never reached the health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abs: Option<u32>,
    /// An enemy of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enemy: Option<u8>,
    /// A team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<u8>,
    /// How somebody comes to have its connection, or why it has none any more; absent where an older engine has recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<PresenceWhy>,
}

macro_rules! presence {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// How a player comes and goes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum PresenceWhy {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
            /// What only a newer server says: read, and never sent.
            #[serde(other)]
            Unknown,
        }

        impl PresenceWhy {
            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Unknown => "unknown" }
            }
        }
    };
}

presence! {
    /// It is connected for the first time.
    Joined = "joined",
    /// It is connected again.
    Returned = "returned",
    /// A newer connection took the place of an older one.
    Replaced = "replaced",
    /// Its connection ended, or nothing was heard of it.
    Lost = "lost",
    /// It has said that it leaves.
    Left = "left",
}

impl Event {
    /// An event of `kind` with nothing else known.
    #[must_use]
    pub const fn new(kind: EventKind) -> Self {
        Self {
            k: kind,
            by: None,
            to: None,
            n: None,
            crit: false,
            guarded: false,
            a: None,
            e: None,
            c: None,
            z: None,
            st: None,
            until: None,
            react: false,
            abs: None,
            enemy: None,
            team: None,
            why: None,
        }
    }
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Kinds of [`Event`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
            /// What only a newer server says: read, and never sent.
            #[serde(other)]
            Unknown,
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Unknown => "unknown" }
            }
        }
    };
}

event_kinds! {
    /// `by` hit `to` for `n` damage, with the ability `a` if it was not an attack.
    Hit = "hit",
    /// `by` missed `to`.
    Missed = "missed",
    /// The effect `e` that `by` had put on `to` hurt it.
    Suffered = "suffered",
    /// The hazard `z` hurt `to`.
    Burned = "burned",
    /// `by` gave `to` `n` points of health.
    Healed = "healed",
    /// `by` raised its guard.
    Guard = "guard",
    /// `by` casts the ability `a` until `until`.
    Casting = "casting",
    /// What `by` was casting was broken off.
    Broken = "broken",
    /// `by` used the ability or item `a`, at `to` where it has one target.
    Used = "used",
    /// `to` is under `st` stacks of the effect `e`, from `by`.
    Affected = "affected",
    /// The effect `e` on `to` is over.
    Faded = "faded",
    /// `by` hit the cover `c` or the hazard `z` for `n`.
    Struck = "struck",
    /// `by` destroyed the cover `c` or set off the hazard `z`.
    Destroyed = "destroyed",
    /// `to` was eliminated by `by`.
    Eliminated = "eliminated",
    /// `to` was eliminated by nobody.
    Perished = "perished",
    /// `by` brought `to` back.
    Revived = "revived",
    /// `by` took a free seat.
    Seated = "seated",
    /// `by`, an enemy of the kind `enemy`, came.
    Spawned = "spawned",
    /// The enemy `by` entered its phase `st`.
    Enraged = "enraged",
    /// `by` is ready.
    Ready = "ready",
    /// `by` has a connection: its first, one again, or a newer one, as `why` says.
    Connected = "connected",
    /// `by` has no connection any more, `why` says whether it was lost or has left; the reconnect window runs.
    Disconnected = "disconnected",
    /// `by` gave up or did not come back in time.
    Forfeited = "forfeited",
    /// It is the turn of `by`.
    Turn = "turn",
    /// Round number `st` is over; `team` won it, if one did.
    Round = "round",
    /// The phase or the status changed.
    Phase = "phase",
}

// serde's `skip_serializing_if` calls with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_false(value: &bool) -> bool {
    !*value
}
