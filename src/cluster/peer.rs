//! What a node says of itself, in JSON.

use serde::{Deserialize, Serialize};

use crate::limits;

/// A node, as it says. Nothing in it is a time: two clocks need not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub name: String,
    /// Drawn by each process anew.
    pub boot: String,
    /// How other nodes reach it, without a slash at its end.
    pub url: String,
    /// How clients do.
    pub public_url: String,
    /// Of the server.
    pub version: String,
    /// The fingerprint of its token key.
    pub key: String,
    /// Which log its fights are in, where others can get at it.
    #[serde(default)]
    pub log: Option<String>,
    /// Whether it has begun to serve.
    pub ready: bool,
    #[serde(flatten)]
    pub load: Load,
}

/// How much a node has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Live sessions of every type.
    pub sessions: u64,
    /// Sockets of clients.
    pub connections: u64,
}

impl Peer {
    /// The process: the name, and what was drawn at its start.
    pub fn instance(&self) -> String {
        format!("{}#{}", self.name, self.boot)
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a node has no value that JSON refuses")
    }

    /// What was written by `instance`; `None` where it is not that.
    pub(super) fn read(instance: &str, text: &str) -> Option<Self> {
        let peer: Self = (text.len() <= limits::NODE_ENTRY_BYTES).then(|| serde_json::from_str(text).ok())??;
        (peer.instance() == instance).then_some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::{Load, Peer};

    #[test]
    fn is_read_as_it_was_written_and_by_its_own_name_alone() {
        let peer = Peer {
            name: "a".into(),
            boot: "1".into(),
            url: "http://10.0.0.1:80".into(),
            public_url: "https://a.example".into(),
            version: "0.1.0".into(),
            key: "00".into(),
            log: Some("l".into()),
            ready: true,
            load: Load { sessions: 3, connections: 4 },
        };
        assert_eq!(Peer::read("a#1", &peer.text()), Some(peer.clone()));
        assert_eq!(Peer::read("a#2", &peer.text()), None);
        assert_eq!(Peer::read("a#1", "{}"), None);
        let newer = peer.text().replacen('{', r#"{"more":1,"#, 1);
        assert_eq!(Peer::read("a#1", &newer), Some(peer), "what a newer one says besides is left out");
    }
}
