//! One node: a child that runs this program, is watched, and is started again.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::child::{self, AtDeath, How};
use super::stores::Urls;

/// How long a node that has ended stays away, so that its sessions are seen to go on elsewhere.
pub const AWAY: Duration = Duration::from_secs(5);
/// What its end may take; a server that is told to stop takes up to eight seconds.
const END: Duration = Duration::from_secs(12);

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Starting,
    Alive,
    /// Where it is, by SIGSTOP.
    Stopped,
    Gone,
}

/// What is seen of a node.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub phase: Phase,
    pub pid: Option<u32>,
}

/// What can be done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Kill,
    Stop,
    GoOn,
    Start,
}

/// A node, as the others of this program know it.
#[derive(Debug, Clone)]
pub struct Node {
    pub name: &'static str,
    pub url: String,
    pub seen: watch::Receiver<Seen>,
    deeds: mpsc::Sender<Deed>,
}

/// How it is run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: &'static str,
    pub url: String,
    pub data: PathBuf,
    pub arguments: Vec<String>,
    pub stores: Urls,
    pub restarts: bool,
}

impl Node {
    /// Starts it, and does whatever has to be done for it until `stop`: then it is stopped.
    pub fn start(plan: Plan, stop: CancellationToken) -> (Self, tokio::task::JoinHandle<()>) {
        let (seen, seen_by) = watch::channel(Seen { phase: Phase::Starting, pid: None });
        let (deeds, deeds_of) = mpsc::channel(8);
        let node = Self { name: plan.name, url: plan.url.clone(), seen: seen_by, deeds };
        (node, tokio::spawn(Keeper { plan, seen, deeds: deeds_of, stop }.run()))
    }

    pub fn now(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Says what is to be done to it; done once the phase says so.
    pub async fn tell(&self, deed: Deed) {
        let _ = self.deeds.send(deed).await;
    }
}

/// Who has the child.
struct Keeper {
    plan: Plan,
    seen: watch::Sender<Seen>,
    deeds: mpsc::Receiver<Deed>,
    stop: CancellationToken,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            match self.spawn() {
                Ok(child) => {
                    let Some(how) = self.watch(child).await else { return };
                    let again = if self.plan.restarts { ", it is started again in 5 s" } else { "" };
                    say(&format!("node {} is gone ({how}){again}", self.plan.name));
                }
                Err(error) => say(&format!("node {} does not start: {error:#}", self.plan.name)),
            }
            self.seen.send_replace(Seen { phase: Phase::Gone, pid: None });
            if !self.is_wanted().await {
                return;
            }
        }
    }

    /// Waits until it has to be started again; `false` where it has not.
    async fn is_wanted(&mut self) -> bool {
        let away = if self.plan.restarts { AWAY } else { Duration::MAX };
        let wanted = async {
            while let Some(deed) = self.deeds.recv().await {
                if deed == Deed::Start {
                    return;
                }
            }
        };
        self.stop.run_until_cancelled(tokio::time::timeout(away, wanted)).await.is_some()
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let mut command = child::command(&std::env::current_exe()?, None, AtDeath::Kill)?;
        command
            .args(["serve", "--node", self.plan.name])
            .arg("--data")
            .arg(&self.plan.data)
            .args(&self.plan.arguments)
            // Passwords are in these: other users can see arguments.
            .env("TILTYARD__DATABASE", &self.plan.stores.database)
            .env("TILTYARD__REDIS", &self.plan.stores.redis)
            .env("TILTYARD__REDIS_LOG", &self.plan.stores.redis_log)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pid = child.id();
        self.seen.send_replace(Seen { phase: Phase::Starting, pid });
        let (name, seen) = (self.plan.name, self.seen.clone());
        if let Some(output) = child.stdout.take() {
            tokio::spawn(lines(output, move |line| {
                let is_ready = line.starts_with("listening on ");
                seen.send_if_modified(|seen| {
                    let changes = is_ready && seen.pid == pid && seen.phase == Phase::Starting;
                    if changes {
                        seen.phase = Phase::Alive;
                    }
                    changes
                });
            }));
        }
        if let Some(log) = child.stderr.take() {
            tokio::spawn(lines(log, move |line| {
                // Nobody may read it.
                let _ = writeln!(std::io::stderr(), "{name:<5} | {line}");
            }));
        }
        Ok(child)
    }

    /// Until the child has ended, and how; `None` where it was stopped.
    async fn watch(&mut self, mut child: Child) -> Option<How> {
        loop {
            let deed = tokio::select! {
                ended = child.wait() => return Some(How(ended.ok())),
                () = self.stop.cancelled() => {
                    child::stop(&mut child, Signal::TERM, END).await;
                    return None;
                }
                Some(deed) = self.deeds.recv() => deed,
            };
            match deed {
                Deed::Kill => child::signal(&child, Signal::KILL),
                Deed::Stop => self.hold(&child, Signal::STOP, Phase::Stopped),
                Deed::GoOn => self.hold(&child, Signal::CONT, Phase::Alive),
                Deed::Start => {}
            }
        }
    }

    /// Stops it where it is, or has it go on.
    fn hold(&self, child: &Child, with: Signal, phase: Phase) {
        let is_apt = |now: Phase| matches!(now, Phase::Alive | Phase::Stopped);
        if is_apt(self.seen.borrow().phase) {
            child::signal(child, with);
            self.seen.send_modify(|seen| seen.phase = phase);
        }
    }
}

/// Tells of the cluster, among the nodes' own lines.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

async fn lines(from: impl AsyncRead + Unpin, mut each: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(from.read_until(b'\n', &mut line).await, Ok(1..)) {
        each(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
