//! The flags of `tiltyard cluster`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::Flags;

/// What a cluster to try is like.
#[derive(Debug, Clone, Args)]
pub struct ClusterArgs {
    /// Nodes, 2 to 9
    #[arg(value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=9))]
    pub nodes: u8,
    /// Address of this machine and port of the first node; the others have the next ports that are free
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = own_address)]
    pub listen: SocketAddr,
    /// Folder for everything that is kept, to go on with another time [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The PostgreSQL to use [default: one is started]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The Redis through which nodes find each other [default: one is started]
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// The Redis that has the log, with appendonly and appendfsync always [default: one is started]
    #[arg(long, value_name = "URL")]
    pub redis_log: Option<String>,
    /// Leave a node that has ended as it is [default: it is started again after 5 s]
    #[arg(long)]
    pub no_restart: bool,
    /// Filter of the nodes' logs
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

impl ClusterArgs {
    /// What of it a node would be told, for the node's own checks. What is not given stands for what will be started.
    pub(super) fn flags(&self) -> Flags {
        let given = |url: &Option<String>, stand_in: &str| Some(url.clone().unwrap_or_else(|| stand_in.to_owned()));
        Flags {
            database: given(&self.database, "postgres://127.0.0.1/x"),
            redis: given(&self.redis, "redis://127.0.0.1"),
            redis_log: given(&self.redis_log, "redis://127.0.0.1"),
            log: Some(self.log.clone()),
            ..Flags::default()
        }
    }
}

fn own_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "must be ADDR:PORT, such as 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("must be an address that only this machine reaches, such as 127.0.0.1:8080".to_owned())
    }
}
