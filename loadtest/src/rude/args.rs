//! The command line of `rude`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{Output, number_between, rate, seconds};

#[derive(Debug, Args)]
pub struct RudeArgs {
    /// The server's executable: a server of its own, with one shard, is started for each measurement
    #[arg(long, value_name = "PATH")]
    pub server_bin: PathBuf,
    /// Honest fights
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub fights: u16,
    /// Honest players in each
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=10))]
    pub players: u8,
    /// Actions a second of each honest player, on a schedule that does not wait for the server
    #[arg(long, default_value_t = 10.0, value_parser = rate)]
    pub rate: f64,
    /// Seconds of each window
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub seconds: f64,
    /// Repetitions, each of a quiet window and a loaded one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub reps: u32,
    /// Kinds of flood; all of them where no other part is asked for
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    pub flood: Vec<Kind>,
    /// Messages a second of a flooder, or `full`
    #[arg(long, value_delimiter = ',', default_value = "390,full", value_name = "PACE")]
    pub pace: Vec<Pace>,
    /// Where the flooder sits
    #[arg(long, value_enum, value_delimiter = ',', default_value = "same,other")]
    pub place: Vec<Place>,
    /// A flooder that is closed comes back at once
    #[arg(long)]
    pub persistent: bool,
    /// Part: this share of the players stops reading
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub non_readers: Option<f64>,
    /// Part: this many clients, in fights of four, come back at once
    #[arg(long = "return", value_name = "CLIENTS", value_parser = clap::value_parser!(u16).range(4..=8400))]
    pub returning: Option<u16>,
    /// Part: this many connections without a token, which ask and do not read
    #[arg(long, value_name = "CONNECTIONS", value_parser = clap::value_parser!(u16).range(1..=8000))]
    pub without_token: Option<u16>,
    /// Core of the server
    #[arg(long, requires = "harness_core")]
    pub server_core: Option<usize>,
    /// Core of the harness
    #[arg(long, requires = "server_core")]
    pub harness_core: Option<usize>,
    #[command(flatten)]
    pub output: Output,
}

/// What a flooder sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Nothing after its join: what these rows differ by is what the machine does by itself
    Nothing,
    /// Attacks
    Actions,
    /// Attacks on a slot that nobody has
    Refused,
    /// Moves to and fro
    Moves,
    /// Joins of its own session
    Joins,
    /// WebSocket pings
    Pings,
    /// Empty continuations of a message that never ends
    Fragments,
}

/// Where a flooder sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Place {
    /// In the fight of honest players
    Same,
    /// In a fight of its own, on the same shard
    Other,
}

/// How fast a flooder sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    PerSecond(f64),
    /// As fast as the server takes it
    Full,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Nothing, Self::Actions, Self::Refused, Self::Moves, Self::Joins, Self::Pings, Self::Fragments];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Actions => "actions",
            Self::Refused => "refused actions",
            Self::Moves => "moves",
            Self::Joins => "joins",
            Self::Pings => "pings",
            Self::Fragments => "empty fragments",
        }
    }
}

impl Place {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same fight",
            Self::Other => "same shard",
        }
    }
}

impl std::str::FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "full" { Ok(Self::Full) } else { number_between(text, 1.0, 1_000_000.0).map(Self::PerSecond) }
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PerSecond(rate) => write!(f, "{rate}/s"),
            Self::Full => f.write_str("full speed"),
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    number_between(text.strip_suffix('%').unwrap_or(text), 1.0, 90.0)
}
