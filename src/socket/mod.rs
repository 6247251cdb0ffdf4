//! From bytes on a socket to WebSocket messages and back: [`reader`] the client's frames, [`frame`] ours, [`outbox`] what waits
//! to be written, [`kernel`] what has been and waits all the same, [`budget`] how much a client may send, [`ledger`] what its player's
//! other connections leave of that; [`passing`] where frames stand that are another node's; [`tls`] what lies between the socket and all of these where clients come over TLS.

#[cfg(test)]
#[path = "../../tests/authority/mod.rs"]
pub(crate) mod authority;
mod bounds;
pub mod budget;
pub mod frame;
pub mod kernel;
pub mod ledger;
pub mod outbox;
pub mod passing;
pub mod reader;
pub mod receipt;
pub mod tls;
mod utf8;
