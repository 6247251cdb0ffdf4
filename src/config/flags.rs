//! The flags of the command line that say how the server is run.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use config::ConfigBuilder;
use config::builder::DefaultState;

use super::{Limit, Rate, Switch};
use crate::auth::dialect::Meant;
use crate::ops::logging::LogFormat;

/// The flags of `serve`. Each stands over the `TILTYARD__…` environment variable and the file's key of the same name.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Data folder [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder of rulesets (TOML), which add to the built-in ones or take the place of those with the same name
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// The store's URL
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Days for which ended sessions are kept [default: 30]
    #[arg(long, value_name = "DAYS")]
    pub retention_days: Option<u64>,
    /// Redis through which nodes that share one PostgreSQL find each other, redis:// or rediss:// [default: one node alone]
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// How other nodes reach this one [default: where it listens]
    #[arg(long, value_name = "URL")]
    pub node_url: Option<String>,
    /// The Redis that has the log, `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]` [default: files in the data folder]
    #[arg(long, value_name = "URL")]
    pub redis_log: Option<String>,
    /// This node's name in logs and metrics
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// What clients reach this server by; ticket URLs are built from it [default: the request's Host]
    #[arg(long, value_name = "URL")]
    pub advertise: Option<String>,
    /// Serve over TLS: the chain of certificates in PEM, the server's own first; read again when it changes, and at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Hand out guest tokens although others than this machine can connect
    #[arg(long)]
    pub allow_guests: bool,
    /// An origin whose pages may call this server, besides its own; repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// Where else clients reach this cluster: the arena goes on there when this node is gone; repeatable
    #[arg(long, value_name = "URL")]
    pub also_at: Vec<String>,
    /// Keys that check tokens of other issuers: a JWKS file, read again when it changes, or the address of one
    #[arg(long, value_name = "FILE|URL")]
    pub jwks: Option<String>,
    /// An issuer (`iss`) whose tokens those keys sign; repeatable
    #[arg(long, value_name = "ISSUER")]
    pub token_issuers: Vec<String>,
    /// An audience (`aud`) of theirs and whom its tokens are for; a player where nothing is said; repeatable
    #[arg(long, value_name = "AUD[=player|service|admin]")]
    pub token_audiences: Vec<Meant>,
    /// A claim of theirs that names scopes, as a text or a list, `a.b` for one in another; repeatable [default: scope and scp]
    #[arg(long, value_name = "CLAIM")]
    pub token_scope_claims: Vec<String>,
    /// The claim of theirs that says who the player is [default: sub]
    #[arg(long, value_name = "CLAIM")]
    pub token_player_claim: Option<String>,
    /// Number of shards, one thread each [default: one per core]
    #[arg(long, value_name = "N")]
    pub shards: Option<u64>,
    /// fdatasync the log once per turn: acknowledged actions survive power loss
    #[arg(long)]
    pub sync: bool,
    /// For one start: leave out what cannot be read of a damaged log or store, tell what is lost, and keep the damaged files aside
    #[arg(long)]
    pub accept_loss: bool,
    /// Filter of the log; `TILTYARD_LOG` stands below it [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Whether requests are counted by caller and refused where they are too many [default: on]
    #[arg(long, value_name = "SWITCH")]
    pub rate_limits: Option<Switch>,
    /// Requests of one player, a second and at once [default: 50/s,200]
    #[arg(long, value_name = "N/s,BURST")]
    pub rate_player: Option<Rate>,
    /// Requests of one service or administrator [default: 20000/s,40000]
    #[arg(long, value_name = "N/s,BURST")]
    pub rate_service: Option<Rate>,
    /// Connections of one address that are not upgraded [default: a quarter of what may be open, at most 4096]
    #[arg(long, value_name = "N")]
    pub connections_per_address: Option<NonZeroUsize>,
    /// Seconds for which a server that is told to stop says 503 at /readyz and /health and serves all the same [default: 2]
    #[arg(long, value_name = "SECONDS")]
    pub drain_seconds: Option<u64>,
    /// Milliseconds that a call of the store may take, from 750 to 3000; over: 503 `store_unavailable` [default: 750]
    #[arg(long, value_name = "MS")]
    pub store_timeout_ms: Option<u64>,
    /// Pages sent to one address [default: 600/s,6000]
    #[arg(long, value_name = "N/s,BURST")]
    pub rate_page: Option<Rate>,
    /// Requests without a good token from one address [default: 50/s,400]
    #[arg(long, value_name = "N/s,BURST")]
    pub rate_address: Option<Rate>,
    /// Messages of one WebSocket connection, with a KiB each, a second and at once [default: 240/s,480]
    #[arg(long, value_name = "N/s,BURST|off")]
    pub rate_connection: Option<Limit>,
    /// Address of a proxy in front of this server, whose X-Forwarded-For is believed; repeatable
    #[arg(long = "trusted-proxy", value_name = "ADDR")]
    pub trusted_proxies: Vec<IpAddr>,
}

