//! What is seen of the cluster from outside, by the nodes' own REST: how each does, which fights there are and at which node; and within what
//! time those of a node that was killed or stopped go on at others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::node::{Deed, Node, Phase};
use crate::auth::{Audience, Grantee, TokenKey};

/// What an answer may take: who is stopped where it is gives none.
const ANSWER: Duration = Duration::from_millis(700);
/// How often it is asked where a fight lives by now, and for how long.
const LOOK: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(30);
/// Trials that are shown.
const TRIALS: usize = 8;

/// Who looks.
#[derive(Debug)]
pub struct Lookout {
    pub nodes: Vec<Node>,
    key: TokenKey,
    client: reqwest::Client,
    trials: Mutex<Vec<Trial>>,
}

/// What the page shows.
#[derive(Debug, Serialize)]
pub struct Sight {
    nodes: Vec<NodeSeen>,
    fights: Vec<FightSeen>,
    trials: Vec<Trial>,
}

#[derive(Debug, Serialize)]
struct NodeSeen {
    name: &'static str,
    url: String,
    pid: Option<u32>,
    phase: Phase,
    /// As `/health` says; nothing where it does not answer.
    health: Option<String>,
    connections: Option<u64>,
    /// Fights that live there.
    fights: usize,
}

#[derive(Debug, Clone, Serialize)]
struct FightSeen {
    id: Uuid,
    status: String,
    players: usize,
    node: String,
    created_at: String,
}

/// A node that was killed or stopped, and what became of its fights.
#[derive(Debug, Clone, Serialize)]
struct Trial {
    n: usize,
    node: &'static str,
    deed: &'static str,
    /// Fights that it had.
    fights: usize,
    /// Those that are known to live elsewhere by now, where, and within how many milliseconds after the signal.
    moved: Vec<Moved>,
    /// Nothing more is waited for.
    done: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Moved {
    id: Uuid,
    to: String,
    ms: u128,
}

impl Lookout {
    pub fn new(nodes: Vec<Node>, key: TokenKey) -> anyhow::Result<Arc<Self>> {
        let client = reqwest::Client::builder().timeout(ANSWER).no_proxy().build()?;
        Ok(Arc::new(Self { nodes, key, client, trials: Mutex::default() }))
    }

    pub async fn look(&self) -> Sight {
        let healths = join_all(self.nodes.iter().map(|node| self.ask(node, "/health"))).await;
        let fights = self.fights().await;
        let nodes = self.nodes.iter().zip(healths).map(|(node, health)| {
            let seen = node.now();
            NodeSeen {
                name: node.name,
                url: node.url.clone(),
                pid: seen.pid,
                phase: seen.phase,
                health: health.as_ref().and_then(|health| Some(health["status"].as_str()?.to_owned())),
                connections: health.as_ref().and_then(|health| health["active_connections"].as_u64()),
                fights: fights.iter().filter(|fight| fight.node == node.name).count(),
            }
        });
        let trials = self.trials().iter().rev().cloned().collect();
        Sight { nodes: nodes.collect(), fights, trials }
    }

    /// Does that to a node; where its fights go on from then on is looked for meanwhile.
    pub async fn do_to(self: &Arc<Self>, node: &Node, deed: Deed) {
        let name = match deed {
            Deed::Kill => "kill -9",
            Deed::Stop => "SIGSTOP",
            Deed::GoOn | Deed::Start => return node.tell(deed).await,
        };
        let fights: Vec<Uuid> =
            self.fights().await.into_iter().filter(|fight| fight.node == node.name).map(|fight| fight.id).collect();
        node.tell(deed).await;
        let since = Instant::now();
        let n = self.begin(Trial {
            n: 0,
            node: node.name,
            deed: name,
            fights: fights.len(),
            moved: Vec::new(),
            done: false,
        });
        let (this, from) = (Arc::clone(self), node.name);
        tokio::spawn(async move {
            this.follow(n, from, fights, since).await;
            this.note(n, |trial| trial.done = true);
        });
    }

    /// Asks for fights until all of them live elsewhere, or have ended.
    async fn follow(&self, n: usize, from: &str, mut fights: Vec<Uuid>, since: Instant) {
        while !fights.is_empty() && since.elapsed() < LONGEST {
            let mut still = Vec::new();
            for id in fights {
                let path = format!("/sessions/{id}");
                let answer = match self.others(from).next() {
                    Some(other) => self.ask(other, &path).await,
                    None => None,
                };
                match answer.as_ref().and_then(|session| session["node"].as_str()).filter(|node| *node != from) {
                    Some(to) => {
                        let moved = Moved { id, to: to.to_owned(), ms: since.elapsed().as_millis() };
                        self.note(n, |trial| trial.moved.push(moved));
                    }
                    None => still.push(id),
                }
            }
            fights = still;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Nodes that may be asked when `from` cannot.
    fn others(&self, from: &str) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.name != from && node.now().phase == Phase::Alive)
    }

    /// Fights that live, the newest first, each with the node that it says it is at.
    async fn fights(&self) -> Vec<FightSeen> {
        let mut found: HashMap<Uuid, FightSeen> = HashMap::new();
        for node in self.others("") {
            let list = ["active", "paused"].map(|status| format!("/sessions?type=combat&limit=100&status={status}"));
            let lists = join_all(list.iter().map(|path| self.ask(node, path))).await;
            let answered = lists.iter().all(Option::is_some);
            for session in lists.iter().flatten().filter_map(|list| list["sessions"].as_array()).flatten() {
                if let Some(fight) = FightSeen::of(session) {
                    found.insert(fight.id, fight);
                }
            }
            if answered {
                break;
            }
        }
        let mut fights: Vec<FightSeen> = found.into_values().collect();
        fights.sort_by(|a, b| b.created_at.cmp(&a.created_at).then(a.id.cmp(&b.id)));
        fights
    }

    /// The answer in JSON, whatever its status; nothing where there is none.
    async fn ask(&self, node: &Node, path: &str) -> Option<Value> {
        let grantee = Grantee {
            audience: Audience::Admin,
            subject: "tiltyard-cluster".to_owned(),
            scopes: Vec::new(),
            guest: false,
            sid: None,
        };
        let (token, _) = self.key.mint(&grantee, Duration::from_mins(1));
        let url = format!("{}{path}", node.url);
        let answer = self.client.get(url).bearer_auth(token).send().await.ok()?;
        answer.json().await.ok()
    }

    fn begin(&self, trial: Trial) -> usize {
        let mut trials = self.trials();
        let n = trials.last().map_or(1, |last| last.n + 1);
        trials.push(Trial { n, ..trial });
        if trials.len() > TRIALS {
            trials.remove(0);
        }
        n
    }

    fn note(&self, n: usize, what: impl FnOnce(&mut Trial)) {
        if let Some(trial) = self.trials().iter_mut().find(|trial| trial.n == n) {
            what(trial);
        }
    }

    fn trials(&self) -> MutexGuard<'_, Vec<Trial>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FightSeen {
    fn of(session: &Value) -> Option<Self> {
        let text = |name: &str| session[name].as_str().map(str::to_owned);
        Some(Self {
            id: session["session_id"].as_str()?.parse().ok()?,
            status: text("status")?,
            players: session["participants"].as_array().or(session["members"].as_array()).map_or(0, Vec::len),
            node: text("node")?,
            created_at: text("created_at")?,
        })
    }
}
