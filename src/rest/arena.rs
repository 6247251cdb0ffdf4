//! `POST /arena/seats`: a seat in the next fight of a kind, and a ticket to it.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::{Body, Caller};
use super::lobby::Kind;
use super::shapes::Timestamp;
use super::tickets;
use crate::auth::{Admission, Operation};

/// A seat and the way to it.
#[derive(Debug, Serialize)]
pub struct Seat {
    session_id: Uuid,
    slot: u8,
    seats: u8,
    ticket: String,
    url: String,
    expires_at: Timestamp,
}

/// Takes a seat.
pub async fn take(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    Body(mut body): Body,
) -> Result<Json<Seat>, ApiError> {
    caller.may(Operation::TakeArenaSeat)?;
    let player = caller.player().ok_or(Reason::Forbidden)?;
    let kind = body.text("kind", "duel or brawl", Kind::named);
    let kind = body.need("kind", kind);
    body.finish()?;
    let kind = kind.unwrap_or(Kind::Duel);
    let (session, slot) = app.lobby.seat(&app.hub, kind, player).await?;
    let ticket = tickets::mint(&app, &headers, Admission { session, player, sid: caller.sid })?;
    Ok(Json(Seat {
        session_id: session,
        slot,
        seats: kind.seats(),
        ticket: ticket.ticket,
        url: ticket.url,
        expires_at: ticket.expires_at,
    }))
}
