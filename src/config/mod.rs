//! What the server is told: defaults < file (TOML) < `TILTYARD__…` environment < flags.

mod cluster;
mod flags;
mod rate;
mod redis;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use config::builder::DefaultState;
use config::{ConfigBuilder, Environment, File, FileFormat};
use serde::Deserialize;
use thiserror::Error;

pub use flags::Flags;
pub use rate::{Limit, Rate};
pub use redis::RedisUrl;

use crate::auth::Dialect;
use crate::auth::dialect::Meant;
use crate::auth::source::Source;
use crate::auth::token::ISSUER;
use crate::limits;
use crate::ops::logging::LogFormat;

/// Every setting, resolved.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The data folder: the token key and the log.
    pub data: PathBuf,
    /// Rulesets beside the built-in ones; `None` for none.
    pub rules: Option<PathBuf>,
    /// The store, `postgres://…` or `sqlite://PATH`; `None` for a file in the data folder.
    pub database: Option<String>,
    /// Where nodes that share the store find each other, `redis://…` or `rediss://…`; `None` for one node alone.
    pub redis: Option<String>,
    /// How other nodes reach this one, without a slash at its end; `None` for where it listens.
    pub node_url: Option<String>,
    /// The Redis that has the log; `None` for files in the data folder.
    pub redis_log: Option<RedisUrl>,
    /// This node's name in logs and metrics.
    pub node: String,
    /// What `url` in tickets is built from, without a slash at its end; `None` for the request's own Host.
    pub advertise: Option<String>,
    /// The chain of certificates that is shown over TLS, and its key, in PEM; without them HTTP and sockets are served as they are.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Hand out guest tokens although others than this machine can connect.
    pub allow_guests: bool,
    /// Origins whose pages may call this server, besides its own.
    pub allow_origin: Vec<String>,
    /// Where else clients reach the cluster, each without a slash at its end.
    pub also_at: Vec<String>,
    /// Where the keys are that check tokens of others, besides the node's own secret.
    pub jwks: Option<Source>,
    /// `iss` of the tokens those keys may have signed.
    pub token_issuers: Vec<String>,
    /// Audiences in those tokens that stand for one of ours.
    pub token_audiences: Vec<Meant>,
    /// Claims in which those tokens name scopes.
    pub token_scope_claims: Vec<String>,
    /// The claim in which those tokens say who the player is.
    pub token_player_claim: String,
    pub shards: usize,
    /// fdatasync the log once per turn.
    pub sync: bool,
    /// Leave out what cannot be read of the log, instead of not starting. By flag alone: it is said once, for one start.
    #[serde(skip)]
    pub accept_loss: bool,
    /// Days for which ended sessions are kept.
    pub retention_days: u64,
    /// Filter of the log: `info`, or `warn,tiltyard::access=debug`.
    pub log: String,
    pub log_format: LogFormat,
    /// Whether requests are counted by caller, and refused where they are too many.
    pub rate_limits: Switch,
    /// How many requests one player may send.
    pub rate_player: Rate,
    /// How many requests one service may send, and one administrator.
    pub rate_service: Rate,
    /// How many pages may be sent to one address.
    pub rate_page: Rate,
    /// How many requests without a good token may come from one address.
    pub rate_address: Rate,
    /// How many connections that are not upgraded one address may have; `None` for what suits the limit of open files.
    pub connections_per_address: Option<NonZeroUsize>,
    /// Seconds for which the server, told to stop, says that it is not ready and serves all the same.
    pub drain_seconds: u64,
    /// Milliseconds that a call of the store may take.
    pub store_timeout_ms: u64,
    /// How many messages one WebSocket connection may send.
    pub rate_connection: Limit,
    /// Proxies in front of this server, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Something that can be switched off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    #[default]
    On,
    Off,
}

