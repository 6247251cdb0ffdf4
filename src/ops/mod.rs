//! What an operator tells the server and reads of it: [`logging`], [`signals`]; what it asks of the system: [`memory`], [`descriptors`], [`files`]; and who looks after its tasks: [`watch`], [`beat`].

pub mod beat;
pub mod descriptors;
pub mod files;
pub mod logging;
pub mod memory;
pub mod signals;
pub mod watch;
