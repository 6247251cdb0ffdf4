//! The authorisation table: which role may do what, to which sessions, with which scopes. The code asks this table, the
//! test below walks every cell of it.

use super::{Audience, Principal, Role, Scope};

/// What can be asked of the server by somebody who must say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    CreateSession,
    /// A session of type auth.
    CreateLogin,
    /// A player those it takes part in.
    ListSessions,
    ReadSession,
    /// Of a fight that has ended.
    ReadReplay,
    /// Of one's seat in a fight that is prepared.
    Ready,
    Act,
    UpdateSession,
    TerminateSession,
    JoinSession,
    LeaveSession,
    PatchState,
    Heartbeat,
    RevokeTokens,
    MintTicket,
    TakeArenaSeat,
    Connect,
    ReadAnalytics,
    ReadMetrics,
    /// To another shard.
    HandOver,
}

impl Operation {
    /// Whether it changes the session it is about, or leads into it: only the node that the session lives at can do that. Of
    /// joining that is said where it is known whether the caller may know of the session.
    pub const fn changes(self) -> bool {
        match self {
            Self::Ready
            | Self::Act
            | Self::UpdateSession
            | Self::TerminateSession
            | Self::LeaveSession
            | Self::PatchState
            | Self::Heartbeat
            | Self::MintTicket
            | Self::Connect
            | Self::HandOver => true,
            Self::CreateSession
            | Self::CreateLogin
            | Self::ListSessions
            | Self::ReadSession
            | Self::ReadReplay
            | Self::JoinSession
            | Self::RevokeTokens
            | Self::TakeArenaSeat
            | Self::ReadAnalytics
            | Self::ReadMetrics => false,
        }
    }
}

impl Operation {
    /// Who may do this with the right scopes.
    pub fn roles(self) -> impl Iterator<Item = &'static str> {
        let row = row(self);
        let grants = [("player", row.player), ("service", row.service), ("admin", row.admin)];
        grants.into_iter().filter(|(_, grant)| !matches!(grant, Never)).map(|(name, _)| name)
    }
}

/// How a caller stands to the session an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// No seat in it, not its creator.
    Foreign,
    /// Has a seat.
    Participant,
    /// Created it, with a seat or without.
    Creator,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The caller's role never does this; see [`Operation::roles`].
    Role(Operation),
    /// The token has none of these scopes.
    Scope(&'static [Scope]),
    /// The caller knows the session, and would have to stand to it at least like this.
    Relation(Relation),
    /// The caller may not know that the session exists.
    Hidden,
}

