//! The `rude` command: puts clients that do not behave beside honest ones, and measures what the honest ones notice. Each
//! measurement has a server of its own with one shard, so that nobody is spared by sitting elsewhere; quiet windows and loaded
//! ones alternate, so that whatever else the machine does falls on both.
//! - [`honest`] players play; a [`flooder`] sends without end, [`flood`] measures it; [`stalled`] ones stop reading,
//!   [`returning`] ones all come back at once; [`tokenless`] ones have no token.

mod args;
mod flood;
mod flooder;
mod honest;
mod returning;
mod stalled;
mod tokenless;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

pub use self::args::{Kind, Pace, Place, RudeArgs};
use self::flood::Flood;
use crate::run::write_json;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
struct Report {
    floods: Vec<Flood>,
    stalled: Option<stalled::Stalled>,
    returning: Option<returning::Returning>,
    tokenless: Option<tokenless::Tokenless>,
}

/// Measures what is asked for, and shows each figure as soon as it is there. It judges nothing: what may be noticed is for who
/// reads the table.
pub fn command(args: &RudeArgs) -> Result<ExitCode> {
    ensure!(args.seconds > 0.0, "there is nothing to measure");
    let mut report = Report::default();
    let kinds = kinds(args);
    if !kinds.is_empty() {
        println!("{}", Flood::title());
    }
    for kind in kinds {
        for &place in &args.place {
            // Nothing has no pace: its rows are as many as the others' all the same, as they show how far rows differ.
            for &pace in &args.pace {
                let flood = flood::measure(args, kind, pace, place);
                let flood = flood.with_context(|| format!("{} at {pace}, {}", kind.name(), place.name()))?;
                println!("{flood}");
                report.floods.push(flood);
            }
        }
    }
    if let Some(summary) = flood::summary(&report.floods) {
        println!("{summary}");
    }
    if let Some(percent) = args.non_readers {
        let stalled = stalled::measure(args, percent).context("players who do not read")?;
        print!("{stalled}");
        report.stalled = Some(stalled);
    }
    if let Some(clients) = args.returning {
        let returning = returning::measure(args, usize::from(clients)).context("clients who come back")?;
        print!("{returning}");
        report.returning = Some(returning);
    }
    if let Some(connections) = args.without_token {
        let tokenless = tokenless::measure(args, usize::from(connections)).context("clients without a token")?;
        print!("{tokenless}");
        report.tokenless = Some(tokenless);
    }
    write_json(args.output.json.as_deref(), &report)?;
    Ok(ExitCode::SUCCESS)
}

/// The kinds of flood asked for: all, unless another part is.
fn kinds(args: &RudeArgs) -> Vec<Kind> {
    let another = args.non_readers.is_some() || args.returning.is_some() || args.without_token.is_some();
    if args.flood.is_empty() && !another { Kind::ALL.to_vec() } else { args.flood.clone() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Kind, Pace, RudeArgs, kinds};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RudeArgs,
    }

    fn parsed(more: &[&str]) -> RudeArgs {
        Line::parse_from(["x", "--server-bin", "y"].iter().chain(more)).args
    }

    #[test]
    fn floods_are_measured_unless_only_something_else_is_asked_for() {
        assert_eq!(kinds(&parsed(&[])), Kind::ALL);
        assert_eq!(kinds(&parsed(&["--return", "8"])), []);
        assert_eq!(kinds(&parsed(&["--return", "8", "--flood", "pings"])), [Kind::Pings]);
        assert_eq!(parsed(&[]).pace, [Pace::PerSecond(390.0), Pace::Full]);
        assert_eq!(parsed(&["--non-readers", "10%"]).non_readers, Some(10.0));
    }
}
