//! Nodes and players for tests. Everything waits for something to happen, with a bound.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_client::{Answer, Client, Error, Order, Rest, Trust, Update};
use tiltyard_protocol::server::{Ack, Outcome, Refused};
use tiltyard_protocol::view::ParticipantView;
use tiltyard_protocol::{Encoding, View};
use uuid::Uuid;

/// The longest any single wait may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `what`, and fails the test where it takes too long.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

/// How often a thing is done: a few times in every run, and as often as the variable says where figures are taken.
pub struct Scale {
    pub count: usize,
    is_measured: bool,
}

impl Scale {
    pub fn of(variable: &str, few: usize) -> Self {
        let asked = std::env::var(variable).ok().map(|count| count.parse().unwrap());
        Self { count: asked.unwrap_or(few), is_measured: asked.is_some() }
    }

    /// It took no longer than that; where no figures are taken the machine may have other things to do.
    pub fn within(&self, took: Duration, most: Duration) {
        assert!(took <= if self.is_measured { most } else { PATIENCE }, "{took:?}");
    }
}

/// A server process of its own, so that it can be killed.
pub struct Node {
    pub url: String,
    pub data: TempDir,
    /// Whom its clients trust.
    pub trust: Trust,
    process: Child,
    flags: Vec<String>,
    /// A command that runs the server, and what comes before the server's own words; empty for none.
    wrapper: Vec<String>,
}

impl Node {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these flags besides the usual ones.
    pub fn start_with(flags: &[&str]) -> Self {
        let data = TempDir::new().unwrap();
        let shards: &[&str] = if flags.contains(&"--shards") { &[] } else { &["--shards", "2"] };
        let flags: Vec<String> = shards.iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        Self::run(data, flags, Vec::new())
    }

    /// On this data folder.
    pub fn start_on(data: TempDir) -> Self {
        Self::run(data, vec!["--shards".to_owned(), "2".to_owned()], Vec::new())
    }

    /// On this data folder, with these flags besides the usual ones.
    pub fn start_on_with(data: TempDir, flags: &[&str]) -> Self {
        let flags = ["--shards", "2"].iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        Self::run(data, flags, Vec::new())
    }

    /// With a system that trusts whoever has signed this certificate, and nobody else.
    pub fn start_trusting(cert: &str, flags: &[&str]) -> Self {
        Self::start_trusting_on(TempDir::new().unwrap(), cert, flags)
    }

    /// The same on this data folder.
    pub fn start_trusting_on(data: TempDir, cert: &str, flags: &[&str]) -> Self {
        let flags = ["--shards", "2"].iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        Self::run(data, flags, vec!["env".to_owned(), format!("SSL_CERT_FILE={cert}")])
    }

