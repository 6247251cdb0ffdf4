//! A server started for a measurement and ended after it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::rest::Base;

/// The longest a server may take to say where it listens.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// What is shown of the log of a server that did not start.
const LOG_BYTES_SHOWN: usize = 2000;

/// The server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub base: Base,
}

impl Server {
    /// Starts `command` and waits for its line `listening on http://…`. What it says on standard error goes into `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let stderr = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut child = spawned.with_context(|| format!("start {}", command.get_program().display()))?;
        let stdout = child.stdout.take().context("the server has no standard output")?;
        let (found, url) = mpsc::channel();
        // Reads to the end, so that a server that goes on writing is never held up by a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    // Nobody waits any more after the first.
                    let _ = found.send(url.trim().to_owned());
                }
            }
        });
        // Owned before anything can fail, so that it is ended in any case.
        let mut server = Self { child, base: "http://127.0.0.1:1".parse()? };
        let url = url.recv_timeout(START_TIME_MAX).map_err(|_| anyhow!("the server did not start: {}", tail(log)))?;
        server.base = url.parse()?;
        Ok(server)
    }

    /// Stops it where it is, as if its machine did: it goes on to hold what it has, and does nothing.
    pub fn hang(&self) -> Result<()> {
        let told = Command::new("kill").args(["-s", "STOP", &self.pid().to_string()]).status()?;
        ensure!(told.success(), "the server cannot be stopped");
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_BYTES_SHOWN)..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Server;

    fn shell(script: &str) -> anyhow::Result<Server> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Server::start(command, &folder.path().join("log"))
    }

    #[test]
    fn the_address_is_found_among_other_lines() {
        let server = shell("echo hello; echo 'INFO listening on http://127.0.0.1:4321'; exec sleep 30").unwrap();
        assert_eq!(server.base.address.port(), 4321);
    }

    #[test]
    fn a_server_that_ends_at_once_says_why() {
        let error = shell("echo 'no such option' >&2; exit 1").unwrap_err();
        assert!(error.to_string().contains("no such option"), "{error}");
    }
}
