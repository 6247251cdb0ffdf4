//! REST: JSON over HTTP, under three base paths. Whatever changes a session goes through the hub into the same inbox as
//! what sockets say.
//!
//! In reading order: [`layers`] what every request passes, [`rate`] how many of them one caller may send, [`extract`] and
//! [`fields`] requests taken apart, [`error`] the one error, [`conditional`] what the client knows already, [`shapes`] what
//! answers look like; then the operations: [`health`], [`combat`], [`ready`], [`actions`], [`sessions`], [`tickets`],
//! [`guest`], [`arena`], [`replays`], [`hand_over`]; what is another node's: [`foreign`] whose it is, [`forward`] the way there; [`openapi`] describes them all, [`routes`] lists where they are; [`pages`] are the embedded web pages,
//! [`packed`] once, in the form that [`accept_encoding`] asks for.

pub mod accept_encoding;
pub mod actions;
pub mod analytics;
pub mod arena;
pub mod combat;
pub mod conditional;
pub mod conditions;
pub mod cursor;
pub mod error;
pub mod extract;
pub mod fields;
pub mod find;
#[cfg(test)]
mod fog_tests;
pub mod foreign;
pub mod forward;
pub mod guest;
pub mod hand_over;
pub mod health;
pub mod http;
pub mod idempotency;
pub mod layers;
pub mod lobby;
pub mod logins;
pub mod logs;
pub mod members;
pub mod new_fight;
pub mod new_session;
pub mod openapi;
pub mod origin;
pub mod packed;
mod packing;
pub mod pages;
pub mod rate;
pub mod ready;
pub mod replays;
pub mod routes;
pub mod rulesets;
pub mod scenery;
pub mod sessions;
pub mod settings;
pub mod shapes;
pub mod state;
pub mod tickets;
pub mod viewer;

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use axum::routing::{delete, get, post};
pub use error::ApiError;
pub use layers::Front;
pub use routes::Routes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::analytics::counting::Counting;
use crate::auth::{KeyRing, Tickets};
use crate::cluster::Cluster;
use crate::failover;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::ops::beat::Beats;
use crate::records::Records;
use crate::records::keys::Keys;
use crate::replays::Stories;
use crate::rest::http::identity::Identity;
use crate::rest::http::upgrade;
use crate::rules::Library;
use crate::socket::ledger::Ledger;

/// What every handler can reach. Cheap to clone.
pub type App = Arc<AppState>;

/// The parts of [`App`].
#[derive(Debug)]
pub struct AppState {
    pub hub: Hub,
    /// Whether the loops of the process go round.
    pub beats: Beats,
    /// The other nodes; `None` where there are none.
    pub cluster: Option<Cluster>,
    /// What became of fights of nodes that live no more.
    pub failover: Arc<failover::Figures>,
    pub key: KeyRing,
    pub tickets: Tickets,
    pub lobby: lobby::Lobby,
    pub origins: origin::Origins,
    pub metrics: Metrics,
    pub rates: rate::RateLimits,
    /// The connections of each player.
    pub ledger: Arc<Ledger>,
    pub records: Records,
    pub counting: Arc<Counting>,
    pub idempotency: Keys,
    pub library: Arc<Library>,
    /// Fights told to readers of logs.
    pub stories: Arc<Stories>,
    /// Whether `POST /guest` hands out tokens.
    pub guests: bool,
    /// What is shown over TLS; `None` where it is not spoken.
    pub tls: Option<Arc<Identity>>,
    /// `http://ADDR:PORT`, or `https`, or what the configuration advertises.
    pub own_url: String,
    /// Whether `own_url` was configured, and so stands over the request's Host.
    pub advertised: bool,
    /// Where else clients reach the cluster, each without a slash at its end.
    pub also_at: Vec<String>,
    pub started: Instant,
    /// Cancelled when the server is told to stop: it is not ready any more, and serves all the same.
    pub draining: CancellationToken,
    /// Cancelled when it stops: there are no new connections.
    pub stopping: CancellationToken,
    /// What must be finished before the server ends.
    pub tasks: TaskTracker,
}

impl AppState {
    /// Where the request's sender reaches this server, by HTTP.
    pub fn url(&self, headers: &HeaderMap) -> String {
        let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
        match host.filter(|host| !self.advertised && origin::is_authority(host)) {
            Some(host) if self.tls.is_some() => format!("https://{host}"),
            Some(host) => format!("http://{host}"),
            None => self.own_url.clone(),
        }
    }
}

/// The whole HTTP service.
pub fn service(app: &App) -> Front {
    let operations = operations();
    let paths = operations.paths().to_vec();
    let api = operations.router();
    let all = extract::BASES.into_iter().fold(api.clone(), |router, base| router.nest(base, api.clone()));
    let all = all.fallback(pages::serve).method_not_allowed_fallback(layers::method_not_allowed);
    Front::new(app, all.with_state(Arc::clone(app)), &paths)
}

/// Every operation, under no base path. What is here is in the document too, and the other way round.
pub fn operations() -> Routes {
    Routes::default()
        .route("/health", get(health::health))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::json))
        .route("/openapi.yaml", get(openapi::yaml))
        .route("/guest", post(guest::create))
        .route("/arena/seats", post(arena::take))
        .route("/combat/sessions", get(combat::list).post(combat::create))
        .route("/combat/sessions/{session_id}", get(combat::read))
        .route("/combat/sessions/{session_id}/state", get(combat::state))
        .route("/combat/sessions/{session_id}/actions", post(actions::act))
        .route("/combat/sessions/{session_id}/ready", post(ready::ready))
        .route("/combat/sessions/{session_id}/replay", get(replays::read))
        .route("/combat/sessions/{session_id}/hand-over", post(hand_over::hand_over))
        .route("/analytics/sessions", get(analytics::read))
        .route("/rulesets", get(rulesets::list))
        .route("/sessions", get(sessions::list).post(sessions::create))
        .route("/sessions/{session_id}", get(sessions::read).put(sessions::update).delete(sessions::terminate))
        .route("/sessions/{session_id}/heartbeat", post(logins::heartbeat))
        .route("/sessions/{session_id}/logs", get(logs::list))
        .route("/sessions/{session_id}/members", post(members::join))
        .route("/sessions/{session_id}/members/{player_id}", delete(members::leave))
        .route("/sessions/{session_id}/refresh", post(logins::refresh))
        .route("/sessions/{session_id}/state", get(state::read).patch(state::patch))
        .route("/sessions/{session_id}/tickets", post(tickets::create))
        .route("/tokens/revocations", post(logins::revoke))
        .route("/ws", get(upgrade::upgrade))
}