    /// On a disk of its own in memory with this much room, which nobody else sees, of which a file `ballast` takes a part.
    pub fn start_on_small_disk(bytes: usize, ballast: usize) -> Self {
        let data = TempDir::new().unwrap();
        // The token command makes the node's key; the disk that is laid over the folder gets a copy.
        make_token(data.path(), &["--admin"]);
        let script = r#"cp -a "$1" "$1.key" && mount -t tmpfs -o size="$2" none "$1" && cp -a "$1.key/." "$1" && rm -r "$1.key" &&
            head -c "$3" /dev/zero >"$1/ballast" && shift 3 && exec "$@""#;
        let folder = data.path().to_str().unwrap();
        let (bytes, ballast) = (bytes.to_string(), ballast.to_string());
        let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder, &bytes, &ballast];
        let wrapper = wrapper.map(str::to_owned).to_vec();
        Self::run(data, vec!["--shards".to_owned(), "1".to_owned()], wrapper)
    }

    /// With so many files and sockets that it may have open.
    pub fn start_with_descriptors(count: usize, flags: &[&str]) -> Self {
        let flags = ["--shards", "2"].iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        let wrapper = ["sh", "-c", r#"ulimit -n "$1" && shift && exec "$@""#, "sh", &count.to_string()];
        Self::run(TempDir::new().unwrap(), flags, wrapper.map(str::to_owned).to_vec())
    }

    /// With memory that the allocator takes in pages of 4 KiB alone, and never in ones of 2 MiB: so that what is resident says what was used.
    pub fn start_in_small_pages(flags: &[&str]) -> Self {
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let wrapper = ["env", "MIMALLOC_ALLOW_THP=0"].map(str::to_owned).to_vec();
        Self::run(TempDir::new().unwrap(), flags, wrapper)
    }

    fn run(data: TempDir, flags: Vec<String>, wrapper: Vec<String>) -> Self {
        let (process, url) = spawn(data.path(), &flags, &wrapper);
        Self { url, data, trust: Trust::default(), process, flags, wrapper }
    }

    /// A file of the data folder as the server sees it.
    pub fn file(&self, name: &str) -> PathBuf {
        let folder = self.data.path().strip_prefix("/").unwrap();
        Path::new("/proc").join(self.process.id().to_string()).join("root").join(folder).join(name)
    }

    /// kill -9, and a new process on the same data folder.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// A new process on the same data folder, after the one before has been killed.
    pub fn start_again(&mut self) {
        (self.process, self.url) = spawn(self.data.path(), &self.flags, &self.wrapper);
    }

    /// What it was given for this flag.
    pub fn flag(&self, name: &str) -> &str {
        let place = self.flags.iter().position(|flag| flag == name).unwrap();
        &self.flags[place + 1]
    }

    /// What the next process is started with.
    pub fn flags_of_restart(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// What else the next processes are started with.
    pub fn flag_of_restart(&mut self, flag: &str) {
        self.flags.push(flag.to_owned());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// kill with this signal.
    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// KiB that the process has had resident at most, since this was asked last.
    pub fn peak_kib(&self) -> u64 {
        let folder = PathBuf::from(format!("/proc/{}", self.process.id()));
        let status = std::fs::read_to_string(folder.join("status")).unwrap();
        // The peak begins anew at what is resident now.
        std::fs::write(folder.join("clear_refs"), "5").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    pub fn rest(&self) -> Rest {
        Rest::trusting(&self.url, &self.trust).unwrap()
    }

    /// A token, made as an operator makes one.
    pub fn token(&self, grant: &[&str]) -> String {
        make_token(self.data.path(), grant)
    }

    pub fn service(&self) -> String {
        self.token(&["--service", "test", "--scope", "sessions:read", "--scope", "sessions:write"])
    }

    pub fn player(&self, player: Uuid) -> String {
        self.token(&["--player", &player.to_string()])
    }

    /// A fight of `players` new players under `rules`, and a connected, joined client for each.
    pub async fn fight(&self, players: usize, rules: Value) -> Fight {
        let ids: Vec<Uuid> = (0..players).map(|_| Uuid::new_v4()).collect();
        self.fight_of("pvp", ids, json!({ "rules": rules })).await
    }

    /// A fight of these players in this mode and with these settings, and a connected, joined client for each.
    pub async fn fight_of(&self, mode: &str, ids: Vec<Uuid>, settings: Value) -> Fight {
        let mut fight = self.seats(mode, ids, settings).await;
        for slot in 0..fight.players.len() {
            let client = fight.connect(self, slot, Encoding::Json).await;
            fight.clients.push(client);
        }
        fight
    }

    /// A fight of these players that nobody has joined.
    pub async fn seats(&self, mode: &str, ids: Vec<Uuid>, settings: Value) -> Fight {
        let token = self.service();
        let body = json!({ "mode": mode, "participants": ids, "settings": settings });
        let created = self.rest().call(Method::POST, "/combat/sessions", Some(&token), Some(&body)).await.unwrap();
        assert_eq!(created.status, 201, "{}", created.body);
        let id = created.body["session_id"].as_str().unwrap().parse().unwrap();
        Fight { id, players: ids, token, clients: Vec::new() }
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        let token = self.token(&["--admin"]);
        let answer = self.trust.http().unwrap().get(format!("{}/metrics", self.url)).bearer_auth(token).send().await;
        answer.unwrap().text().await.unwrap()
    }

    /// The value of a counter at `/metrics`, summed over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.metrics().await;
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn make_token(data: &Path, grant: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tiltyard")).args(["token", "--data"]).arg(data).args(grant).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn spawn(data: &Path, flags: &[String], wrapper: &[String]) -> (Child, String) {
    let server = env!("CARGO_BIN_EXE_tiltyard").to_owned();
    let mut words = wrapper.iter().chain([&server]);
    let mut process = Command::new(words.next().unwrap())
        .args(words)
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"])
        .arg(data)
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").expect("the ready line").to_owned();
    (process, url)
}

/// A fight and a client for each player.
pub struct Fight {
    pub id: Uuid,
    pub players: Vec<Uuid>,
    pub clients: Vec<Client>,
    token: String,
}

impl Fight {
    /// A new connection of the player in `slot`, joined.
    pub async fn connect(&self, node: &Node, slot: usize, encoding: Encoding) -> Client {
        let ticket = node.rest().ticket(&self.token, self.id, self.players[slot]).await.unwrap();
        let mut client = Client::connect_trusting(&ticket.url, encoding, &node.trust).await.unwrap();
        client.join(self.id).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Snapshot)).await;
        client
    }

    /// Connects every player again.
    pub async fn reconnect(&mut self, node: &Node) {
        self.clients.clear();
        for slot in 0..self.players.len() {
            let client = self.connect(node, slot, Encoding::Json).await;
            self.clients.push(client);
        }
    }

    /// Everybody says ready, and sees the fight begin.
    pub async fn begin(&mut self) {
        for client in &mut self.clients {
            client.ready().await.unwrap();
        }
        for client in &mut self.clients {
            while !is_active(client) {
                soon(client.next()).await.unwrap();
            }
        }
    }

    /// Reads on until every client is at the server's sequence, and has the same view as the others.
    pub async fn settle(&mut self) {
        // An answer comes before the delta it is about; whoever pings after it has the delta before the pong.
        let mut target = 0;
        for client in &mut self.clients {
            client.ping(1).await.unwrap();
            until(client, |update| matches!(update, Update::Pong(_))).await;
            target = target.max(client.seq());
        }
        for client in &mut self.clients {
            while client.seq() < target {
                soon(client.next()).await.unwrap();
            }
        }
        let first = open(self.clients[0].view());
        assert!(self.clients.iter().all(|client| open(client.view()) == first), "all see the same");
    }

    /// The session as REST tells of it.
    pub async fn state(&self, node: &Node) -> Answer {
        let path = format!("/combat/sessions/{}/state", self.id);
        node.rest().call(Method::GET, &path, Some(&self.token), None).await.unwrap()
    }

    pub async fn call(&self, node: &Node, method: Method, path: &str, body: Option<&Value>) -> Answer {
        node.rest().call(method, path, Some(&self.token), body).await.unwrap()
    }
}

/// What everybody is shown of a view.
fn open(view: &View) -> View {
    let mut view = view.clone();
    for participant in &mut view.participants {
        let p = std::mem::take(participant);
        *participant = ParticipantView {
            energy: 0,
            energy_at: 0,
            energy_rate: 0,
            charge: 0,
            ammo: 0,
            reload_at: 0,
            used: Vec::new(),
            ..p
        };
    }
    view
}

pub fn is_active(client: &Client) -> bool {
    client.view().phase.phase == tiltyard_protocol::server::PhaseName::Active
}

/// Reads until `wanted` comes.
pub async fn until(client: &mut Client, wanted: impl Fn(&Update) -> bool) -> Update {
    soon(async {
        loop {
            let update = client.next().await.unwrap().expect("the server goes on");
            if wanted(&update) {
                return update;
            }
        }
    })
    .await
}

/// Attacks and waits for the answer to that very action.
pub async fn attack(client: &mut Client, target: u8) -> Result<Ack, Refused> {
    let id = client.act(Order::attack(target)).await.unwrap();
    answer(client, id).await
}

/// Waits for the answer to action `id`.
pub async fn answer(client: &mut Client, id: u64) -> Result<Ack, Refused> {
    let answered = |update: &Update| match update {
        Update::Ack(ack) => ack.id == id,
        Update::Refused(refused) => refused.id == id,
        _ => false,
    };
    match until(client, answered).await {
        Update::Ack(ack) => Ok(ack),
        Update::Refused(refused) => Err(refused),
        other => panic!("no answer: {other:?}"),
    }
}

pub async fn result(client: &mut Client) -> Outcome {
    match until(client, |update| matches!(update, Update::Result(_))).await {
        Update::Result(outcome) => outcome,
        other => panic!("no result: {other:?}"),
    }
}

/// Reads until the server closes, and returns its code.
pub async fn close_code(client: &mut Client) -> u16 {
    soon(async {
        loop {
            match client.next().await {
                Err(Error::Closed { code, .. }) => return code,
                Err(Error::Notice { .. }) | Ok(Some(_)) => {}
                other => panic!("not closed with a code: {other:?}"),
            }
        }
    })
    .await
}

/// Rules under which nothing but the number of hits decides.
pub fn plain_rules() -> Value {
    json!({ "attack_interval_ms": 0, "actions_per_second": 0, "attack_damage_min": 10, "attack_damage_max": 10, "critical_percent": 0, "armor": 0 })
}
