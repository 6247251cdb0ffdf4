//! Processes that end with this one, however it ends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::machine::{self, User};

/// What a process is sent when this one has died.
#[derive(Debug, Clone, Copy)]
pub enum AtDeath {
    Kill,
    /// Which ends PostgreSQL at once, and has it give back what it has of the system.
    Quit,
}

/// A program that is about to be started: it is killed where its owner is dropped and, where the system can do that, sent a signal where this
/// process has died. It is in a process group of its own, so that Ctrl-C reaches this process alone, which then stops the others in order.
pub fn command(program: &Path, user: Option<User>, at_death: AtDeath) -> anyhow::Result<Command> {
    let setpriv = machine::program(&["setpriv"]);
    let mut command = match (&setpriv, user) {
        (Some(setpriv), user) => {
            let mut command = Command::new(setpriv);
            let signal = match at_death {
                AtDeath::Kill => "KILL",
                AtDeath::Quit => "QUIT",
            };
            command.args(["--pdeathsig", signal]);
            if let Some(User { user, group }) = user {
                command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
            }
            command.arg("--").arg(program);
            command
        }
        (None, None) => Command::new(program),
        (None, Some(_)) => {
            anyhow::bail!("to start PostgreSQL as another user than root takes `setpriv` (Debian: util-linux)")
        }
    };
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    Ok(command)
}

/// Sends a signal to a child that was not waited for yet: the number is no other's until then.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = pid(child) {
        // It may have ended a moment ago.
        let _ = kill_process(pid, signal);
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
}

/// Asks it to end, and has it ended after `patience` at most.
pub async fn stop(child: &mut Child, how: Signal, patience: Duration) {
    // Who is stopped where it is hears nothing else.
    signal(child, how);
    signal(child, Signal::CONT);
    if tokio::time::timeout(patience, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct How(pub Option<ExitStatus>);

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::process::ExitStatusExt;
        match self.0.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => write!(f, "it ended with {code}"),
            Some((_, Some(signal))) => write!(f, "killed by signal {signal}"),
            _ => f.write_str("nobody knows how"),
        }
    }
}

/// Removes a temporary folder when this process has ended, however it has: a shell that waits for the end of its input, and then for those
/// who still write there.
#[derive(Debug)]
pub struct Sweeper {
    shell: std::process::Child,
    folder: PathBuf,
}

const SWEEP: &str = r#"
    trap '' INT TERM HUP
    cat >/dev/null
    tries=0
    while [ -e "$1" ] && [ "$tries" -lt 100 ]; do rm -rf "$1" 2>/dev/null; tries=$((tries + 1)); sleep 0.1; done
"#;

impl Sweeper {
    pub fn of(folder: &Path) -> std::io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let shell = std::process::Command::new("sh")
            .args(["-c", SWEEP, "tiltyard-sweeper"])
            .arg(folder)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { shell, folder: folder.to_owned() })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It has nothing left to do then.
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = self.shell.wait();
    }
}
