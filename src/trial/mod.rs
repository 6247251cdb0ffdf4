//! `tiltyard cluster`: nodes, and all that they need, on one machine, to be tried; and a page on which one of them can be killed. Everything
//! runs as children of this process, and ends with it.

mod args;
mod child;
mod look;
mod machine;
mod node;
mod page;
mod stores;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use args::ClusterArgs;

use crate::auth::TokenKey;
use crate::config::Config;
use crate::ops::{files, signals::Signals};
use child::Sweeper;
use look::Lookout;
use node::{Node, Phase, Plan, say};
use stores::{Programs, Stores};

const NAMES: [&str; 9] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// What the first start of all nodes may take.
const START: Duration = Duration::from_mins(1);

/// Everything that runs.
struct Running {
    keepers: Vec<JoinHandle<()>>,
    stores: Stores,
    stop: CancellationToken,
}

/// Runs a cluster until it is told to stop.
pub fn run(args: &ClusterArgs) -> anyhow::Result<()> {
    Config::load(&args.flags(), HashMap::new())?;
    let programs = Programs::find(args)?;
    files::keep_to_owner();
    // It goes last: after all who write there.
    let (folder, _sweeper) = folder(args)?;
    // One thread: who starts a child has to live as long as the child, for that is whose death the child is told of.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let started = tokio::select! {
            started = start(args, &programs, &folder) => started,
            // Whatever runs by now is dropped, and killed by that.
            _ = signals.next() => return Ok(()),
        };
        let mut running = started?;
        let why = tokio::select! {
            _ = signals.next() => Ok(()),
            ended = running.stores.ended() => Err(anyhow::anyhow!(ended)),
        };
        say("stopping");
        tokio::select! {
            () = running.stop() => {}
            _ = signals.next() => {}
        }
        why
    })
}

/// Where everything is kept; with who removes it, if it is temporary.
fn folder(args: &ClusterArgs) -> anyhow::Result<(PathBuf, Option<Sweeper>)> {
    if let Some(data) = &args.data {
        machine::folder(data)?;
        return Ok((data.canonicalize()?, None));
    }
    let folder = std::env::temp_dir().join(format!("tiltyard-cluster-{}", Uuid::new_v4().simple()));
    machine::folder(&folder)?;
    let sweeper = Sweeper::of(&folder)?;
    Ok((folder.canonicalize()?, Some(sweeper)))
}

async fn start(args: &ClusterArgs, programs: &Programs, folder: &Path) -> anyhow::Result<Running> {
    let stores = Stores::start(args, programs, folder).await?;
    let count = usize::from(args.nodes);
    let names = &NAMES[..count];
    let (page, held) = doors(args.listen, count)?;
    let urls: Vec<String> =
        held.iter().map(|held| Ok(format!("http://{}", held.local_addr()?))).collect::<anyhow::Result<_>>()?;
    let key = TokenKey::open(folder)?;
    let stop = CancellationToken::new();
    let (mut nodes, mut keepers) = (Vec::new(), Vec::new());
    // Now, and not before: what the nodes listen at was held until each has another.
    drop(held);
    for (name, url) in names.iter().zip(&urls) {
        let data = folder.join(name);
        machine::folder(&data)?;
        std::fs::copy(folder.join("token.key"), data.join("token.key"))?;
        let plan = Plan {
            name,
            url: url.clone(),
            data,
            arguments: arguments(url, &urls, &args.log),
            stores: stores.urls.clone(),
            restarts: !args.no_restart,
        };
        let (node, keeper) = Node::start(plan, stop.clone());
        nodes.push(node);
        keepers.push(keeper);
    }
    for node in &nodes {
        let mut seen = node.seen.clone();
        let ready = seen.wait_for(|seen| !matches!(seen.phase, Phase::Starting));
        let ready = tokio::time::timeout(START, ready).await.context("the nodes do not get ready")??.phase;
        anyhow::ensure!(ready != Phase::Gone, "node {} does not start, its lines above say why", node.name);
    }
    let page = page::serve(page, Lookout::new(nodes.clone(), key)?)?;
    tell(&nodes, &page);
    Ok(Running { keepers, stores, stop })
}

/// The ports: the page's is the one below the nodes', or another that is free.
fn doors(first: SocketAddr, count: usize) -> anyhow::Result<(std::net::TcpListener, Vec<std::net::TcpListener>)> {
    let below = first.port().checked_sub(1).filter(|port| *port > 0);
    let below = below.and_then(|port| std::net::TcpListener::bind((first.ip(), port)).ok());
    let mut nodes = machine::ports(first.ip(), first.port(), count + usize::from(below.is_none()))?;
    let page = below.or_else(|| nodes.pop()).context("a port for the page")?;
    Ok((page, nodes))
}

/// What a node is told besides its name, its folder and where the stores are. Pages of each may go on at the others.
fn arguments(url: &str, urls: &[String], log: &str) -> Vec<String> {
    let listen = url.trim_start_matches("http://");
    let mut arguments: Vec<String> =
        ["--listen", listen, "--log", log, "--drain-seconds", "0"].map(str::to_owned).to_vec();
    for other in urls.iter().filter(|other| *other != url) {
        arguments.extend(["--allow-origin".to_owned(), other.clone(), "--also-at".to_owned(), other.clone()]);
        // A page may have been opened under that name.
        if let Some((_, port)) = other.rsplit_once(':') {
            arguments.extend(["--allow-origin".to_owned(), format!("http://localhost:{port}")]);
        }
    }
    arguments
}

fn tell(nodes: &[Node], page: &page::Place) {
    say("");
    for node in nodes {
        let pid = node.now().pid.map_or_else(String::new, |pid| pid.to_string());
        say(&format!("  {:<6} {}/   process {pid}", node.name, node.url));
    }
    say(&format!("\nPlay at any of them. To kill or stop one meanwhile: {}/", page.url));
    say(&format!(
        "or: curl -X POST -H 'Cluster-Token: {}' {}/nodes/one/kill     (stop, go-on, start)",
        page.token, page.url
    ));
    say("Ctrl-C ends all of it.\n");
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        for keeper in self.keepers {
            let _ = keeper.await;
        }
        self.stores.stop().await;
    }
}
