//! From bytes on a socket to WebSocket messages and back: [`accept`] the connection, [`gate`] what its requests are,
//! [`unread`] what an answer did not need of them, [`upgrade`] it, [`reader`] the client's frames, [`frame`] ours, [`outbox`] what waits
//! to be written, [`kernel`] what has been and waits all the same, [`budget`] how much a client may send, [`ledger`] what its player's
//! other connections leave of that, [`renewal`] of its credentials.

pub mod accept;
mod bounds;
pub mod budget;
mod chunks;
pub mod frame;
pub mod gate;
pub mod kernel;
pub mod ledger;
pub mod outbox;
pub mod patience;
pub mod reader;
pub mod renewal;
mod unread;
pub mod upgrade;
pub mod visitors;
