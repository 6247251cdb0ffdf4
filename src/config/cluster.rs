//! Whether what is said of the cluster goes together.

use super::{Config, ConfigError, is_base_url};

impl Config {
    pub(super) fn check_cluster(&mut self) -> Result<(), ConfigError> {
        let value = |setting, problem: &str| Err(ConfigError::Value { setting, problem: problem.to_owned() });
        if let Some(redis) = &self.redis {
            let is_redis = ["redis://", "rediss://"].iter().any(|scheme| redis.starts_with(scheme));
            if !is_redis {
                return value(
                    "redis",
                    "must be redis://HOST or rediss://HOST, with :PASSWORD@ before the host where it needs one",
                );
            }
            let is_shared = self
                .database
                .as_ref()
                .is_some_and(|url| ["postgres://", "postgresql://"].iter().any(|s| url.starts_with(s)));
            if !is_shared {
                return value("redis", "nodes of a cluster share one PostgreSQL: give --database postgres://…, too");
            }
        }
        if let Some(url) = &mut self.node_url {
            if self.redis.is_none() {
                return value("node_url", "without redis there is no node that could use it");
            }
            let base = url.trim_end_matches('/');
            if !is_base_url(base) {
                return value("node_url", "must be http://HOST or https://HOST, with an optional port and path");
            }
            *url = base.to_owned();
        }
        if self.redis.is_none() && !self.also_at.is_empty() {
            return value("also_at", "without redis nobody else has this node's sessions");
        }
        for url in &mut self.also_at {
            let base = url.trim_end_matches('/');
            if !is_base_url(base) {
                return value("also_at", "must be http://HOST or https://HOST, with an optional port and path");
            }
            *url = base.to_owned();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Flags};
    use std::collections::HashMap;

    fn load(redis: &str, database: Option<&str>, node_url: Option<&str>) -> Result<Config, String> {
        let flags = Flags {
            redis: (!redis.is_empty()).then(|| redis.to_owned()),
            database: database.map(str::to_owned),
            node_url: node_url.map(str::to_owned),
            ..Flags::default()
        };
        Config::load(&flags, HashMap::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cluster_has_a_redis_and_one_postgresql() {
        let shared = Some("postgres://u@h/n");
        let config = load("rediss://:secret@h:6380/2", shared, Some("https://10.0.0.1:8443/")).unwrap();
        assert_eq!(config.node_url.as_deref(), Some("https://10.0.0.1:8443"));
        assert!(load("http://h", shared, None).unwrap_err().starts_with("redis: must be redis://HOST"));
        for database in [None, Some("sqlite://x")] {
            assert!(load("redis://h", database, None).unwrap_err().contains("share one PostgreSQL"));
        }
        assert!(load("", shared, Some("http://h")).unwrap_err().starts_with("node_url: without redis"));
        assert!(load("redis://h", shared, Some("h:80")).unwrap_err().starts_with("node_url: must be http://HOST"));
    }

    #[test]
    fn others_are_named_where_there_are_others() {
        let load = |redis: Option<&str>, urls: &[&str]| {
            let flags = Flags {
                redis: redis.map(str::to_owned),
                database: Some("postgres://u@h/n".to_owned()),
                also_at: urls.iter().map(|url| (*url).to_owned()).collect(),
                ..Flags::default()
            };
            Config::load(&flags, HashMap::new()).map_err(|error| error.to_string())
        };
        let some = ["https://b.game.example/", "http://127.0.0.1:8081"];
        assert_eq!(
            load(Some("redis://h"), &some).unwrap().also_at,
            ["https://b.game.example", "http://127.0.0.1:8081"]
        );
        assert!(load(None, &some).unwrap_err().starts_with("also_at: without redis"));
        assert!(load(Some("redis://h"), &["ws://h"]).unwrap_err().starts_with("also_at: must be http://HOST"));
    }
}
