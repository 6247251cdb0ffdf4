//! `tiltyard replay`: fights a file again and tells what happened, and whether it is still the same fight.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tiltyard_combat::compare::differences;
use tiltyard_combat::replay::{Cut, MOST_BYTES, Mismatch, ReadError, Verdict};
use tiltyard_combat::{Fight, Replay, load};
use uuid::Uuid;

use super::story::{Happening, Reader, Teller};
use crate::rules;
use crate::session::hex;

/// What is asked about a replay.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub file: &'a Path,
    /// A ruleset to compare the replay's with.
    pub rules: Option<&'a Path>,
    /// Tell every event.
    pub events: bool,
    pub json: bool,
}

/// Why a replay could not be fought again at all.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("{path}: {error}")]
    File { path: String, error: io::Error },
    #[error("{path}: {error}")]
    Replay { path: String, error: ReadError },
    #[error("the ruleset in the replay, as this version reads it:\n{0}")]
    Ruleset(String),
    #[error("{0}")]
    Rules(String),
    #[error(transparent)]
    Out(#[from] io::Error),
}

/// What came of fighting it again.
struct Report {
    replay: Replay,
    /// The ruleset's name and title.
    ruleset: (String, String),
    happenings: Vec<Happening>,
    fought: Result<(Fight, Verdict), Mismatch>,
    /// How the ruleset differs from the one it was to be compared with.
    differences: Vec<String>,
}

/// What came of it, for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is still the same fight, under the same ruleset as far as that was asked.
    Same,
    /// It is another, or its ruleset is.
    Different,
    /// Another engine has recorded it than this one, so only that one can tell.
    OtherEngine,
}

/// Answers on `out`.
pub fn report(question: Question<'_>, out: &mut impl Write) -> Result<Outcome, ReportError> {
    let report = Report::of(question)?;
    if question.json {
        writeln!(out, "{}", report.to_json(question.events))?;
    } else {
        out.write_all(report.to_text(question).as_bytes())?;
    }
    Ok(if report.differences.is_empty() { report.outcome() } else { Outcome::Different })
}

impl Outcome {
    /// Stable.
    const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::OtherEngine => "other_engine",
        }
    }
}

impl Report {
    /// What is to be said of the fight alone.
    fn outcome(&self) -> Outcome {
        match self.fought {
            Ok((_, Verdict::Same)) => Outcome::Same,
            Ok((_, Verdict::OtherEngine { .. })) | Err(Mismatch::Revision { .. }) => Outcome::OtherEngine,
            Err(_) => Outcome::Different,
        }
    }

    /// Why it is not known to be the same.
    fn difference(&self) -> Option<String> {
        match &self.fought {
            Ok((_, Verdict::Same)) => None,
            &Ok((_, Verdict::OtherEngine { recorded })) => {
                Some(Mismatch::Revision { recorded, what: None }.to_string())
            }
            Err(mismatch) => Some(mismatch.to_string()),
        }
    }

