//! A Tiltyard server with a data folder of its own, which can be started again on what it kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::child::Server;

/// The executable, its folder and its database.
#[derive(Debug)]
pub struct Hub {
    executable: PathBuf,
    database: Option<String>,
    flags: Vec<String>,
    folder: TempDir,
}

impl Hub {
    pub fn new(executable: &Path, database: Option<&str>) -> Result<Self> {
        Ok(Self {
            executable: executable.to_owned(),
            database: database.map(str::to_owned),
            flags: Vec::new(),
            folder: tempfile::tempdir()?,
        })
    }

    /// With further flags of its command line.
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    /// With connections that may send as fast as they are answered. Builds from before there was a limit have no such flag.
    pub fn saturated(self) -> Result<Self> {
        let help = Command::new(&self.executable).args(["serve", "--help"]).output().context("ask for the flags")?;
        let has_flag = String::from_utf8_lossy(&help.stdout).contains("--rate-connection");
        Ok(if has_flag { self.with(&["--rate-connection", "off"]) } else { self })
    }

    pub fn executable(&self) -> &Path {
        &self.executable
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// With the token key of another, so that each takes the other's tokens.
    pub fn with_key_of(self, other: &Self) -> Result<Self> {
        fs::create_dir_all(self.data())?;
        fs::copy(other.data().join("token.key"), self.data().join("token.key")).context("copy the token key")?;
        Ok(self)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it. Dropping what is returned is a kill -9.
    pub fn start(&self) -> Result<Server> {
        let mut command = Command::new(&self.executable);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"]).arg(self.data());
        // Requests are counted as always, and not refused: all of them come from one service.
        command.args(["--rate-service", "1000000/s"]);
        command.args(&self.flags);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        Server::start(command, &self.folder.path().join("log"))
    }

    /// A service's token for all that is done to sessions.
    pub fn token(&self) -> Result<String> {
        self.token_for(&["--service", "loadtest", "--scope", "sessions:read", "--scope", "sessions:write"])
    }

    /// The token of whom `grant` names, in the server's words.
    pub fn token_for(&self, grant: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.executable);
        command.arg("token").arg("--data").arg(self.data()).args(grant);
        let output = command.output().context("ask for a token")?;
        if !output.status.success() {
            bail!("no token: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout).context("the token is not text")?.trim().to_owned())
    }
}
