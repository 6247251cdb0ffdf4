//! What Tiltyard and its clients say to each other over a WebSocket: message types, their two encodings, the view a
//! client rebuilds from them, and every close code and reason. No I/O and no clock.
//!
//! In reading order:
//! - [`client`]: what a client may say; [`server`]: what the server answers and publishes; [`event`]: what happened.
//! - [`room`]: what is said about custom sessions, and a player's own.
//! - [`codec`]: bytes to messages and back, JSON or `MessagePack`, of clients by the protocol's own language alone, which `strict` keeps;
//!   [`mistake`]: what is wrong with those that are none, and in which of their [`fields`].
//! - [`rules`]: what a session is played by, told once with `joined`.
//! - [`view`]: a session as one audience sees it, rebuilt from a snapshot and deltas; [`digest`] proves it did not drift.
//! - [`reason`]: the stable names of everything that can go wrong; [`close`]: the close codes.

pub mod client;
pub mod close;
pub mod codec;
pub mod digest;
pub mod event;
pub mod fields;
pub mod joined;
pub mod mistake;
pub mod reason;
pub mod room;
pub mod rules;
pub mod server;
mod strict;
pub mod view;

pub use client::{Act, ActionKind, BodyPart, ClientMessage};
pub use close::CloseCode;
pub use codec::Encoding;
pub use digest::Digest;
pub use mistake::{About, DecodeError};
pub use reason::Reason;
pub use rules::RulesView;
pub use server::{Delta, ServerMessage, Snapshot};
pub use view::View;