/// One role's cell.
#[derive(Debug, Clone, Copy)]
enum Grant {
    Never,
    /// To every session, with any one of these scopes.
    Any(&'static [Scope]),
    /// To sessions the caller stands to at least like this, with any one of these scopes.
    To(Relation, &'static [Scope]),
    /// To every session, whatever the scopes.
    Always,
}

#[derive(Debug)]
struct Row {
    operation: Operation,
    player: Grant,
    service: Grant,
    admin: Grant,
}

/// What players do, and what guests may too.
const PLAY: &[Scope] = &[Scope::Play];
const PLAY_OR_GUEST: &[Scope] = &[Scope::Play, Scope::PlayArena];
const READ: &[Scope] = &[Scope::SessionsRead];
const WRITE: &[Scope] = &[Scope::SessionsWrite];
const OPS: &[Scope] = &[Scope::OpsRead];
const ANALYTICS: &[Scope] = &[Scope::AnalyticsRead];

use Grant::{Always, Any, Never, To};
use Operation as O;
use Relation::{Creator, Participant};

/// A player acts only as itself; that is checked where the body that names a player is read.
#[rustfmt::skip]
static TABLE: [Row; 20] = [
    Row { operation: O::CreateSession,    player: Any(PLAY),                       service: Any(WRITE),     admin: Always },
    Row { operation: O::CreateLogin,      player: Never,                           service: Any(WRITE),     admin: Always },
    Row { operation: O::ListSessions,     player: Any(PLAY_OR_GUEST),              service: Any(READ),      admin: Always },
    Row { operation: O::ReadSession,      player: To(Participant, PLAY_OR_GUEST),  service: Any(READ),      admin: Always },
    Row { operation: O::ReadReplay,       player: To(Participant, PLAY_OR_GUEST),  service: Any(READ),      admin: Always },
    Row { operation: O::Ready,            player: To(Participant, PLAY_OR_GUEST),  service: Any(WRITE),     admin: Always },
    Row { operation: O::Act,              player: To(Participant, PLAY_OR_GUEST),  service: Any(WRITE),     admin: Always },
    Row { operation: O::UpdateSession,    player: To(Creator, PLAY),               service: Any(WRITE),     admin: Always },
    Row { operation: O::TerminateSession, player: To(Creator, PLAY),               service: Any(WRITE),     admin: Always },
    // Whoever has been told a session's id may join it; what cannot be joined stays hidden where the body is read.
    Row { operation: O::JoinSession,      player: Any(PLAY),                       service: Any(WRITE),     admin: Always },
    Row { operation: O::LeaveSession,     player: To(Participant, PLAY),           service: Any(WRITE),     admin: Always },
    Row { operation: O::PatchState,       player: To(Participant, PLAY),           service: Any(WRITE),     admin: Always },
    Row { operation: O::Heartbeat,        player: To(Creator, PLAY_OR_GUEST),      service: Any(WRITE),     admin: Always },
    Row { operation: O::RevokeTokens,     player: Never,                           service: Any(WRITE),     admin: Always },
    Row { operation: O::MintTicket,       player: To(Participant, PLAY_OR_GUEST),  service: Any(WRITE),     admin: Always },
    Row { operation: O::TakeArenaSeat,    player: Any(PLAY_OR_GUEST),              service: Never,          admin: Never },
    Row { operation: O::Connect,          player: To(Participant, PLAY_OR_GUEST),  service: Never,          admin: Never },
    Row { operation: O::ReadAnalytics,    player: Never,                           service: Any(ANALYTICS), admin: Always },
    Row { operation: O::ReadMetrics,      player: Never,                           service: Any(OPS),       admin: Always },
    Row { operation: O::HandOver,         player: Never,                           service: Never,          admin: Always },
];

fn row(operation: Operation) -> &'static Row {
    TABLE.iter().find(|row| row.operation == operation).expect("every operation has a row")
}

impl Principal {
    /// Whether the caller may do this at all, whichever session it is about.
    pub fn may(&self, operation: Operation) -> Result<(), Denial> {
        match self.grant(operation) {
            Always => Ok(()),
            Any(scopes) | To(_, scopes) if self.has_one(scopes) => Ok(()),
            Any(scopes) | To(_, scopes) => Err(Denial::Scope(scopes)),
            Never => Err(Denial::Role(operation)),
        }
    }

    /// Whether the caller may do this to a session it stands to like `relation`.
    pub fn may_to(&self, operation: Operation, relation: Relation) -> Result<(), Denial> {
        self.may(operation)?;
        match self.grant(operation) {
            To(least, _) if relation < least => {
                // Somebody with a seat knows the session; to others it does not exist.
                Err(if relation == Relation::Foreign { Denial::Hidden } else { Denial::Relation(least) })
            }
            _ => Ok(()),
        }
    }

    fn grant(&self, operation: Operation) -> Grant {
        let row = row(operation);
        match self.role {
            Role::Player(_) => row.player,
            Role::Service(_) => row.service,
            Role::Admin(_) => row.admin,
        }
    }

    fn has_one(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.scopes.contains(scope))
    }
}

