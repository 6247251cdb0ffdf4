//! A real Redis on a free port that goes away with whoever started it, as PostgreSQL does (`postgres.rs`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tiltyard::log::redis::resp::{self, Reply};
use uuid::Uuid;

use crate::support::PATIENCE;

/// Its arguments are the folder, the port, and the server's own. Its commands are `run`, which is answered by the server's process id, and
/// `kill SIGNAL`.
const KEEPER: &str = r#"
    folder=$1 port=$2
    shift 2
    trap '' INT TERM HUP PIPE
    cd "$folder"
    while read -r command signal; do
        case $command in
            run)
                redis-server --port "$port" --bind 127.0.0.1 --save "" --dir "$folder" "$@" >>log 2>&1 &
                server=$!
                echo "$server";;
            kill)
                kill -"$signal" "$server" 2>/dev/null
                [ "$signal" = KILL ] && wait "$server" 2>/dev/null
                echo killed;;
        esac
    done
    kill -KILL "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    cd /
    rm -rf "$folder"
"#;

/// The server.
#[derive(Debug)]
pub struct Redis {
    keeper: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub port: u16,
}

impl Redis {
    /// One that waits for the disk before it answers.
    pub fn start() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One that keeps nothing.
    pub fn forgetful() -> Self {
        Self::start_with(&["--appendonly", "no"])
    }

    pub fn start_with(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("tiltyard-redis-").tempdir().unwrap().keep();
        let port = free_port();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .arg(port.to_string())
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = keeper.stdin.take();
        let answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut server = Self { keeper, commands, answers, port };
        server.restart();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it again, and waits until it takes commands.
    pub fn restart(&mut self) {
        self.tell("run");
        let since = Instant::now();
        // With a password it refuses that, which is an answer, too.
        while !self
            .try_ask(&["PING"])
            .is_ok_and(|reply| !matches!(&reply, Reply::Error(said) if said.starts_with("LOADING")))
        {
            assert!(since.elapsed() < PATIENCE, "Redis does not start: the tests need Debian's package `redis-server`");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// kill -9.
    pub fn kill9(&mut self) {
        self.tell("kill KILL");
    }

    /// Stops it where it is: connections stay open and nothing answers.
    pub fn hang(&mut self) {
        self.tell("kill STOP");
    }

    /// What has been hung goes on.
    pub fn resume(&mut self) {
        self.tell("kill CONT");
    }

    /// What it answers to a command.
    pub fn ask(&self, words: &[&str]) -> Reply {
        self.try_ask(words).unwrap()
    }

    fn try_ask(&self, words: &[&str]) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        stream.write_all(&resp::command(&words))?;
        let (mut input, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            input.extend_from_slice(&bytes[..count]);
            if let Some(reply) = resp::take(&mut &input[..])? {
                return Ok(reply);
            }
        }
    }

    fn tell(&mut self, command: &str) {
        let commands = self.commands.as_mut().expect("it is there until the end");
        writeln!(commands, "{command}").unwrap();
        self.answers.read_line(&mut String::new()).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.commands.take());
        // It ends once the server has ended and the folder is gone.
        let _ = self.keeper.wait();
    }
}

/// Not of the range that outgoing connections get theirs from.
pub fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let guess = |_| 20_000 + u16::try_from(Uuid::new_v4().as_u128() % 12_000).unwrap();
    (0..200).map(guess).find(is_free).expect("some port is free")
}
