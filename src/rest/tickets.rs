//! `POST /sessions/{session_id}/tickets`: a ticket for one player to one session.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, NamedId, Unread};
use super::rate::Sender;
use super::shapes::Timestamp;
use super::{App, AppState};
use crate::auth::outstanding::GivenUp;
use crate::auth::{Admission, Operation, Sponsor};

/// A ticket and where to show it.
#[derive(Debug, Serialize)]
pub struct Ticket {
    pub ticket: String,
    /// Absolute, with the ticket in it.
    pub url: String,
    pub expires_at: Timestamp,
    pub session_id: Uuid,
    pub player_id: Uuid,
}

/// Mints a ticket: for the player who asks, or for the participant or member a service names.
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    session: NamedId,
    Sender(address): Sender,
    headers: HeaderMap,
    body: Unread,
) -> Result<(StatusCode, Json<Ticket>), ApiError> {
    caller.may(Operation::MintTicket)?;
    let mut body = body.object_if_any().await;
    let named = body.as_mut().ok().and_then(|body| body.uuid("player_id"));
    let seats = match session.given() {
        Some(session) => Some(app.seats(&caller, Operation::MintTicket, session, named).await?),
        None => None,
    };
    let mut body = body?;
    let session = session.beside(&mut body);
    body.finish()?;
    let seats = seats.ok_or(Reason::ValidationFailed)?;
    let (player, has_seat) = match (caller.player(), named) {
        (Some(own), Some(other)) if own != other => {
            return Err(ApiError::new(Reason::Forbidden).message("A player gets tickets only for itself."));
        }
        (Some(own), _) => (own, seats.has_seat[0]),
        (None, Some(other)) => (other, seats.has_seat[1]),
        (None, None) => return Err(ApiError::field("player_id", "is needed")),
    };
    if !has_seat {
        return Err(Reason::NotAParticipant.into());
    }
    if seats.has_ended {
        return Err(Reason::SessionEnded.into());
    }
    // The player's own auth session ends its sockets; that of a service that asks on its behalf does not.
    let sid = caller.player().and(caller.sid);
    // Whoever's token it is, the socket ends with it.
    let admission = Admission::of(&caller, session, player, sid);
    Ok((StatusCode::CREATED, Json(mint(&app, &headers, admission, Sponsor::of(&caller, address)))))
}

/// Mints a ticket without asking whether it may be. That never fails: where there are too many, one of whoever has too many goes.
pub fn mint(app: &AppState, headers: &HeaderMap, admission: Admission, sponsor: Sponsor) -> Ticket {
    let (ticket, expires_at, given_up) = app.tickets.mint(admission, sponsor);
    let figures = &app.metrics.edge;
    match given_up {
        Some(GivenUp::Player) => figures.tickets_player.increment(1),
        Some(GivenUp::Sponsor) => figures.tickets_sponsor.increment(1),
        Some(GivenUp::Heaviest) => figures.tickets_full.increment(1),
        None => {}
    }
    Ticket {
        // A ticket has no character that a query would have to escape.
        url: format!("{}/ws?ticket={ticket}", socket_url(&app.url(headers))),
        ticket,
        expires_at: Timestamp(expires_at),
        session_id: admission.session,
        player_id: admission.player,
    }
}

/// `ws` for `http`, `wss` for `https`.
fn socket_url(url: &str) -> String {
    url.strip_prefix("http").map_or_else(|| url.to_owned(), |rest| format!("ws{rest}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn socket_urls() {
        assert_eq!(super::socket_url("http://127.0.0.1:8080"), "ws://127.0.0.1:8080");
        assert_eq!(super::socket_url("https://game.example/hub"), "wss://game.example/hub");
    }
}
