//! A real Postgres on a free port, under its own user, that goes away with whoever started it.
//!
//! A keeper, a small shell script, starts the server as its child and waits for the end of its own standard input: that comes
//! when this process ends, however it ends, and then the keeper stops the server and removes its folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::support::{PATIENCE, soon};

/// Its arguments are the folder, the folder of the binaries, the user or nothing, and whether to sync. Its commands are
/// `run PORT`, which is answered by the server's process id, and `kill SIGNAL PID…`.
const KEEPER: &str = r#"
    folder=$1 binaries=$2 user=$3 sync=$4
    trap '' INT TERM HUP PIPE
    as() { if [ "$user" ]; then exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"; else exec "$@"; fi; }
    [ -z "$user" ] || chown "$user" "$folder"
    cd "$folder"
    (as "$binaries/initdb" -D data -U tiltyard -A trust -E UTF8 --no-locale --no-sync --no-instructions) >log 2>&1
    while read -r command arguments; do
        case $command in
            run)
                (as "$binaries/postgres" -D data -p "$arguments" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
                    -c max_connections=300 -c shared_buffers=32MB -c fsync="$sync" -c full_page_writes="$sync") >>log 2>&1 &
                server=$!
                echo "$server";;
            kill)
                kill -$arguments 2>/dev/null
                echo killed;;
        esac
    done
    kill -CONT "$server" 2>/dev/null
    # Again until it is gone: one that has only just been started does not listen yet.
    while kill -QUIT "$server" 2>/dev/null; do sleep 0.05; done
    cd /
    rm -rf "$folder"
"#;

/// Tries to find a port that is free.
const PORT_TRIES: u16 = 200;

/// The server.
#[derive(Debug)]
pub struct Postgres {
    keeper: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    port: u16,
    pid: u32,
}

impl Postgres {
    /// The one that all tests of this process share, each with databases of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::keep("off"))
    }

    /// One that a test may hang and kill; it syncs what it commits.
    pub fn start() -> Self {
        Self::keep("on")
    }

    fn keep(sync: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("tiltyard-postgres-").tempdir().unwrap().keep();
        let user = if fs::metadata("/proc/self").unwrap().uid() == 0 { "postgres" } else { "" };
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&folder, &binaries()])
            .args([user, sync])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = keeper.stdin.take();
        let answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut server = Self { keeper, commands, answers, folder, port: free_port(), pid: 0 };
        server.restart();
        server
    }

    /// Of the database that is always there.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://tiltyard@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("t{}", Uuid::new_v4().simple());
        let mut connection = soon(PgConnection::connect(&self.url())).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
        soon(sqlx::raw_sql(create).execute(&mut connection)).await.unwrap();
        connection.close().await.unwrap();
        self.url_of(&name)
    }

    /// kill -9 of the server and of every process of it.
    pub fn kill9(&mut self) {
        self.signal("KILL");
    }

    /// Stops every process of it where it is: connections stay open and nothing answers.
    pub fn hang(&mut self) {
        self.signal("STOP");
    }

    /// What has been hung goes on.
    pub fn resume(&mut self) {
        self.signal("CONT");
    }

    /// Starts it again on the same port and waits until it takes connections.
    pub fn restart(&mut self) {
        self.pid = self.tell(&format!("run {}", self.port)).parse().unwrap();
        let since = Instant::now();
        while !self.is_ready() {
            if !self.is_alive() {
                // Right after a kill -9 what is left of the one before may still be in its way.
                self.pid = self.tell(&format!("run {}", self.port)).parse().unwrap();
            }
            assert!(since.elapsed() < PATIENCE, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// It says so in the line of its pid file that is for that.
    fn is_ready(&self) -> bool {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        lines.first() == Some(&self.pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn is_alive(&self) -> bool {
        parent(&self.pid.to_string()).is_some()
    }

    fn signal(&mut self, signal: &str) {
        let server = self.pid.to_string();
        // Stopped first, so that it starts nothing in the meantime; once it is dead, its children are no longer its own.
        self.tell(&format!("kill STOP {server}"));
        let of_it = |process: &String| parent(process).as_deref() == Some(&server);
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let children: Vec<String> = all.filter(of_it).collect();
        self.tell(&format!("kill {signal} {server} {}", children.join(" ")));
    }

    fn tell(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().expect("it is there until the end");
        writeln!(commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.resume();
        drop(self.commands.take());
        // It ends once the server has ended and the folder is gone.
        let _ = self.keeper.wait();
    }
}

/// The parent of a process that lives; of what is dead but not yet waited for there is none.
fn parent(process: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| fields.next().map(str::to_owned)).flatten()
}

/// The folder of `postgres` and `initdb`. Debian keeps them out of the PATH.
fn binaries() -> PathBuf {
    let named = Command::new("pg_config").arg("--bindir").output();
    let named = named.into_iter().map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<PathBuf> = versions.map(|version| version.unwrap().path().join("bin")).collect();
    packaged.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = named.chain(packaged.into_iter().rev()).chain(std::env::split_paths(&path));
    let found = all.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
    found.expect("the tests need PostgreSQL: Debian's package `postgresql`, or its binaries in the PATH")
}

/// Not of the range that outgoing connections get theirs from: one of those could take it while the server is down.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let guess = |_| 20_000 + u16::try_from(Uuid::new_v4().as_u128() % 12_000).unwrap();
    (0..PORT_TRIES).map(guess).find(is_free).expect("some port is free")
}

#[tokio::test]
async fn it_survives_being_killed_and_hung_and_leaves_nothing_behind() {
    let mut server = Postgres::start();
    let url = server.database().await;
    assert_ne!(url, server.database().await);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").execute(&mut connection).await.unwrap();
    server.hang();
    let count = sqlx::query_scalar::<_, i32>("SELECT n FROM t");
    let mut asking = Box::pin(count.fetch_one(&mut connection));
    let hung = tokio::time::timeout(Duration::from_millis(200), &mut asking).await;
    assert!(hung.is_err(), "nothing answers");
    server.resume();
    assert_eq!(soon(asking).await.unwrap(), 7);
    server.kill9();
    assert!(PgConnection::connect(&url).await.is_err());
    server.restart();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i32>("SELECT n FROM t").fetch_one(&mut connection).await.unwrap(), 7);
    let (folder, pid) = (server.folder.clone(), server.pid);
    drop(server);
    assert!(!folder.exists() && parent(&pid.to_string()).is_none());
}
