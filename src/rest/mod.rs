//! REST: JSON over HTTP, under three base paths. Whatever changes a session goes through the hub into the same inbox as
//! what sockets say.
//!
//! In reading order: [`layers`] what every request passes, [`extract`] and [`fields`] requests taken apart, [`error`] the
//! one error, [`shapes`] what answers look like; then the operations: [`health`], [`combat`], [`actions`], [`sessions`],
//! [`tickets`], [`guest`], [`arena`]; [`openapi`] describes them all, [`routes`] lists where they are; [`pages`] are the
//! embedded web pages.

pub mod actions;
pub mod arena;
pub mod combat;
pub mod error;
pub mod extract;
pub mod fields;
pub mod guest;
pub mod health;
pub mod id;
pub mod layers;
pub mod lobby;
pub mod openapi;
pub mod origin;
pub mod pages;
pub mod routes;
pub mod sessions;
pub mod shapes;
pub mod tickets;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use error::ApiError;
pub use routes::Routes;

use crate::auth::{Operation, Principal, Relation, Tickets, TokenKey};
use crate::hub::{FightInfo, Hub};
use crate::ops::Metrics;
use crate::socket::upgrade;

/// What every handler can reach. Cheap to clone.
pub type App = Arc<AppState>;

/// The parts of [`App`].
#[derive(Debug)]
pub struct AppState {
    pub hub: Hub,
    pub key: TokenKey,
    pub tickets: Tickets,
    pub lobby: lobby::Lobby,
    pub origins: origin::Origins,
    pub metrics: Metrics,
    pub updates: sessions::UpdateLocks,
    /// Whether `POST /guest` hands out tokens.
    pub guests: bool,
    /// `http://ADDR:PORT` or what the configuration advertises.
    pub own_url: String,
    /// Whether `own_url` was configured, and so stands over the request's Host.
    pub advertised: bool,
    pub started: Instant,
    /// Cancelled when the server begins to stop.
    pub draining: CancellationToken,
    /// What must be finished before the server ends.
    pub tasks: TaskTracker,
}

impl AppState {
    /// Reads a session the caller may do `operation` to. To others it does not exist.
    pub async fn fight(&self, caller: &Principal, operation: Operation, session: Uuid) -> Result<FightInfo, ApiError> {
        caller.may(operation)?;
        let fight = self.hub.read(session).await?;
        caller.may_to(operation, relation(caller, &fight))?;
        Ok(fight)
    }

    /// Where the request's sender reaches this server, by HTTP.
    pub fn url(&self, headers: &HeaderMap) -> String {
        let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
        match host.filter(|host| !self.advertised && origin::is_authority(host)) {
            Some(host) => format!("http://{host}"),
            None => self.own_url.clone(),
        }
    }
}

/// How a caller stands to a session.
fn relation(caller: &Principal, fight: &FightInfo) -> Relation {
    if fight.creator == caller.owner() {
        Relation::Creator
    } else if caller.player().is_some_and(|player| fight.participants.iter().any(|seat| seat.player == player)) {
        Relation::Participant
    } else {
        Relation::Foreign
    }
}

/// The whole HTTP service.
pub fn router(app: &App) -> Router {
    let api = operations().router();
    let all = extract::BASES.into_iter().fold(api.clone(), |router, base| router.nest(base, api.clone()));
    layers::wrap(
        all.fallback(pages::serve).method_not_allowed_fallback(layers::method_not_allowed).with_state(Arc::clone(app)),
        app,
    )
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
        .route("/combat/sessions", post(combat::create))
        .route("/combat/sessions/{session_id}/state", get(combat::state))
        .route("/combat/sessions/{session_id}/actions", post(actions::act))
        .route("/sessions/{session_id}", get(sessions::read).put(sessions::update).delete(sessions::terminate))
        .route("/sessions/{session_id}/tickets", post(tickets::create))
        .route("/ws", get(upgrade::upgrade))
}