/// Why a configuration was not taken.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("unknown settings: {}; known are {}", .0.join(", "), KEYS.join(", "))]
    UnknownKeys(Vec<String>),
    #[error(transparent)]
    Invalid(#[from] config::ConfigError),
    #[error("{setting}: {problem}")]
    Value { setting: &'static str, problem: String },
}

/// The settings' names.
const KEYS: [&str; 34] = [
    "listen",
    "data",
    "rules",
    "database",
    "redis",
    "node_url",
    "redis_log",
    "node",
    "advertise",
    "tls_cert",
    "tls_key",
    "allow_guests",
    "allow_origin",
    "also_at",
    "jwks",
    "token_issuers",
    "token_audiences",
    "token_scope_claims",
    "token_player_claim",
    "shards",
    "sync",
    "retention_days",
    "log",
    "log_format",
    "rate_limits",
    "rate_player",
    "rate_service",
    "connections_per_address",
    "drain_seconds",
    "store_timeout_ms",
    "rate_page",
    "rate_address",
    "rate_connection",
    "trusted_proxies",
];

impl Config {
    /// Merges the sources. `environment` is the process's, given as an argument so that a test can give another.
    pub fn load(flags: &Flags, environment: HashMap<String, String>) -> Result<Self, ConfigError> {
        let log = environment.get("TILTYARD_LOG").cloned();
        let mut builder = defaults()?;
        if let Some(path) = &flags.config {
            builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml));
        }
        builder = builder.add_source(
            Environment::with_prefix("TILTYARD")
                .prefix_separator("__")
                .separator("__")
                .try_parsing(true)
                .list_separator(",")
                .with_list_parse_key("allow_origin")
                .with_list_parse_key("also_at")
                .with_list_parse_key("token_issuers")
                .with_list_parse_key("token_audiences")
                .with_list_parse_key("token_scope_claims")
                .with_list_parse_key("trusted_proxies")
                .source(Some(environment)),
        );
        let merged = flags.over(builder.set_override_option("log", log)?)?.build()?;
        let mut unknown: Vec<String> =
            merged.cache.clone().into_table()?.into_keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
        if !unknown.is_empty() {
            unknown.sort();
            return Err(ConfigError::UnknownKeys(unknown));
        }
        // Said as all else that is wrong with a setting's value.
        if let Ok(url) = merged.get_string("redis_log") {
            RedisUrl::try_from(url).map_err(|problem| ConfigError::Value { setting: "--redis-log", problem })?;
        }
        let mut config: Self = merged.try_deserialize()?;
        config.accept_loss = flags.accept_loss;
        config.check()?;
        Ok(config)
    }

    /// Whether guests are admitted: only this machine can connect, or the operator said so.
    pub fn guests(&self) -> bool {
        self.allow_guests || self.listen.ip().is_loopback()
    }

    /// How tokens of others are read.
    pub fn dialect(&self) -> Dialect {
        Dialect {
            issuers: self.token_issuers.clone(),
            audiences: self.token_audiences.clone(),
            scope_claims: self.token_scope_claims.clone(),
            player_claim: self.token_player_claim.clone(),
        }
    }

    fn check(&mut self) -> Result<(), ConfigError> {
        self.check_cluster()?;
        if let Some(database) = &self.database
            && !["postgres://", "postgresql://", "sqlite://"].iter().any(|scheme| database.starts_with(scheme))
        {
            let problem = "must be postgres://USER@HOST/NAME or sqlite://PATH".to_owned();
            return Err(ConfigError::Value { setting: "database", problem });
        }
        let is_name =
            (1..=limits::NODE_NAME_BYTES).contains(&self.node.len()) && self.node.bytes().all(|b| b.is_ascii_graphic());
        if !is_name {
            let problem = format!("must be 1 to {} visible ASCII characters", limits::NODE_NAME_BYTES);
            return Err(ConfigError::Value { setting: "node", problem });
        }
        if !(1..=limits::RETENTION_DAYS).contains(&self.retention_days) {
            let problem = format!("must be from 1 to {}", limits::RETENTION_DAYS);
            return Err(ConfigError::Value { setting: "retention_days", problem });
        }
        if self.drain_seconds > limits::DRAIN_SECONDS_MOST {
            let problem = format!("must be at most {}", limits::DRAIN_SECONDS_MOST);
            return Err(ConfigError::Value { setting: "drain_seconds", problem });
        }
        if !(limits::STORE_MS..=limits::STORE_MS_MOST).contains(&self.store_timeout_ms) {
            let problem = format!("must be from {} to {}", limits::STORE_MS, limits::STORE_MS_MOST);
            return Err(ConfigError::Value { setting: "store_timeout_ms", problem });
        }
        let missing = match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => Some("tls_key"),
            (None, Some(_)) => Some("tls_cert"),
            _ => None,
        };
        if let Some(setting) = missing {
            let problem = "TLS needs a certificate and its key: one was given without the other".to_owned();
            return Err(ConfigError::Value { setting, problem });
        }
        let value = |setting, problem: &str| ConfigError::Value { setting, problem: problem.to_owned() };
        if !(1..=limits::SHARDS).contains(&self.shards) {
            return Err(value("shards", &format!("must be from 1 to {}", limits::SHARDS)));
        }
        if let Some(advertise) = &mut self.advertise {
            let url = advertise.trim_end_matches('/');
            if !is_base_url(url) {
                return Err(value("advertise", "must be http://HOST or https://HOST, with an optional port and path"));
            }
            *advertise = url.to_owned();
        }
        for origin in &mut self.allow_origin {
            *origin = origin.to_ascii_lowercase();
            if !is_base_url(origin) || origin.matches('/').count() != 2 {
                return Err(value("allow_origin", &format!("{origin:?} is no origin such as https://game.example")));
            }
        }
        self.check_issuers().map_err(|problem| value("token_issuers", &problem))?;
        let audiences = self.token_audiences.len();
        if audiences > 0 && self.jwks.is_none() {
            return Err(value("token_audiences", "without jwks there is no key that could check their tokens"));
        }
        if audiences > limits::TOKEN_AUDIENCES {
            return Err(value("token_audiences", &format!("must be at most {}", limits::TOKEN_AUDIENCES)));
        }
        let is_claim = |name: &String| (1..=256).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        if !is_claim(&self.token_player_claim) {
            return Err(value("token_player_claim", "must be 1 to 256 visible ASCII characters"));
        }
        let claims = &self.token_scope_claims;
        if !(1..=limits::TOKEN_SCOPE_CLAIMS).contains(&claims.len()) || !claims.iter().all(is_claim) {
            let problem = format!("must be 1 to {} names of visible ASCII characters", limits::TOKEN_SCOPE_CLAIMS);
            return Err(value("token_scope_claims", &problem));
        }
        Ok(())
    }

    fn check_issuers(&self) -> Result<(), String> {
        let issuers = &self.token_issuers;
        match &self.jwks {
            Some(_) if issuers.is_empty() => {
                return Err("jwks was given, but not whose tokens its keys sign: give the `iss` these tokens have, \
                            for example --token-issuers https://login.example"
                    .to_owned());
            }
            None if !issuers.is_empty() => {
                return Err("without jwks there is no key that could check their tokens".to_owned());
            }
            _ => {}
        }
        if issuers.len() > limits::TOKEN_ISSUERS {
            return Err(format!("must be at most {}", limits::TOKEN_ISSUERS));
        }
        if issuers.iter().any(|issuer| issuer == ISSUER) {
            return Err(format!("{ISSUER:?} is this server itself: its own tokens are good without being named"));
        }
        let fits = |issuer: &String| (1..=256).contains(&issuer.len()) && issuer.bytes().all(|b| b.is_ascii_graphic());
        match issuers.iter().find(|issuer| !fits(issuer)) {
            Some(bad) => Err(format!("{bad:?} is not 1 to 256 visible ASCII characters")),
            None => Ok(()),
        }
    }
}