    fn of(question: Question<'_>) -> Result<Self, ReportError> {
        let path = question.file.display().to_string();
        let mut bytes = Vec::new();
        File::open(question.file)
            .and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| ReportError::File { path: path.clone(), error })?;
        let replay = Replay::decode(&bytes).map_err(|error| ReportError::Replay { path: path.clone(), error })?;
        let shown = |problems: load::Problems| ReportError::Ruleset(problems.of_file(&path).to_string());
        let ruleset = Arc::new(load::load(&replay.text).map_err(shown)?);
        let differences = match question.rules {
            Some(file) => compare(&replay.text, file)?,
            None => Vec::new(),
        };
        let (mut teller, mut happenings) = (Teller::new(Reader::All), Vec::new());
        let fought = replay.fight_again(Arc::clone(&ruleset), |played| {
            if question.events {
                teller.tell(played, |happening| happenings.push(happening));
            }
        });
        Ok(Self { ruleset: (ruleset.name.clone(), ruleset.title.clone()), replay, happenings, fought, differences })
    }

    fn to_text(&self, question: Question<'_>) -> String {
        let (replay, (name, title)) = (&self.replay, &self.ruleset);
        let created = UNIX_EPOCH + Duration::from_millis(replay.created_at);
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = writeln!(text, "session   {}", Uuid::from_u128(replay.session));
        let _ = writeln!(text, "created   {}", humantime::format_rfc3339_millis(created));
        let _ = writeln!(text, "ruleset   {name}: {title}");
        let _ = writeln!(text, "          {}", hex(&replay.hash));
        let _ = writeln!(text, "fought    {} of {} seats", replay.setup.mode.name(), replay.setup.seats);
        for happening in &self.happenings {
            let _ = writeln!(text, "{}", line(happening));
        }
        if let Ok((fight, _)) = &self.fought {
            told_result(fight, replay.cut.is_some(), &mut text);
            if self.outcome() == Outcome::Same {
                let end = replay.end;
                let _ =
                    writeln!(text, "the same  {} inputs, sequence {}, digest {:016x}", end.inputs, end.seq, end.digest);
            }
            if let Some(Cut { loss, at }) = replay.cut {
                let (s, ms, why) = (at / 1000, at % 1000, loss.about());
                let _ = writeln!(text, "cut       its recording ends at {s}.{ms:03} s, before the fight does: {why}");
            }
        }
        if let Some(difference) = self.difference() {
            let what = if self.outcome() == Outcome::Different { "DIFFERENT" } else { "UNVERIFIED" };
            let _ = writeln!(text, "{what} {difference}");
        }
        if let Some(file) = question.rules {
            if self.differences.is_empty() {
                let _ = writeln!(text, "the rules of {} say the same", file.display());
            } else {
                let _ = writeln!(text, "the rules of {} say otherwise:", file.display());
            }
            for difference in &self.differences {
                let _ = writeln!(text, "  {difference}");
            }
        }
        text
    }

    fn to_json(&self, events: bool) -> Value {
        let replay = &self.replay;
        let mut told = json!({
            "session_id": Uuid::from_u128(replay.session),
            "created_at": replay.created_at,
            "ruleset": { "name": self.ruleset.0, "hash": hex(&replay.hash) },
            "mode": replay.setup.mode.name(),
            "seats": replay.setup.seats,
            "revision": replay.revision,
            "complete": replay.cut.is_none(),
            "inputs": replay.end.inputs,
            "seq": replay.end.seq,
            "digest": format!("{:016x}", replay.end.digest),
            "same": self.outcome() == Outcome::Same,
            "verdict": self.outcome().name(),
            "rules_differ": self.differences,
        });
        if let Some(cut) = replay.cut {
            told["cut"] = json!({ "reason": cut.loss.name(), "at": cut.at });
        }
        if let Ok((fight, _)) = &self.fought {
            told["result"] = result(fight);
        }
        if let Some(difference) = self.difference() {
            told["difference"] = difference.into();
        }
        if events {
            told["events"] = self.happenings.iter().map(event).collect();
        }
        told
    }
}

fn compare(text: &str, file: &Path) -> Result<Vec<String>, ReportError> {
    let other = rules::read(file).map_err(|error| ReportError::Rules(error.to_string()))?;
    let shown =
        |problems: load::Problems| ReportError::Rules(problems.of_file(&file.display().to_string()).to_string());
    Ok(differences(text, &other).map_err(shown)?.iter().map(ToString::to_string).collect())
}

/// For example `   12.345 s  p0 hit p1, damage 23, critical`.
fn line(happening: &Happening) -> String {
    let Happening { at, name, by, to, details, .. } = happening;
    let mut line = format!("{:>6}.{:03} s ", at / 1000, at % 1000);
    if let Some(by) = by {
        let _ = write!(line, " p{by}");
    }
    let _ = write!(line, " {name}");
    if let Some(to) = to {
        let _ = write!(line, " p{to}");
    }
    for (name, value) in details {
        match value {
            Value::Bool(true) => {
                let _ = write!(line, ", {name}");
            }
            Value::Bool(false) => {}
            Value::String(value) => {
                let _ = write!(line, ", {name} {value}");
            }
            value => {
                let _ = write!(line, ", {name} {value}");
            }
        }
    }
    line
}

