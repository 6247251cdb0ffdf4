//! What an operator sees of the server and tells it: [`metrics`], [`logging`],
//! [`signals`]; what it asks of the system: [`memory`], [`descriptors`], [`files`]; and who looks after its tasks: [`watch`].

pub mod descriptors;
pub mod edge;
pub mod files;
pub mod logging;
pub mod memory;
pub mod metrics;
mod records;
pub mod signals;
mod stories;
pub mod watch;

pub use metrics::Metrics;
