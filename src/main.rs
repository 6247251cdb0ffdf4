//! The shell around the library: command line, log, signals.

use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tiltyard::auth::{Audience, Scope, TokenKey};
use tiltyard::check;
use tiltyard::cli::{CheckArgs, Cli, Command, ReplayArgs, RulesCommand, TokenArgs};
use tiltyard::config::{Config, Flags};
use tiltyard::ops::{files, logging, signals::Signals};
use tiltyard::replays::report::{Outcome, Question, report};
use tiltyard::rules::command as rulesets;
use tiltyard::server::Server;
use tiltyard::trial;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What `replay` exits with where the fight was recorded by another engine; clap has 2.
const OTHER_ENGINE: u8 = 3;

fn main() -> ExitCode {
    let done = match Cli::parse().command_of() {
        Command::Serve(flags) => serve(&flags),
        Command::Cluster(args) => trial::run(&args),
        Command::Token(args) => token(&args),
        Command::Replay(args) => match replay(&args) {
            Ok(Outcome::OtherEngine) => {
                eprintln!("tiltyard: recorded by another engine, which alone can verify it");
                return ExitCode::from(OTHER_ENGINE);
            }
            done => done.map(drop),
        },
        Command::Check(args) => check(&args),
        Command::Rules(command) => rules(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tiltyard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &Flags) -> anyhow::Result<()> {
    let config = Config::load(flags, std::env::vars().collect())?;
    logging::init(&config.log, config.log_format).context("--log")?;
    files::keep_to_owner();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let server = Server::bind(config).await?;
        writeln!(std::io::stdout(), "listening on {}", server.url())?;
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        server.drain();
        let stopping = server.stopping();
        let mut joined = pin!(server.join());
        tokio::select! {
            () = joined.as_mut() => {}
            signal = signals.next() => {
                tracing::info!(signal, "stopping at once");
                stopping.cancel();
                joined.await;
            }
        }
        anyhow::Ok(())
    })?;
    // What has not ended by now is not waited for.
    runtime.shutdown_background();
    Ok(())
}

fn token(args: &TokenArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.flags(), std::env::vars().collect())?;
    let (grantee, ttl) = args.grantee();
    let key = TokenKey::open(&config.data)?;
    let (token, _) = key.mint(&grantee, ttl);
    anyhow::ensure!(key.verify(&token).is_some(), "a name is 1 to 128 visible ASCII characters");
    for scope in grantee.idle_scopes() {
        eprintln!("tiltyard: {}", idle(scope, grantee.audience));
    }
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}

/// What there is to say of a scope that does nothing for its token.
fn idle(scope: Scope, audience: Audience) -> String {
    let helping: Vec<&str> = Scope::ALL.into_iter().filter(|scope| scope.helps(audience)).map(Scope::name).collect();
    let (scope, role) = (scope.name(), audience.role());
    match helping.as_slice() {
        [] => format!("warning: the scope {scope} does nothing: {role} tokens may do everything without any"),
        _ => format!(
            "warning: the scope {scope} does nothing for {role} tokens; for these there are {}",
            helping.join(", ")
        ),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.flags(), std::env::vars().collect())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    let redis = config.redis_log.as_ref().map(|url| (url, config.node.as_str()));
    let sound = runtime.block_on(check::check(&config.data, config.database.as_deref(), redis, &mut out))?;
    anyhow::ensure!(sound, "not everything is whole");
    Ok(())
}

fn rules(command: &RulesCommand) -> anyhow::Result<()> {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let right = match command {
        RulesCommand::Check { files } => rulesets::check(files, &mut out, &mut err)?,
        RulesCommand::Show { file } => rulesets::show_file(file, &mut out, &mut err)?,
    };
    anyhow::ensure!(right, "not every ruleset is right");
    Ok(())
}

fn replay(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let question = Question { file: &args.file, rules: args.rules.as_deref(), events: args.events, json: args.json };
    let outcome = report(question, &mut std::io::stdout().lock())?;
    anyhow::ensure!(outcome != Outcome::Different, "not the same fight");
    Ok(outcome)
}
