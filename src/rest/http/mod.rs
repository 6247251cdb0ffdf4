//! Connections that speak HTTP: [`accept`] them, as [`visitors`] who wait no longer than [`patience`] lasts, [`gate`] what their requests
//! are ([`chunks`] where a body ends), [`unread`] what an answer did not need of them, [`upgrade`] them to sockets, [`renewal`] of
//! those sockets' credentials.

pub mod accept;
mod chunks;
pub mod gate;
pub mod patience;
pub mod renewal;
mod unread;
pub mod upgrade;
pub mod visitors;
