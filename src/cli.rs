//! The command line. `serve` is what happens when no subcommand is named.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use uuid::Uuid;

use crate::auth::{Audience, Grantee, Scope};
use crate::config::Flags;
use crate::limits;
use crate::trial::ClusterArgs;

/// A real-time session hub for games.
#[derive(Debug, Parser)]
#[command(name = "tiltyard", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server (the default).
    Serve(Box<Flags>),
    /// Run a cluster on this machine to try it, with a PostgreSQL and Redis of its own, and a page on which its nodes can be killed. All of it
    /// ends with this program.
    Cluster(ClusterArgs),
    /// Print a token signed with this node's key; makes the data folder and the key where there are none.
    Token(TokenArgs),
    /// Fight a replay again, and tell what happened and whether it is still the same fight. Exits with 1 where it is another, and
    /// with 3 where another engine has recorded it than this version's, so that only that one can tell.
    Replay(ReplayArgs),
    /// Read everything in a data folder that no server is using, and tell what is damaged; nothing is changed. Exits with 1 where
    /// something is.
    Check(CheckArgs),
    /// Check rulesets, or show one.
    #[command(subcommand)]
    Rules(RulesCommand),
}

/// The flags of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The replay
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A ruleset (TOML) to compare the replay's with: whatever differs is named
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Tell every event, with its time
    #[arg(long)]
    pub events: bool,
    /// Tell it as JSON
    #[arg(long)]
    pub json: bool,
}

/// The flags of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Data folder [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The store's URL
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The Redis that has the log
    #[arg(long, value_name = "URL")]
    redis_log: Option<String>,
    /// The node's name there
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What to do with rulesets.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Check files, and tell every mistake with its line.
    Check {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show a file, or the built-in ruleset of that name, as Markdown: its state machines as diagrams, and what it has.
    Show {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// The flags of `token`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whom").required(true).args(["player", "service", "admin"])))]
pub struct TokenArgs {
    /// Data folder [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A player's token
    #[arg(long, value_name = "UUID")]
    player: Option<Uuid>,
    /// A service's token
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// An administrator's token
    #[arg(long)]
    admin: bool,
    /// What it may do; repeatable [default: play for players, sessions:read and sessions:write for services]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<Scope>,
    /// How long it is good for, such as 90s, 12h or 30d [default: 24h, for services 30d]
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    ttl: Option<Duration>,
}

impl Cli {
    /// What to do.
    pub fn command_of(self) -> Command {
        self.command.unwrap_or_else(|| Command::Serve(Box::new(self.flags)))
    }
}

impl CheckArgs {
    /// The flags that say where everything is.
    pub fn flags(&self) -> Flags {
        let Self { data, database, redis_log, node, config } = self.clone();
        Flags { data, database, redis_log, node, config, ..Flags::default() }
    }
}

impl TokenArgs {
    /// The flags that say where the key is.
    pub fn flags(&self) -> Flags {
        Flags { data: self.data.clone(), config: self.config.clone(), ..Flags::default() }
    }

    /// Whom the token is for, and for how long.
    pub fn grantee(&self) -> (Grantee, Duration) {
        const DAY: Duration = Duration::from_hours(24);
        let (audience, subject, usual, ttl): (_, _, &[Scope], _) = match (&self.player, &self.service) {
            (Some(player), _) => (Audience::Player, player.to_string(), &[Scope::Play], DAY),
            (_, Some(name)) => {
                (Audience::Service, name.clone(), &[Scope::SessionsRead, Scope::SessionsWrite], 30 * DAY)
            }
            _ => (Audience::Admin, "admin".to_owned(), &[], DAY),
        };
        let scopes = if self.scope.is_empty() { usual.to_vec() } else { self.scope.clone() };
        (Grantee { audience, subject, scopes, guest: false, sid: None }, self.ttl.unwrap_or(ttl))
    }
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (1..limits::TOKEN_SECONDS).contains(&ttl.as_secs()) {
        Ok(ttl)
    } else {
        Err("must be from 1s to 10 years".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command, RulesCommand};
    use clap::{CommandFactory, Parser};

    #[test]
    fn serve_is_the_default() {
        Cli::command().debug_assert();
        for line in [&["tiltyard", "--shards", "3"][..], &["tiltyard", "serve", "--shards", "3"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(matches!(Cli::command_of(cli), Command::Serve(flags) if flags.shards == Some(3)));
        }
    }

    #[test]
    fn a_replay_is_a_file() {
        let parses = |line: &[&str]| Cli::try_parse_from([&["tiltyard", "replay"], line].concat()).map(Cli::command_of);
        let replay = parses(&["x.replay", "--rules", "x.toml", "--events"]).unwrap();
        assert!(matches!(replay, Command::Replay(args) if args.rules.is_some() && args.events && !args.json));
        assert!(parses(&[]).is_err() && parses(&["a", "b"]).is_err());
    }

    #[test]
    fn rulesets_are_checked_by_the_file_and_served_by_the_folder() {
        let parses = |line: &[&str]| Cli::try_parse_from([&["tiltyard"], line].concat()).map(Cli::command_of);
        let checks = parses(&["rules", "check", "a.toml", "b.toml"]).unwrap();
        assert!(matches!(checks, Command::Rules(RulesCommand::Check { files }) if files.len() == 2));
        assert!(parses(&["rules", "check"]).is_err() && parses(&["rules", "show"]).is_err());
        let serves = parses(&["--rules", "mine"]).unwrap();
        assert!(
            matches!(serves, Command::Serve(flags) if flags.rules.as_ref().is_some_and(|folder| folder.ends_with("mine")))
        );
    }

    #[test]
    fn a_token_is_for_exactly_one() {
        let parses = |line: &[&str]| Cli::try_parse_from([&["tiltyard", "token"], line].concat()).is_ok();
        assert!(parses(&["--admin", "--ttl", "90s", "--data", "x"]));
        assert!(parses(&["--service", "shop", "--scope", "sessions:read", "--scope", "ops:read"]));
        assert!(!parses(&["--admin", "--service", "shop"]));
        assert!(!parses(&[]));
        assert!(!parses(&["--player", "bob"]));
        assert!(!parses(&["--admin", "--scope", "everything"]));
        assert!(!parses(&["--admin", "--ttl", "11years"]) && !parses(&["--admin", "--ttl", "0s"]));
    }
}
