//! Who looks at a fight over REST, and what that one may see of it: a player what its side sees while the fight is going on, all
//! others everything.

use crate::auth::{Principal, Role};
use crate::hub::{FightInfo, Shown};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Operators, services, and anybody once the fight is over.
    All,
    /// A player in this place of the fight's participants, of this team.
    Player { place: usize, team: u8 },
    /// A player who does not take part: on nobody's side.
    Outsider,
}

impl Viewer {
    pub fn of(caller: &Principal, fight: &FightInfo) -> Self {
        let Role::Player(player) = caller.role else { return Self::All };
        if fight.has_ended() {
            return Self::All;
        }
        let seat = fight.participants.iter().enumerate().find(|(_, seat)| seat.player == player);
        seat.map_or(Self::Outsider, |(place, seat)| Self::Player { place, team: seat.team })
    }

    /// What may be seen of who is in `slot`, a player or an enemy, of `team`, and in sight of `seen_by`.
    pub fn shown(self, fight: &FightInfo, slot: usize, team: u8, seen_by: u128) -> Shown {
        match self {
            Self::All => Shown::ALL,
            Self::Player { place, .. } if place == slot => Shown::ALL,
            Self::Player { team: own, .. } if own == team => fight.sight.team,
            _ if !fight.sight.fog => fight.sight.all,
            Self::Player { team: own, .. } if own < 128 && seen_by & (1 << own) != 0 => fight.sight.all,
            Self::Player { .. } | Self::Outsider => Shown::NOTHING,
        }
    }

    /// Whether an event may name who is in `slot`. Of the past of a fight in a fog one's own side is all that is sure to have
    /// been seen.
    pub fn names(self, fight: &FightInfo, slot: u8) -> bool {
        match self {
            Self::Player { team: own, .. } if fight.sight.fog => fight.team_of(slot) == Some(own),
            Self::Outsider if fight.sight.fog => false,
            Self::All | Self::Player { .. } | Self::Outsider => true,
        }
    }
}
