//! A real Redis on a free port, which keeps nothing, and which goes away with the test that started it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::redis::free_port;
use crate::support::PATIENCE;

/// The server. Its port is not of the range that outgoing connections get theirs from: one of those could take it while the server is down.
pub struct Redis {
    pub port: u16,
    pub settings: Vec<String>,
    folder: TempDir,
    process: Child,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(settings: &[&str]) -> Self {
        let port = free_port();
        let folder = TempDir::new().unwrap();
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let process = run(port, &folder, &settings);
        Self { port, settings, folder, process }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port: it knows nothing of before.
    pub fn restart(&mut self) {
        self.process = run(self.port, &self.folder, &self.settings);
    }

    /// Stops it where it is, or has it go on: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// What it answers to a command, as it comes.
    pub fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(port: u16, folder: &TempDir, settings: &[String]) -> Child {
    let has_tls = settings.iter().any(|setting| setting == "--tls-cert-file");
    let process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "redis-server", "--bind", "127.0.0.1", "--save", ""])
        .args(if has_tls { ["--port", "0", "--tls-port"].as_slice() } else { ["--port"].as_slice() })
        .arg(port.to_string())
        .arg("--dir")
        .arg(folder.path())
        .args(settings)
        .stdout(Stdio::null())
        .spawn()
        .expect("the tests need redis-server: Debian's package of that name");
    let since = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(since.elapsed() < PATIENCE, "Redis does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    process
}