fn event(happening: &Happening) -> Value {
    let mut event = Map::new();
    event.insert("at".to_owned(), happening.at.into());
    event.insert("event".to_owned(), happening.name.into());
    for (name, slot) in [("by", happening.by), ("to", happening.to)] {
        event.extend(slot.map(|slot| (name.to_owned(), slot.into())));
    }
    event.extend(happening.details.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Value::Object(event)
}

fn told_result(fight: &Fight, cut: bool, text: &mut String) {
    let life = fight.lifecycle();
    let seconds = life.active_ms(fight.now()) / 1000;
    let how = life
        .end()
        .map_or(if cut { "not over where its recording ends" } else { "not over" }, tiltyard_combat::EndReason::name);
    let _ = match life.winner() {
        Some(winner) => writeln!(text, "result    p{winner} won after {seconds} s: {how}"),
        None => writeln!(text, "result    nobody won in {seconds} s: {how}"),
    };
    for slot in fight.standings() {
        let p = &fight.participants()[usize::from(slot)];
        let player = Uuid::from_u128(p.player());
        let (score, eliminations, damage) = (p.score(), p.eliminations(), p.damage());
        let _ = writeln!(
            text,
            "          p{slot} {player}  team {}, score {score}, {eliminations} eliminations, {damage} damage",
            p.team()
        );
    }
}

fn result(fight: &Fight) -> Value {
    let life = fight.lifecycle();
    let standings = fight.standings().into_iter().map(|slot| {
        let p = &fight.participants()[usize::from(slot)];
        json!({
            "slot": slot, "player_id": Uuid::from_u128(p.player()), "team": p.team(), "score": p.score(),
            "eliminations": p.eliminations(), "damage": p.damage(),
        })
    });
    json!({
        "reason": life.end().map(tiltyard_combat::EndReason::name),
        "winner": life.winner(),
        "duration_ms": life.active_ms(fight.now()),
        "standings": standings.collect::<Value>(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::Value;
    use tiltyard_combat::Replay;

    use super::{Outcome, Question, ReportError, report};

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/combat/tests/golden/duel-pvp.replay");
    const BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/combat/tests/golden/revision-1/duel-pvp.replay");
    const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/duel.toml");

    fn asked(file: &Path, rules: Option<&Path>, json: bool) -> (Outcome, String) {
        let mut out = Vec::new();
        let outcome = report(Question { file, rules, events: true, json }, &mut out).unwrap();
        (outcome, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_golden_replay_is_told_and_is_the_same() {
        let (outcome, text) = asked(Path::new(GOLDEN), Some(Path::new(RULES)), false);
        assert_eq!(outcome, Outcome::Same, "{text}");
        for part in ["ruleset   duel: ", "fought    pvp of 2 seats", " hit p", ", damage ", "result    p", "the same  "]
        {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let (outcome, text) = asked(Path::new(GOLDEN), None, true);
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((outcome, &told["same"], &told["verdict"]), (Outcome::Same, &true.into(), &"same".into()));
        assert!(told["events"].as_array().unwrap().len() > 20, "{text}");
    }

    #[test]
    fn a_replay_of_an_engine_before_is_called_that_and_not_another_fight() {
        let (outcome, text) = asked(Path::new(BEFORE), Some(Path::new(RULES)), false);
        assert_eq!(outcome, Outcome::OtherEngine, "{text}");
        assert!(text.contains("UNVERIFIED recorded by revision 1 of the engine, and this is revision "), "{text}");
        assert!(text.contains(" hit p") && !text.contains("the same  ") && !text.contains("DIFFERENT"), "{text}");
        let (outcome, text) = asked(Path::new(BEFORE), None, true);
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((outcome, &told["same"]), (Outcome::OtherEngine, &false.into()));
        assert_eq!((&told["verdict"], &told["revision"]), (&"other_engine".into(), &1.into()));
    }

    #[test]
    fn another_ruleset_and_another_fight_are_told_by_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let mutant = folder.path().join("duel.toml");
        fs::write(&mutant, fs::read_to_string(RULES).unwrap().replace("health = 120", "health = 121")).unwrap();
        let (outcome, text) = asked(Path::new(GOLDEN), Some(&mutant), false);
        assert_eq!(outcome, Outcome::Different);
        assert!(text.contains("  settings.health: 120 in the replay, 121 in the file\n"), "{text}");

        let mut replay = Replay::decode(&fs::read(GOLDEN).unwrap()).unwrap();
        replay.setup.seed += 1;
        let other = folder.path().join("other.replay");
        fs::write(&other, replay.encode()).unwrap();
        let (outcome, text) = asked(&other, None, false);
        assert_eq!(outcome, Outcome::Different);
        assert!(text.contains("DIFFERENT the same up to input 0, another fight at input"), "{text}");

        fs::write(&other, b"no replay").unwrap();
        let question = Question { file: &other, rules: None, events: false, json: false };
        assert!(matches!(report(question, &mut Vec::new()), Err(ReportError::Replay { .. })));
    }
}
