//! `POST /arena/seats`: a seat in the next fight of a kind, and a ticket to it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, Unread};
use super::fields::Fields;
use super::lobby::{Comer, Kind, Wish};
use super::rate::Sender;
use super::shapes::Timestamp;
use super::{App, new_fight, tickets};
use crate::auth::{Admission, Operation, Sponsor};

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
    Sender(address): Sender,
    headers: HeaderMap,
    body: Unread,
) -> Result<Json<Seat>, ApiError> {
    caller.may(Operation::TakeArenaSeat)?;
    let player = caller.player().ok_or(Reason::Forbidden)?;
    let wish = wish(body.object().await?, &app)?;
    let seats = wish.kind.seats();
    let (session, slot) = seated(&app, wish, Comer { player, address }).await?;
    let admission = Admission::of(&caller, session, player, caller.sid);
    let ticket = tickets::mint(&app, &headers, admission, Sponsor::of(&caller, address));
    Ok(Json(Seat {
        session_id: session,
        slot,
        seats,
        ticket: ticket.ticket,
        url: ticket.url,
        expires_at: ticket.expires_at,
    }))
}

/// In a task of its own: a client that goes away while it is seated has its seat all the same, and gets it when it asks again.
async fn seated(app: &App, wish: Wish, comer: Comer) -> Result<(Uuid, u8), ApiError> {
    let app = Arc::clone(app);
    let seating = async move { app.lobby.seat(&app.hub, app.records.book(), &wish, comer).await };
    let seated = tokio::spawn(seating).await;
    Ok(seated.map_err(|_panicked_or_stopped| Reason::Internal)??)
}

/// `TakeArenaSeatRequest`, validated.
fn wish(mut body: Fields, app: &App) -> Result<Wish, ApiError> {
    let kinds = Kind::ALL.map(Kind::name).join(", ");
    let kind = body.text("kind", &format!("one of {kinds}"), Kind::named);
    let kind = body.need("kind", kind);
    let ruleset = new_fight::ruleset(&mut body, &app.library);
    let difficulty = new_fight::difficulty(&mut body);
    if let (Some(kind), Some(ruleset)) = (kind, &ruleset)
        && !kind.is_in(ruleset)
    {
        body.fault("kind", "must be one that the ruleset has");
    }
    body.finish()?;
    let (Some(kind), Some(ruleset)) = (kind, ruleset) else { return Err(Reason::ValidationFailed.into()) };
    Ok(Wish { kind, ruleset, difficulty })
}
