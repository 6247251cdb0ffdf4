//! Who sees at once that a process is gone: it holds a connection to its neighbour, and when that ends and nobody listens there any more, the
//! process has ended, as only the system of its machine can say. Then its key is taken out of the directory, which would have waited for it
//! to run out. That is only a hint, too: one that lives puts its key back with its next renewal. A machine that stops says nothing; then it
//! is the key that runs out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::peer::Peer;
use crate::limits;

/// Watches the neighbours of this node until `stop`: those that follow it in the order of the names, so that each is watched by as many.
pub async fn run(cluster: Cluster, stop: CancellationToken) {
    let mut changes = cluster.changes();
    let mut watched: Vec<(String, tokio::task::AbortHandle)> = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let neighbours = neighbours(&cluster);
        watched.retain(|(instance, task)| {
            let stays = neighbours.iter().any(|peer| peer.instance() == *instance);
            if !stays {
                task.abort();
            }
            stays
        });
        for peer in neighbours {
            let instance = peer.instance();
            if !watched.iter().any(|(of, _)| *of == instance) {
                watched.push((instance, tasks.spawn(watch(cluster.clone(), peer))));
            }
        }
        let news = async {
            loop {
                tokio::select! {
                    said = changes.changed() => break said.is_ok(),
                    // One that ends has nothing to say any more.
                    Some(_) = tasks.join_next() => {}
                }
            }
        };
        if stop.run_until_cancelled(news).await != Some(true) {
            return;
        }
    }
}

/// Those of the others, in the order of their names, that come behind this one, all around.
fn neighbours(cluster: &Cluster) -> Vec<Arc<Peer>> {
    let mut peers = cluster.peers();
    // What is spoken over TLS begins with more than a connection.
    peers.retain(|peer| peer.url.starts_with("http://"));
    peers.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let first = peers.partition_point(|peer| peer.name < cluster.me().name);
    peers.rotate_left(first);
    peers.truncate(limits::NEIGHBOURS);
    peers
}

/// Watches a process until it is gone.
async fn watch(cluster: Cluster, peer: Arc<Peer>) {
    let Some(place) = place_of(&peer.url) else { return };
    loop {
        match timeout(Duration::from_millis(limits::FORWARD_CONNECT_MS), TcpStream::connect(&place)).await {
            Ok(Ok(mut stream)) => {
                // Ends when that does, whoever ended it.
                let _ = listen(&mut stream).await;
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                tracing::warn!(node = peer.name, url = peer.url, "a node's process is gone");
                return cluster.is_gone(peer.instance());
            }
            // Nothing follows from that: the key in the directory tells.
            Ok(Err(_)) | Err(_) => {}
        }
        sleep(Duration::from_millis(limits::SENTRY_AGAIN_MS)).await;
    }
}

/// Reads until the connection ends, and asks for something now and then, so that it is not taken for one that is forgotten.
async fn listen(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    let pause = Duration::from_millis(limits::SENTRY_ASKS_MS);
    loop {
        stream.write_all(b"HEAD /livez HTTP/1.1\r\nHost: node\r\n\r\n").await?;
        let until = tokio::time::Instant::now() + pause;
        loop {
            match tokio::time::timeout_at(until, stream.read(&mut bytes)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_elapsed) => break,
            }
        }
    }
}

/// Host and port of a base URL.
fn place_of(url: &str) -> Option<String> {
    let host = url.strip_prefix("http://")?.split('/').next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { host.to_owned() } else { format!("{host}:80") })
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn a_url_says_where_to_connect() {
        assert_eq!(place_of("http://10.0.0.1:8080/base").as_deref(), Some("10.0.0.1:8080"));
        assert_eq!(place_of("http://node").as_deref(), Some("node:80"));
        assert_eq!(place_of("http://[::1]:81").as_deref(), Some("[::1]:81"));
        assert_eq!(place_of("http://[::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(place_of("https://node"), None);
    }
}
