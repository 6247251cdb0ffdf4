//! Rust client of the Tiltyard session hub, for bots, services and tests.
//!
//! [`Rest`] gets a seat and a ticket. A [`Connection`] joins sessions, comes back by itself, and tells what happens; it has a [`Fight`] with
//! the view of it, a [`Room`] with the state of a custom session, a [`Pulse`] that keeps the player's presence.
//!
//! ```no_run
//! # async fn play() -> Result<(), tiltyard_client::Error> {
//! use tiltyard_client::{Connection, Fight, Rest};
//!
//! let rest = Rest::new("http://127.0.0.1:8080");
//! let guest = rest.guest().await?;
//! let seat = rest.take_seat(&guest.token, "duel").await?;
//! let mut connection = Connection::new(rest.play(&guest, &seat));
//! let fight = connection.join::<Fight>(seat.session_id);
//! connection[fight].ready();
//! while let Some((_, told)) = connection.next().await {
//!     println!("{told:?} at {:?}", connection[fight].seq());
//! }
//! # Ok(()) }
//! ```
//!
//! A [`Client`] is a connection by hand, without any of that.
//!
//! In reading order: `connection` is what is used, `options` what it is opened with, `told` what it tells; `machine` is what it does, without
//! a socket and without a clock, and of it `joins`, `heartbeat`, `closing` and `comeback` are parts; a `member` is a session, `fight` with its
//! `actions`, or `room` and `pulse` with their `requests`; `clock`, `interpolate` and `predict` are for who draws.

mod actions;
mod client;
mod clock;
mod closing;
mod comeback;
mod connection;
mod error;
mod fight;
mod heartbeat;
mod interpolate;
mod joins;
mod machine;
mod member;
mod open;
mod options;
mod order;
mod predict;
mod pulse;
mod record;
mod requests;
mod rest;
mod room;
mod told;
mod trust;

pub use actions::{Unsent, WINDOW};
pub use client::{Client, Update};
pub use clock::ServerClock;
pub use closing::Closing;
pub use connection::{Connection, Key};
pub use error::Error;
pub use fight::Fight;
pub use interpolate::{Interpolator, Pose};
pub use machine::Link;
pub use member::Kind;
pub use options::Options;
pub use order::Order;
pub use predict::Predictor;
pub use pulse::Pulse;
pub use record::{Record, merge};
pub use rest::{Answer, Guest, Rest, Seat, Ticket};
pub use room::Room;
pub use told::{Status, Told};
pub use trust::Trust;