impl Scope {
    /// Whether it lets anybody of that role do something.
    pub fn helps(self, role: Audience) -> bool {
        TABLE.iter().any(|row| {
            let grant = match role {
                Audience::Player => row.player,
                Audience::Service => row.service,
                Audience::Admin => row.admin,
            };
            matches!(grant, Any(scopes) | To(_, scopes) if scopes.contains(&self))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Denial, Operation, Relation, TABLE};
    use crate::auth::{Audience, Principal, Role, Scope};
    use std::collections::HashSet;
    use uuid::Uuid;

    /// Rows are operations; columns are callers; a cell is the answer for a foreign session, one with a seat, an own
    /// one: `+` allowed, `-` forbidden, `?` hidden.
    const EXPECTED: &str = "
        operation         guest  player  noscope  read  write  ops  stats  admin
        CreateSession     ---    +++     ---      ---   +++    ---  ---    +++
        CreateLogin       ---    ---     ---      ---   +++    ---  ---    +++
        ListSessions      +++    +++     ---      +++   ---    ---  ---    +++
        ReadSession       ?++    ?++     ---      +++   ---    ---  ---    +++
        ReadReplay        ?++    ?++     ---      +++   ---    ---  ---    +++
        Ready             ?++    ?++     ---      ---   +++    ---  ---    +++
        Act               ?++    ?++     ---      ---   +++    ---  ---    +++
        UpdateSession     ---    ?-+     ---      ---   +++    ---  ---    +++
        TerminateSession  ---    ?-+     ---      ---   +++    ---  ---    +++
        JoinSession       ---    +++     ---      ---   +++    ---  ---    +++
        LeaveSession      ---    ?++     ---      ---   +++    ---  ---    +++
        PatchState        ---    ?++     ---      ---   +++    ---  ---    +++
        Heartbeat         ?-+    ?-+     ---      ---   +++    ---  ---    +++
        RevokeTokens      ---    ---     ---      ---   +++    ---  ---    +++
        MintTicket        ?++    ?++     ---      ---   +++    ---  ---    +++
        TakeArenaSeat     +++    +++     ---      ---   ---    ---  ---    ---
        Connect           ?++    ?++     ---      ---   ---    ---  ---    ---
        ReadAnalytics     ---    ---     ---      ---   ---    ---  +++    +++
        ReadMetrics       ---    ---     ---      ---   ---    +++  ---    +++
        HandOver          ---    ---     ---      ---   ---    ---  ---    +++
    ";

    fn caller(column: &str) -> Principal {
        let player = Role::Player(Uuid::now_v7());
        let service = Role::Service("shop".into());
        let (role, scopes) = match column {
            "guest" => (player, vec![Scope::PlayArena]),
            "player" => (player, vec![Scope::Play]),
            // Scopes of another role do nothing.
            "noscope" => (player, vec![Scope::SessionsRead, Scope::SessionsWrite, Scope::OpsRead]),
            "read" => (service, vec![Scope::SessionsRead, Scope::Play]),
            "write" => (service, vec![Scope::SessionsWrite]),
            "ops" => (service, vec![Scope::OpsRead]),
            "stats" => (service, vec![Scope::AnalyticsRead]),
            "admin" => (Role::Admin("admin".into()), vec![]),
            other => panic!("{other}"),
        };
        Principal { role, scopes, guest: column == "guest", sid: None, expires_at: u64::MAX }
    }

    #[test]
    fn a_scope_helps_those_whose_rows_name_it() {
        let of = |role| Scope::ALL.into_iter().filter(|scope| scope.helps(role)).collect::<Vec<_>>();
        assert_eq!(of(Audience::Player), [Scope::Play, Scope::PlayArena]);
        let service = [Scope::SessionsRead, Scope::SessionsWrite, Scope::OpsRead, Scope::AnalyticsRead];
        assert_eq!(of(Audience::Service), service);
        assert_eq!(of(Audience::Admin), [], "it may do everything without");
    }

    #[test]
    fn every_cell() {
        let mut lines = EXPECTED.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let columns = lines.next().unwrap();
        let mut walked = HashSet::new();
        for cells in lines {
            let row = TABLE.iter().find(|row| format!("{:?}", row.operation) == cells[0]).expect(cells[0]);
            walked.insert(row.operation);
            for (column, expected) in columns.iter().zip(&cells).skip(1) {
                let got: String = [Relation::Foreign, Relation::Participant, Relation::Creator]
                    .map(|relation| match caller(column).may_to(row.operation, relation) {
                        Ok(()) => '+',
                        Err(Denial::Role(_) | Denial::Scope(_) | Denial::Relation(_)) => '-',
                        Err(Denial::Hidden) => '?',
                    })
                    .iter()
                    .collect();
                assert_eq!(&got, expected, "{} by {column}", cells[0]);
            }
        }
        assert_eq!(walked.len(), TABLE.len());
    }
    #[test]
    fn a_denial_says_what_is_lacking() {
        let roles = |operation: Operation| operation.roles().collect::<Vec<_>>();
        assert_eq!(caller("player").may(Operation::ReadMetrics), Err(Denial::Role(Operation::ReadMetrics)));
        assert_eq!(roles(Operation::ReadMetrics), ["service", "admin"]);
        assert_eq!(roles(Operation::TakeArenaSeat), ["player"]);
        assert_eq!(caller("stats").may(Operation::ReadMetrics), Err(Denial::Scope(&[Scope::OpsRead])));
        assert_eq!(caller("guest").may(Operation::CreateSession), Err(Denial::Scope(&[Scope::Play])));
        let to = caller("player").may_to(Operation::UpdateSession, Relation::Participant);
        assert_eq!(to, Err(Denial::Relation(Relation::Creator)));
    }
}