impl Flags {
    /// Lays the flags that were given over the other sources.
    pub(crate) fn over(
        &self,
        builder: ConfigBuilder<DefaultState>,
    ) -> Result<ConfigBuilder<DefaultState>, config::ConfigError> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let list = |values: &Vec<String>| (!values.is_empty()).then(|| values.clone());
        let format = self.log_format.map(|format| match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        });
        let switch = self.rate_limits.map(|switch| match switch {
            Switch::On => "on",
            Switch::Off => "off",
        });
        let rate = |rate: Option<Rate>| rate.map(|rate| rate.to_string());
        let connections = self.connections_per_address.map(|most| most.to_string());
        let audiences: Vec<String> = self.token_audiences.iter().map(Meant::to_string).collect();
        let proxies: Vec<String> = self.trusted_proxies.iter().map(IpAddr::to_string).collect();
        builder
            .set_override_option("rate_limits", switch)?
            .set_override_option("rate_player", rate(self.rate_player))?
            .set_override_option("rate_service", rate(self.rate_service))?
            .set_override_option("connections_per_address", connections)?
            .set_override_option("drain_seconds", self.drain_seconds)?
            .set_override_option("store_timeout_ms", self.store_timeout_ms)?
            .set_override_option("rate_page", rate(self.rate_page))?
            .set_override_option("rate_address", rate(self.rate_address))?
            .set_override_option("rate_connection", self.rate_connection.map(|limit| limit.to_string()))?
            .set_override_option("trusted_proxies", (!proxies.is_empty()).then_some(proxies))?
            .set_override_option("listen", self.listen.map(|listen| listen.to_string()))?
            .set_override_option("data", self.data.as_ref().map(path))?
            .set_override_option("rules", self.rules.as_ref().map(path))?
            .set_override_option("database", self.database.clone())?
            .set_override_option("retention_days", self.retention_days)?
            .set_override_option("redis", self.redis.clone())?
            .set_override_option("node_url", self.node_url.clone())?
            .set_override_option("redis_log", self.redis_log.clone())?
            .set_override_option("node", self.node.clone())?
            .set_override_option("advertise", self.advertise.clone())?
            .set_override_option("tls_cert", self.tls_cert.as_ref().map(path))?
            .set_override_option("tls_key", self.tls_key.as_ref().map(path))?
            .set_override_option("allow_guests", self.allow_guests.then_some(true))?
            .set_override_option("allow_origin", list(&self.allow_origin))?
            .set_override_option("also_at", list(&self.also_at))?
            .set_override_option("jwks", self.jwks.clone())?
            .set_override_option("token_issuers", list(&self.token_issuers))?
            .set_override_option("token_audiences", (!audiences.is_empty()).then_some(audiences))?
            .set_override_option("token_scope_claims", list(&self.token_scope_claims))?
            .set_override_option("token_player_claim", self.token_player_claim.clone())?
            .set_override_option("shards", self.shards)?
            .set_override_option("sync", self.sync.then_some(true))?
            .set_override_option("log", self.log.clone())?
            .set_override_option("log_format", format)
    }
}
