//! The stable, machine-readable names of everything that can be refused: `reason` in `refused` and `error` messages and
//! `details.reason` in REST errors. A name, once released, keeps its meaning.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal : $message:literal,)*) => {
        /// Why something was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
            /// One that only a newer server gives: read, and never sent.
            #[serde(other)]
            Unknown,
        }

        impl Reason {
            /// Every reason, for documentation and tests.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Unknown => "unknown" }
            }

            /// One sentence for a person.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => $message,)*
                    Self::Unknown => "The server has a reason that is not known here.",
                }
            }
        }
    };
}

reasons! {
    // What a message or a request can be.
    BadMessage = "bad_message": "The message is not valid in the encoding this connection uses.",
    UnknownType = "unknown_type": "There is no message of this type.",
    BadFields = "bad_fields": "A field of the message is missing or has the wrong type.",
    BadRequest = "bad_request": "The request is not valid.",
    ValidationFailed = "validation_failed": "A field of the request is not valid.",
    // Who may do it.
    Unauthorized = "unauthorized": "A valid bearer token or ticket is needed.",
    Forbidden = "forbidden": "This token may not do that.",
    BadOrigin = "bad_origin": "Pages of this origin may not connect.",
    NotAParticipant = "not_a_participant": "The player has no seat in this session.",
    // What it is about.
    NoRoute = "no_route": "There is nothing at this path.",
    MethodNotAllowed = "method_not_allowed": "This path does not take that method.",
    UnsupportedMediaType = "unsupported_media_type": "The body must be application/json.",
    BodyTooLarge = "body_too_large": "The body is larger than the limit.",
    NoSession = "no_session": "There is no such session, or it is not this player's.",
    NoReplay = "no_replay": "There is no replay of this fight, or not yet.",
    NotJoined = "not_joined": "This connection has not joined that session.",
    NotHere = "not_here": "No other member of that id is connected.",
    AlreadyJoined = "already_joined": "This connection is in that session, and has had its snapshot a moment ago; ask again in a second.",
    SessionElsewhere = "session_elsewhere": "This connection cannot carry that session: open another one for it.",
    TooManySessions = "too_many_sessions": "The limit of sessions is reached.",
    SessionFull = "session_full": "Every seat of the session is taken.",
    WrongType = "wrong_type": "Sessions of this type do not do that.",
    AlreadyActive = "already_active": "The player has a live session of this type; it can be replaced.",
    QuotaExceeded = "quota_exceeded": "The caller has all that one may have of that.",
    RolledBack = "rolled_back": "The session has been set back: the server has it at an earlier sequence than the client, and what came after that is lost.",
    AlreadySeated = "already_seated": "The player already has a seat in this session.",
    // What the fight says.
    SessionEnded = "session_ended": "The session has ended.",
    WrongPhase = "wrong_phase": "The fight is not in a phase that allows this.",
    InvalidTransition = "invalid_transition": "The session cannot go from its status to that one.",
    VersionConflict = "version_conflict": "The session has changed since the version that was named.",
    PreconditionFailed = "precondition_failed": "The session is not at the version that If-Match names.",
    IdempotencyMismatch = "idempotency_mismatch": "The idempotency key was used for another request.",
    IdempotencyRunning = "idempotency_running": "The first request with this idempotency key is still running.",
    OutcomeUnknown = "outcome_unknown": "The server stopped during the first request with this idempotency key: whether it took effect has to be read.",
    Paused = "paused": "The session is paused.",
    Eliminated = "eliminated": "The player has been eliminated.",
    StaleActionId = "stale_action_id": "The action id is lower than one this session has already forgotten the answer to.",
    BadActionId = "bad_action_id": "The action id must be between 1 and 2^53.",
    ActionUnavailable = "action_unavailable": "This session's ruleset has no such action.",
    NeedsTarget = "needs_target": "The action needs a target.",
    NoSuchTarget = "no_such_target": "There is no participant in that slot.",
    InvalidTarget = "invalid_target": "That participant cannot be the target of this action.",
    Cooldown = "cooldown": "The action is not ready yet.",
    NotEnoughStamina = "not_enough_stamina": "There is not enough stamina for this action.",
    NotEnoughEnergy = "not_enough_energy": "There is not enough energy for this action.",
    NotEnoughCharge = "not_enough_charge": "The ultimate ability is not charged yet.",
    NotEnoughAmmo = "not_enough_ammo": "There are no shots left.",
    Reloading = "reloading": "The weapon is being reloaded.",
    UsedUp = "used_up": "It has been used as often as it can be in a round.",
    NeedsPlace = "needs_place": "The action needs a place.",
    OutOfRange = "out_of_range": "The target is out of range.",
    NoSight = "no_sight": "The target is out of sight.",
    TooFast = "too_fast": "That is farther than the player can move in that time, or faster than it can move.",
    OutOfBounds = "out_of_bounds": "That place is outside the arena.",
    Blocked = "blocked": "Something is in the way.",
    Stunned = "stunned": "The player is stunned.",
    Denied = "denied": "An effect on the player forbids this action.",
    Busy = "busy": "The player is busy with something else.",
    NotYourTurn = "not_your_turn": "It is another participant's turn.",
    // What the server can carry.
    RateLimited = "rate_limited": "More than the participant may do in so short a time.",
    TooManyRequests = "too_many_requests": "More requests than this caller may send; try again.",
    TooManyConnections = "too_many_connections": "The player has as many connections as it may have; close one.",
    Overloaded = "overloaded": "The server has more work than it can take; try again.",
    LogUnavailable = "log_unavailable": "The log cannot be written at the moment, so nothing can be acknowledged; try again.",
    StoreUnavailable = "store_unavailable": "The store cannot be reached at the moment, so nothing can be kept; try again.",
    StorageFull = "storage_full": "The store has no room for more.",
    Damaged = "damaged": "What the store has of this is damaged; the server's log says what.",
    Timeout = "timeout": "The server did not answer in time.",
    Draining = "draining": "The server is shutting down; connect again.",
    NodeUnavailable = "node_unavailable": "The node that has the session does not answer; try again.",
    NodeSuperseded = "node_superseded": "Another server has started under this one's name and has its fights; ask that one.",
    Fenced = "fenced": "Another server has taken the session over; ask it how the session stands.",
    Internal = "internal": "Something went wrong inside the server; its log says what.",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
