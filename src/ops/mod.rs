//! What an operator sees of the server and tells it: [`metrics`], [`logging`],
//! [`signals`]; and what it asks of the system: [`memory`], [`descriptors`].

pub mod descriptors;
pub mod edge;
pub mod logging;
pub mod memory;
pub mod metrics;
mod records;
pub mod signals;
mod stories;

pub use metrics::Metrics;