fn defaults() -> Result<ConfigBuilder<DefaultState>, ConfigError> {
    let shards = std::thread::available_parallelism().map_or(1, usize::from).min(limits::SHARDS);
    Ok(config::Config::builder()
        .set_default("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).to_string())?
        .set_default("data", "./data")?
        .set_default("node", "local")?
        .set_default("allow_guests", false)?
        .set_default("allow_origin", Vec::<String>::new())?
        .set_default("also_at", Vec::<String>::new())?
        .set_default("token_issuers", Vec::<String>::new())?
        .set_default("token_audiences", Vec::<String>::new())?
        .set_default("token_scope_claims", Dialect::SCOPE_CLAIMS.map(str::to_owned).to_vec())?
        .set_default("token_player_claim", Dialect::PLAYER_CLAIM)?
        .set_default("shards", u64::try_from(shards).unwrap_or(1))?
        .set_default("sync", false)?
        .set_default("retention_days", 30)?
        .set_default("log", "info")?
        .set_default("log_format", "text")?
        .set_default("drain_seconds", limits::DRAIN_SECONDS)?
        .set_default("store_timeout_ms", limits::STORE_MS)?
        .set_default("rate_limits", "on")?
        .set_default("rate_player", limits::RATE_PLAYER)?
        .set_default("rate_service", limits::RATE_SERVICE)?
        .set_default("rate_page", limits::RATE_PAGE)?
        .set_default("rate_address", limits::RATE_ADDRESS)?
        .set_default("rate_connection", limits::RATE_CONNECTION)?
        .set_default("trusted_proxies", Vec::<String>::new())?)
}

/// `http(s)://authority[/path]`, nothing else.
fn is_base_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<axum::http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.query().is_none()
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError, Flags, Switch};
    use crate::auth::source::Source;
    use std::collections::HashMap;
    use std::io::Write;
    use std::net::IpAddr;
    use std::num::NonZeroUsize;

    fn environment(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn later_sources_win() {
        let file =
            file("listen = \"127.0.0.1:1\"\nnode = \"file\"\nshards = 3\nallow_origin = [\"https://a.example\"]");
        let flags = Flags { config: Some(file.path().to_owned()), node: Some("flag".into()), ..Flags::default() };
        let env = environment(&[("TILTYARD__NODE", "env"), ("TILTYARD__SHARDS", "2"), ("TILTYARD__SYNC", "true")]);
        let config = Config::load(&flags, env).unwrap();
        assert_eq!(config.node, "flag");
        assert_eq!(config.shards, 2);
        assert!(config.sync);
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.allow_origin, ["https://a.example"]);
        assert_eq!(config.log, "info");
    }

    #[test]
    fn the_folder_of_rulesets_can_be_named_everywhere() {
        let of = |flags: &Flags, env: &[(&str, &str)]| Config::load(flags, environment(env)).unwrap().rules;
        let file = file("rules = \"/file\"");
        let by_file = Flags { config: Some(file.path().to_owned()), ..Flags::default() };
        let by_flag = Flags { rules: Some("/flag".into()), ..by_file.clone() };
        let env = [("TILTYARD__RULES", "/env")];
        assert_eq!(of(&Flags::default(), &[]), None);
        assert_eq!(of(&by_file, &[]), Some("/file".into()));
        assert_eq!(of(&by_file, &env), Some("/env".into()));
        assert_eq!(of(&by_flag, &env), Some("/flag".into()));
    }

    #[test]
    fn the_log_filter_has_a_short_name_below_the_flag() {
        let env = || {
            environment(&[
                ("TILTYARD_LOG", "debug"),
                ("TILTYARD__ALLOW_ORIGIN", "http://a.example,http://b.example:81"),
            ])
        };
        let config = Config::load(&Flags::default(), env()).unwrap();
        assert_eq!(config.log, "debug");
        assert_eq!(config.allow_origin, ["http://a.example", "http://b.example:81"]);
        let flags = Flags { log: Some("warn".into()), ..Flags::default() };
        assert_eq!(Config::load(&flags, env()).unwrap().log, "warn");
    }

    #[test]
    fn unknown_keys_are_named() {
        let file = file("lisen = \"127.0.0.1:1\"\nsync = true\nshard = 3");
        let flags = Flags { config: Some(file.path().to_owned()), ..Flags::default() };
        let error = Config::load(&flags, HashMap::new()).unwrap_err();
        assert!(matches!(&error, ConfigError::UnknownKeys(keys) if keys == &["lisen", "shard"]), "{error}");
        let error = Config::load(&Flags::default(), environment(&[("TILTYARD__PORT", "1")])).unwrap_err();
        assert!(error.to_string().contains("port"), "{error}");
    }

    #[test]
    fn values_are_checked() {
        for (key, value) in [
            ("SHARDS", "0"),
            ("DATABASE", "mysql://x"),
            ("RETENTION_DAYS", "0"),
            ("NODE", "a b"),
            ("LISTEN", "localhost"),
            ("ADVERTISE", "ftp://x"),
            ("ADVERTISE", "https://x/?a=b"),
            ("ALLOW_ORIGIN", "*"),
            ("ALLOW_ORIGIN", "https://x/path"),
            ("ALLOW_ORIGIN", "https://user@x"),
            ("JWKS", "https://login.example/jwks"),
            ("TOKEN_ISSUERS", "https://login.example"),
            ("RATE_LIMITS", "maybe"),
            ("RATE_PLAYER", "fast"),
            ("RATE_SERVICE", "0/s"),
            ("CONNECTIONS_PER_ADDRESS", "0"),
            ("RATE_CONNECTION", "60"),
            ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ] {
            let env = environment(&[(&format!("TILTYARD__{key}"), value)]);
            assert!(Config::load(&Flags::default(), env).is_err(), "{key}={value}");
        }
        let env = environment(&[("TILTYARD__ADVERTISE", "https://game.example/hub/")]);
        assert_eq!(
            Config::load(&Flags::default(), env).unwrap().advertise.as_deref(),
            Some("https://game.example/hub")
        );
    }

    #[test]
    fn external_keys_need_issuers_and_a_place_they_can_come_from() {
        let load = |jwks: &str, issuers: &str| {
            let env = environment(&[("TILTYARD__JWKS", jwks), ("TILTYARD__TOKEN_ISSUERS", issuers)]);
            Config::load(&Flags::default(), env)
        };
        let config = load("https://login.example/jwks?v=1", "https://login.example,shop").unwrap();
        assert!(matches!(config.jwks, Some(Source::Url(url)) if url.as_str() == "https://login.example/jwks?v=1"));
        assert_eq!(config.token_issuers, ["https://login.example", "shop"]);
        assert!(
            matches!(load("keys/jwks.json", "a").unwrap().jwks, Some(Source::File(path)) if path.ends_with("jwks.json"))
        );
        for jwks in ["ftp://x/jwks", "https://", "https://user:pass@x/jwks", "file:///etc/jwks", "://", ""] {
            assert!(load(jwks, "a").is_err(), "{jwks:?}");
        }
        let many = vec!["a"; crate::limits::TOKEN_ISSUERS + 1].join(",");
        for issuers in ["tiltyard", "a,tiltyard", "a b", "a,", &"a".repeat(257), &many] {
            assert!(load("jwks.json", issuers).is_err(), "{issuers:?}");
        }
        let flags = Flags { jwks: Some("jwks.json".into()), ..Flags::default() };
        let error = Config::load(&flags, HashMap::new()).unwrap_err().to_string();
        assert!(error.starts_with("token_issuers: jwks was given") && error.contains("--token-issuers"), "{error}");
        let flags = Flags { token_issuers: vec!["a".into(), "b,c".into()], ..flags };
        assert_eq!(Config::load(&flags, HashMap::new()).unwrap().token_issuers, ["a", "b,c"]);
    }

    #[test]
    fn how_others_write_tokens_can_be_set_everywhere() {
        let load = |env: &[(&str, &str)]| {
            let usual = [("TILTYARD__JWKS", "jwks.json"), ("TILTYARD__TOKEN_ISSUERS", "a")];
            Config::load(&Flags::default(), environment(&[&usual[..], env].concat()))
        };
        let usual = load(&[]).unwrap().dialect();
        assert_eq!((usual.player_claim.as_str(), usual.audiences.len()), ("sub", 0));
        assert_eq!(usual.scope_claims, ["scope", "scp"]);
        let dialect = load(&[
            ("TILTYARD__TOKEN_AUDIENCES", "https://game.example,api://ops=service"),
            ("TILTYARD__TOKEN_SCOPE_CLAIMS", "roles,realm_access.roles"),
            ("TILTYARD__TOKEN_PLAYER_CLAIM", "oid"),
        ])
        .unwrap()
        .dialect();
        let audiences: Vec<String> = dialect.audiences.iter().map(ToString::to_string).collect();
        assert_eq!(audiences, ["https://game.example=player", "api://ops=service"]);
        assert_eq!((dialect.player_claim.as_str(), dialect.scope_claims.len()), ("oid", 2));
        let flags = Flags {
            jwks: Some("jwks.json".into()),
            token_issuers: vec!["a".into()],
            token_audiences: vec!["b=admin".parse().unwrap()],
            token_player_claim: Some("name".into()),
            ..Flags::default()
        };
        let dialect = Config::load(&flags, HashMap::new()).unwrap().dialect();
        assert!(dialect.audiences[0].to_string() == "b=admin" && dialect.player_claim == "name");
        let many = |count: usize| (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",");
        for (key, value) in [
            ("TILTYARD__TOKEN_AUDIENCES", "tiltyard:admin".to_owned()),
            ("TILTYARD__TOKEN_AUDIENCES", "a b".to_owned()),
            ("TILTYARD__TOKEN_AUDIENCES", many(crate::limits::TOKEN_AUDIENCES + 1)),
            ("TILTYARD__TOKEN_SCOPE_CLAIMS", many(crate::limits::TOKEN_SCOPE_CLAIMS + 1)),
            ("TILTYARD__TOKEN_PLAYER_CLAIM", "a b".to_owned()),
        ] {
            assert!(load(&[(key, &value)]).is_err(), "{key}={value}");
        }
        let alone = environment(&[("TILTYARD__TOKEN_AUDIENCES", "a")]);
        assert!(
            Config::load(&Flags::default(), alone).unwrap_err().to_string().starts_with("token_audiences: without")
        );
    }

    #[test]
    fn quotas_have_defaults_and_can_be_set_everywhere() {
        let config = Config::load(&Flags::default(), HashMap::new()).unwrap();
        assert_eq!((config.rate_limits, config.rate_player), (Switch::On, "50/s,200".parse().unwrap()));
        assert!(config.trusted_proxies.is_empty());
        let file = file("rate_limits = \"off\"\nrate_service = \"9/s\"\ntrusted_proxies = [\"10.0.0.1\", \"::1\"]");
        let flags = Flags {
            config: Some(file.path().to_owned()),
            rate_address: Some("3/s,4".parse().unwrap()),
            ..Flags::default()
        };
        let env = environment(&[
            ("TILTYARD__RATE_PLAYER", "7/s,8"),
            ("TILTYARD__CONNECTIONS_PER_ADDRESS", "9"),
            ("TILTYARD__TRUSTED_PROXIES", "10.0.0.2,10.0.0.3"),
        ]);
        let config = Config::load(&flags, env).unwrap();
        assert_eq!(config.rate_limits, Switch::Off);
        assert_eq!(config.connections_per_address, NonZeroUsize::new(9));
        let rates = [config.rate_player, config.rate_service, config.rate_address];
        assert_eq!(rates.map(|rate| rate.to_string()), ["7/s,8", "9/s,9", "3/s,4"]);
        assert_eq!(config.trusted_proxies, ["10.0.0.2".parse::<IpAddr>().unwrap(), "10.0.0.3".parse().unwrap()]);
        let flags = Flags { rate_limits: Some(Switch::On), trusted_proxies: vec!["::1".parse().unwrap()], ..flags };
        let config = Config::load(&flags, HashMap::new()).unwrap();
        assert_eq!((config.rate_limits, config.trusted_proxies), (Switch::On, vec!["::1".parse().unwrap()]));
    }

    #[test]
    fn guests_come_from_this_machine_unless_allowed() {
        let of = |listen: &str, allow: bool| {
            let flags = Flags { listen: Some(listen.parse().unwrap()), allow_guests: allow, ..Flags::default() };
            Config::load(&flags, HashMap::new()).unwrap().guests()
        };
        assert!(of("127.0.0.1:0", false) && of("[::1]:0", false) && of("0.0.0.0:0", true));
        assert!(!of("0.0.0.0:0", false));
    }
}
