//! Connections that speak HTTP: [`accept`] them, over TLS with a [`handshake`] in which the server shows its [`certificate`] ([`identity`]
//! keeps it as its files are, [`validity`] is until when it is good), as [`visitors`] who wait no longer than [`patience`] lasts, [`gate`] what their requests
//! are ([`chunks`] where a body ends), [`unread`] what an answer did not need of them, [`upgrade`] them to sockets, [`relay`] those that are for another
//! node, [`renewal`] of those sockets' credentials. What is read and written goes through the [`transport`].

pub mod accept;
pub mod certificate;
mod chunks;
pub mod gate;
pub mod handshake;
pub mod identity;
pub mod patience;
mod relay;
pub mod renewal;
pub mod transport;
mod unread;
pub mod upgrade;
mod validity;
pub mod visitors;
