//! The shell around the library: command line, log, signals.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tiltyard::auth::TokenKey;
use tiltyard::check;
use tiltyard::cli::{CheckArgs, Cli, Command, Flags, ReplayArgs, RulesCommand, TokenArgs};
use tiltyard::config::Config;
use tiltyard::ops::{files, logging, signals::Signals};
use tiltyard::replays::report::{Question, report};
use tiltyard::rules::command as rulesets;
use tiltyard::server::Server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command_of() {
        Command::Serve(flags) => serve(&flags),
        Command::Token(args) => token(&args),
        Command::Replay(args) => replay(&args),
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
        writeln!(std::io::stdout(), "listening on http://{}", server.addr())?;
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        server.drain();
        server.join().await;
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
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.flags(), std::env::vars().collect())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    let sound = runtime.block_on(check::check(&config.data, config.database.as_deref(), &mut out))?;
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

fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let question = Question { file: &args.file, rules: args.rules.as_deref(), events: args.events, json: args.json };
    let same = report(question, &mut std::io::stdout().lock())?;
    anyhow::ensure!(same, "not the same fight");
    Ok(())
}
