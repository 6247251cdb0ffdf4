//! From bytes on a socket to WebSocket messages and back: [`accept`] the connection, [`upgrade`] it, [`reader`] the
//! client's frames, [`frame`] ours, [`outbox`] what waits to be written, [`kernel`] what has been and waits all the same.

pub mod accept;
pub mod frame;
pub mod kernel;
pub mod outbox;
pub mod patience;
pub mod reader;
pub mod upgrade;
pub mod visitors;
