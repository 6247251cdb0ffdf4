//! `tiltyard cluster`: what it is told wrongly, what its page does, and that it leaves nothing behind, however it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{PATIENCE, soon};

fn tiltyard() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tiltyard"))
}

fn refused(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = tiltyard().arg("cluster").args(arguments).output().unwrap();
    assert!(!status.success(), "{arguments:?}");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn what_is_wrong_or_missing_is_said_by_name() {
    for count in ["1", "10", "three"] {
        assert!(refused(&[count]).contains("[N]"), "{count}");
    }
    assert!(refused(&["3", "--listen", "0.0.0.0:8080"]).contains("only this machine"));
    assert!(refused(&["3", "--database", "sqlite://x"]).contains("share one PostgreSQL"));
    assert!(refused(&["3", "--redis", "http://x"]).contains("redis: must be redis://"));
    assert!(refused(&["3", "--redis-log", "rediss://x"]).contains("TLS"));
    let mut bare = tiltyard();
    let given = ["cluster", "--database", "postgres://u@127.0.0.1/x"];
    let missing = bare.args(given).env("PATH", "/nowhere").output().unwrap();
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(!missing.status.success() && said.contains("apt install redis-server"), "{said}");
    assert!(!said.contains("PostgreSQL"), "which was given: {said}");
}

/// A cluster that runs, and all that it has written.
struct Running {
    process: Child,
    /// For what is temporary.
    around: TempDir,
    said: Arc<Mutex<String>>,
    page: String,
    token: String,
    client: Client,
}

impl Running {
    async fn start(flags: &[&str]) -> Self {
        let around = TempDir::new().unwrap();
        // PostgreSQL's user has to get through, where that is another.
        fs::set_permissions(around.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let mut process = tiltyard()
            .args(["cluster", "2", "--listen", "127.0.0.1:0"])
            .args(flags)
            .env("TMPDIR", around.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        keep(process.stdout.take().unwrap(), &said);
        keep(process.stderr.take().unwrap(), &said);
        let mut running =
            Self { process, around, said, page: String::new(), token: String::new(), client: Client::new() };
        running.says("Ctrl-C ends all of it").await;
        let said = running.text();
        let behind = |words: &str, end: char| said.split_once(words).unwrap().1.split(end).next().unwrap().to_owned();
        running.page = String::from(behind("meanwhile: ", '\n').trim_end_matches('/'));
        running.token = behind("Cluster-Token: ", '\'');
        running
    }

    fn text(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    async fn says(&mut self, words: &str) {
        let since = Instant::now();
        while !self.text().contains(words) {
            let has_ended = self.process.try_wait().unwrap();
            assert!(has_ended.is_none() && since.elapsed() < PATIENCE, "{words:?} is not in {}", self.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn post(&self, path: &str, heads: &[(&str, &str)]) -> StatusCode {
        let mut request = self.client.post(format!("{}{path}", self.page));
        for (name, value) in heads {
            request = request.header(*name, *value);
        }
        soon(request.send()).await.unwrap().status()
    }

    async fn tell(&self, node: &str, deed: &str) {
        let status = self.post(&format!("/nodes/{node}/{deed}"), &[("cluster-token", &self.token)]).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }

    /// What the page shows of the first node, once that is `phase`.
    async fn is(&self, phase: &str) -> Value {
        let since = Instant::now();
        loop {
            let answer = soon(self.client.get(format!("{}/state", self.page)).send()).await.unwrap();
            let state: Value = soon(answer.json()).await.unwrap();
            if state["nodes"][0]["phase"] == phase {
                return state["nodes"][0].clone();
            }
            assert!(since.elapsed() < PATIENCE, "{state}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Everything that it has started is gone, and so is its folder.
    async fn leaves_nothing(mut self, had: &BTreeSet<u32>) {
        let since = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < PATIENCE, "it does not end: {}", self.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        loop {
            let left: Vec<_> = processes().into_iter().filter(|(pid, _)| had.contains(pid)).collect();
            let files: Vec<_> = fs::read_dir(self.around.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            if left.is_empty() && files.is_empty() {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "there is left: {left:?} {files:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its children, and theirs.
    fn family(&self) -> BTreeSet<u32> {
        let all = processes();
        let mut family = BTreeSet::from([self.process.id()]);
        loop {
            let more: Vec<u32> = all.iter().filter(|(_, of)| family.contains(of)).map(|(pid, _)| *pid).collect();
            let before = family.len();
            family.extend(more);
            if family.len() == before {
                family.remove(&self.process.id());
                return family;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn keep(from: impl std::io::Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}

/// Every process that lives, with its parent.
fn processes() -> BTreeMap<u32, u32> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter_map(|pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
            let lives = fields.next()? != "Z";
            lives.then(|| Some((pid, fields.next()?.parse().ok()?)))?
        })
        .collect()
}

#[tokio::test]
async fn nodes_are_killed_stopped_and_started_by_its_page_alone_and_it_leaves_nothing_behind() {
    let mut cluster = Running::start(&["--no-restart"]).await;
    let first = cluster.is("alive").await;
    assert_eq!((first["name"].as_str(), first["health"].as_str()), (Some("one"), Some("healthy")));
    let kill = "/nodes/one/kill";
    let token = cluster.token.clone();
    let own = ("cluster-token", token.as_str());
    for heads in [
        &[][..],
        &[("cluster-token", "x")],
        &[own, ("host", "evil.example")],
        &[own, ("origin", "http://evil.example")],
        &[own, ("origin", first["url"].as_str().unwrap())],
    ] {
        assert_eq!(cluster.post(kill, heads).await, StatusCode::FORBIDDEN, "{heads:?}");
    }
    for path in ["/nodes/one/maim", "/nodes/zero/kill"] {
        assert_eq!(cluster.post(path, &[own]).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(cluster.is("alive").await["pid"], first["pid"]);
    cluster.tell("one", "kill").await;
    cluster.is("gone").await;
    cluster.says("node one is gone (killed by signal 9)").await;
    cluster.tell("one", "start").await;
    let again = cluster.is("alive").await;
    assert_ne!(again["pid"], first["pid"]);
    assert_eq!(again["url"], first["url"]);
    cluster.tell("one", "stop").await;
    cluster.is("stopped").await;
    cluster.tell("one", "go-on").await;
    assert_eq!(cluster.is("alive").await["pid"], again["pid"]);
    // Who is stopped where it is ends with the others.
    cluster.tell("one", "stop").await;
    cluster.is("stopped").await;
    let family = cluster.family();
    assert!(family.len() >= 5, "nodes, stores and who removes the folder: {family:?}");
    cluster.signal(Signal::INT);
    cluster.leaves_nothing(&family).await;
}

#[tokio::test]
async fn it_leaves_nothing_behind_when_it_is_killed_and_starts_again_what_has_ended() {
    let mut cluster = Running::start(&[]).await;
    let first = cluster.is("alive").await;
    cluster.tell("one", "kill").await;
    cluster.says("node one is gone (killed by signal 9), it is started again in 5 s").await;
    cluster.is("gone").await;
    assert_ne!(cluster.is("alive").await["pid"], first["pid"]);
    let family = cluster.family();
    assert!(family.len() >= 5, "{family:?}");
    cluster.signal(Signal::KILL);
    cluster.leaves_nothing(&family).await;
}
