//! Rust client of the Tiltyard session hub, for bots, services and tests.
//!
//! [`Rest`] gets a seat and a ticket, [`Client`] plays: it keeps the [`View`](tiltyard_protocol::View) of the session it
//! joined, checks every digest, numbers actions and tells what happened, one [`Update`] after the other.
//!
//! ```no_run
//! # async fn play() -> Result<(), tiltyard_client::Error> {
//! let rest = tiltyard_client::Rest::new("http://127.0.0.1:8080");
//! let guest = rest.guest().await?;
//! let seat = rest.take_seat(&guest.token, "duel").await?;
//! let mut client = tiltyard_client::Client::connect(&seat.url, tiltyard_protocol::Encoding::Json).await?;
//! client.join(seat.session_id).await?;
//! client.ready().await?;
//! while let Some(update) = client.next().await? {
//!     println!("{update:?}");
//! }
//! # Ok(()) }
//! ```

mod client;
mod error;
mod order;
mod rest;
mod room;
mod trust;

pub use client::{Client, Update};
pub use error::Error;
pub use order::Order;
pub use rest::{Answer, Guest, Rest, Seat, Ticket};
pub use room::{Room, merge};
pub use trust::Trust;
