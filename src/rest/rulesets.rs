//! `GET /rulesets`: what a fight can be created with.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::App;
use super::lobby::Kind;
use crate::session::hex;
use tiltyard_combat::Mode;

/// `RulesetListResponse`.
#[derive(Debug, Serialize)]
pub struct RulesetList {
    rulesets: Vec<RulesetItem>,
}

/// `RulesetItem`.
#[derive(Debug, Serialize)]
struct RulesetItem {
    name: String,
    title: String,
    /// Changes with every change of the ruleset.
    hash: String,
    modes: Vec<&'static str>,
    /// Of the arena's fights.
    kinds: Vec<&'static str>,
}

/// Lists them by name.
pub async fn list(State(app): State<App>) -> Json<RulesetList> {
    let rulesets = app.library.names().into_iter().filter_map(|name| app.library.by_name(name));
    let item = |ruleset: &std::sync::Arc<tiltyard_combat::Ruleset>| RulesetItem {
        name: ruleset.name.clone(),
        title: ruleset.title.clone(),
        hash: hex(&ruleset.hash),
        modes: Mode::ALL.iter().filter(|mode| ruleset.modes[mode.index()].is_some()).map(|mode| mode.name()).collect(),
        kinds: Kind::ALL.iter().filter(|kind| kind.is_in(ruleset)).map(|kind| kind.name()).collect(),
    };
    Json(RulesetList { rulesets: rulesets.map(item).collect() })
}
