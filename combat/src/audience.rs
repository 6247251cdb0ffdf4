//! Who may see what of a fight. Everything that leaves the server is cut to an audience here, so that what is hidden is
//! never encoded for those it is hidden from.

use crate::{Fields, Fight, Slot};

/// Those who see the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everything: operators, and replays of fights that are over.
    All,
    /// What everybody may see. Fog hides nobody: who spectates has no side, and a ruleset with fog is spectated with a delay.
    Spectator,
    /// One team.
    Team(u8),
    /// One participant: its own fields beside its team's.
    Own(Slot),
}

impl Fight {
    /// The fields of `slot` that `audience` may see now; [`Fields::KNOWN`] alone where it does not see the participant.
    pub fn visible(&self, audience: Audience, slot: Slot) -> Fields {
        let rules = &self.ruleset().visibility;
        let of = &self.participants()[usize::from(slot)];
        let team = match audience {
            Audience::All => return Fields::SEAT,
            Audience::Spectator => return rules.all,
            Audience::Own(own) if own == slot => return Fields::SEAT,
            Audience::Own(own) => self.participants()[usize::from(own)].team(),
            Audience::Team(team) => team,
        };
        if of.team() == team {
            rules.team
        } else if self.sees(team, slot) {
            rules.all
        } else {
            Fields::KNOWN
        }
    }

    /// Whether `team` sees the participant in `slot`; always where the rules have no fog.
    pub fn sees(&self, team: u8, slot: Slot) -> bool {
        let of = &self.participants()[usize::from(slot)];
        self.rules().sight_cm == 0 || of.team() == team || of.seen_by() & team_bit(team) != 0
    }
}

/// The bit of a team in a set of teams. There are never more than 128.
pub(crate) const fn team_bit(team: u8) -> u128 {
    1 << (team & 127)
}
